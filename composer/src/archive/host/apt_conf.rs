//! apt's configuration language (apt.conf(5)): `Acquire::http::Proxy "…";` or nested in braces.

use crate::archive::net::Proxies;

/// The values by their full names, in the order written.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let mut values = Vec::new();
    let mut scopes: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token.as_str() {
            "{" => scopes.push(words.drain(..).next().unwrap_or_default()),
            "}" => {
                scopes.pop();
                words.clear();
            }
            ";" => {
                let mut words = words.drain(..);
                if let (Some(name), Some(value)) = (words.next(), words.next()) {
                    values.push((full(&scopes, &name), unquoted(&value)));
                }
            }
            _ => words.push(token),
        }
    }
    values
}

fn full(scopes: &[String], name: &str) -> String {
    scopes.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("::")
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

/// Words, quoted strings with their quotes, and `{`, `}`, `;`; comments are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (skip, token) = match c {
            '"' => {
                let end = rest.get(1..).and_then(|r| r.find('"')).map_or(rest.len(), |n| n + 2);
                (end, rest.get(..end))
            }
            _ if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |n| n + 2), None),
            '#' => (line(rest), None),
            _ if rest.starts_with("//") => (line(rest), None),
            '{' | '}' | ';' => (1, rest.get(..1)),
            c if c.is_whitespace() => (c.len_utf8(), None),
            c => {
                word.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        tokens.extend(token.map(str::to_owned));
        rest = rest.get(skip..).unwrap_or_default();
    }
    tokens.extend((!word.is_empty()).then_some(word));
    tokens
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Takes the proxies out of apt's settings; what is set later wins.
pub fn proxies(values: &[(String, String)], proxies: &mut Proxies) {
    for (name, value) in values {
        let parts: Vec<String> = name.split("::").map(str::to_ascii_lowercase).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let usable = (!value.is_empty() && value != "DIRECT" && value != "false").then(|| value.clone());
        match (parts.as_slice(), usable) {
            (["acquire", scheme @ ("http" | "https"), "proxy"], Some(proxy)) => {
                proxies.by_scheme.insert((*scheme).to_owned(), proxy);
            }
            (["acquire", scheme @ ("http" | "https"), "proxy"], None) => {
                proxies.by_scheme.remove(*scheme);
            }
            (["acquire", scheme @ ("http" | "https"), "proxy", host], proxy) => {
                proxies.by_host.insert(((*scheme).to_owned(), (*host).to_owned()), proxy);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_comments_and_hosts() {
        let text = "Acquire::http::Proxy \"http://a:1\"; // http://no:1\n# Acquire::http::Proxy \"x\";\n/* { */\n\
            Acquire { HTTPS { Proxy \"http://b:2\"; Proxy::own.org \"DIRECT\"; }; };\nAPT { List { \"x\"; }; };";
        let mut all = Proxies::default();
        proxies(&parse(text), &mut all);
        assert_eq!(all.by_scheme["http"], "http://a:1");
        assert_eq!(all.by_scheme["https"], "http://b:2");
        assert_eq!(all.by_host[&("https".to_owned(), "own.org".to_owned())], None);
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "(\\PC|[\"{};/*#\n]){0,60}") {
            proxies(&parse(&text), &mut Proxies::default());
        }
    }
}
