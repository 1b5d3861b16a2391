//! The system locale: what must be compiled before anything can use it.

use crate::spec::ImageSpec;

/// The command that compiles the spec's locale inside the image, as an argument vector; nothing for the C locales.
///
/// It needs the package `locales` and writes `/usr/lib/locale/locale-archive`, so it runs where packages are configured.
pub fn locale_command(spec: &ImageSpec) -> Option<Vec<String>> {
    let name = spec.locale.as_str();
    let (plain, modifier) = name.split_once('@').map_or((name, None), |(plain, modifier)| (plain, Some(modifier)));
    let language = plain.split('.').next().unwrap_or(plain);
    if matches!(language, "C" | "POSIX") {
        return None;
    }
    let input = modifier.map_or_else(|| language.to_owned(), |modifier| format!("{language}@{modifier}"));
    let argv = ["localedef", "-i", &input, "-c", "-f", "UTF-8", "-A", "/usr/share/locale/locale.alias", name];
    Some(argv.iter().map(|&word| word.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::test_spec;

    #[test]
    fn only_real_locales_are_compiled() {
        let mut spec = test_spec();
        let mut command = |locale: &str| {
            spec.locale = locale.into();
            locale_command(&spec).map(|argv| argv.join(" "))
        };
        assert_eq!(command("C.UTF-8"), None);
        assert_eq!(command("POSIX"), None);
        let alias = "-A /usr/share/locale/locale.alias";
        assert_eq!(command("de_DE.UTF-8"), Some(format!("localedef -i de_DE -c -f UTF-8 {alias} de_DE.UTF-8")));
        assert_eq!(command("sr_RS@latin"), Some(format!("localedef -i sr_RS@latin -c -f UTF-8 {alias} sr_RS@latin")));
    }
}
