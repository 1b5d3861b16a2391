//! Quoting: a value becomes one word of the format it is written into, or an error; never two words, never code.

use minijinja::{Environment, Error, ErrorKind, Value};

/// Adds the filters to an environment, one a target format.
pub fn add_filters(environment: &mut Environment<'_>) {
    let filters: [(&'static str, Quote); 7] = [
        ("shell", shell),
        ("livebuild", livebuild),
        ("systemd", exec_word),
        ("specifier", specifier),
        ("nginx", nginx),
        ("preseed", preseed),
        ("conf", conf),
    ];
    for (name, quote) in filters {
        environment.add_filter(name, move |value: Value| filter(quote, &value));
    }
}

type Quote = fn(&str) -> Result<String, String>;

fn filter(quote: Quote, value: &Value) -> Result<String, Error> {
    if value.is_none() || value.is_undefined() {
        return Err(Error::new(ErrorKind::InvalidOperation, "a value is needed here and there is none"));
    }
    quote(&value.to_string()).map_err(|why| Error::new(ErrorKind::InvalidOperation, why))
}

/// One word of a POSIX shell.
pub fn shell(value: &str) -> Result<String, String> {
    shlex::try_quote(value).map(std::borrow::Cow::into_owned).map_err(|_| told(value, "a shell word", "NUL bytes"))
}

/// One word of the shell for `lb config`, which writes it between double quotes into files that it sources later, and
/// into the replacement part of sed's `s|…|…|`: what either would take for code is refused.
pub fn livebuild(value: &str) -> Result<String, String> {
    no_controls_but(value, "an option of live-build", &[])?;
    if value.contains(['"', '\'', '`', '$', '\\', '|', '&', ';']) {
        return Err(told(value, "an option of live-build", "quotes, or one of ` $ \\ | & ;"));
    }
    shell(value)
}

/// One argument of an `Exec…=` line of a unit: quoted, and neither specifier nor variable (systemd.service(5)).
pub fn exec_word(value: &str) -> Result<String, String> {
    no_controls_but(value, "an argument of a unit's command", &['\n', '\t'])?;
    let mut word = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' | '$' => word.extend([c, c]),
            '\n' => word.push_str("\\n"),
            '\t' => word.push_str("\\t"),
            _ => word.push(c),
        }
    }
    word.push('"');
    Ok(word)
}

/// The whole value of a unit's setting that knows `%` specifiers but no quoting, such as `Description=`.
pub fn specifier(value: &str) -> Result<String, String> {
    conf(value).map(|v| v.replace('%', "%%"))
}

/// One parameter of an nginx directive. nginx has no way to write a plain `$`.
pub fn nginx(value: &str) -> Result<String, String> {
    no_controls_but(value, "an nginx parameter", &[])?;
    if value.contains('$') {
        return Err(told(value, "an nginx parameter", "dollar signs"));
    }
    Ok(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The value at the end of a debconf preseed line.
pub fn preseed(value: &str) -> Result<String, String> {
    no_controls_but(value, "a preseed value", &[])?;
    // debconf-set-selections joins a line that ends in a backslash with the next.
    if value.ends_with('\\') {
        return Err(told(value, "a preseed value", "a backslash at the end"));
    }
    Ok(value.to_owned())
}

/// The value of a line-based configuration file without quoting.
pub fn conf(value: &str) -> Result<String, String> {
    no_controls_but(value, "a configuration value", &[])?;
    if value.ends_with('\\') {
        return Err(told(value, "a configuration value", "a backslash at the end"));
    }
    Ok(value.to_owned())
}

fn no_controls_but(value: &str, what: &str, allowed: &[char]) -> Result<(), String> {
    if value.contains(|c: char| c.is_control() && !allowed.contains(&c)) {
        return Err(told(value, what, "line breaks or control characters"));
    }
    Ok(())
}

fn told(value: &str, what: &str, fault: &str) -> String {
    format!("{value:?} cannot be {what}: it has {fault}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What systemd's own parser makes of one quoted word, after specifier and variable expansion.
    fn systemd_reads(word: &str) -> Option<String> {
        let inner = word.strip_prefix('"')?.strip_suffix('"')?;
        let mut text = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            text.push(match c {
                '\\' => match chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    plain @ ('"' | '\\') => plain,
                    _ => return None,
                },
                '%' | '$' => chars.next().filter(|&next| next == c)?,
                '"' => return None,
                plain => plain,
            });
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_shell_reads_back_one_word(value in "[^\0]*") {
            let line = format!("true {} end", shell(&value).unwrap());
            prop_assert_eq!(shlex::split(&line), Some(vec!["true".to_owned(), value, "end".into()]));
        }

        #[test]
        fn systemd_reads_back_one_argument(value in "[^\\p{Cc}]*[\n\t\"'%$\\\\;]*[^\\p{Cc}]*") {
            prop_assert_eq!(systemd_reads(&exec_word(&value).unwrap()), Some(value));
        }

        #[test]
        fn line_formats_keep_one_line(value in any::<String>()) {
            for quoted in [nginx(&value), preseed(&value), conf(&value), specifier(&value)].into_iter().flatten() {
                prop_assert_eq!(quoted.lines().count().max(1), 1);
                prop_assert!(!quoted.ends_with('\\'));
            }
        }
    }

    #[test]
    fn what_a_format_cannot_say_is_refused() {
        assert_eq!(nginx("a$host"), Err("\"a$host\" cannot be an nginx parameter: it has dollar signs".into()));
        assert!(preseed("a\nd-i partman/confirm boolean true").is_err());
        assert!(preseed("joined\\").is_err());
        assert!(conf("a\u{85}b").is_err());
        assert!(shell("\0").is_err());
        assert!(["$(touch /x)", "a|e", "`id`", "a;b", "\"", "a\nb"].iter().all(|value| livebuild(value).is_err()));
    }
}
