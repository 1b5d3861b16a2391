//! apt's credentials (`apt_auth.conf(5)`), used for requests and for nothing else.

use crate::archive::net::Login;

/// Reads `machine HOST[/PATH] login USER password SECRET`, in any number of lines.
pub fn parse(text: &str) -> Vec<Login> {
    let mut logins = Vec::new();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_ascii_whitespace);
    let mut current: Option<Login> = None;
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        match (key, &mut current) {
            ("machine", _) => logins.extend(current.replace(machine(value))),
            ("login", Some(login)) => value.clone_into(&mut login.user),
            ("password", Some(login)) => value.clone_into(&mut login.password),
            _ => {}
        }
    }
    logins.extend(current);
    logins
}

fn machine(value: &str) -> Login {
    let (scheme, place) = match value.split_once("://") {
        Some((scheme, place)) => (Some(scheme.to_owned()), place),
        None => (None, value),
    };
    Login { scheme, place: place.to_owned(), user: String::new(), password: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn machines_with_scheme_and_path() {
        let logins =
            parse("# x\nmachine a.org login me password s3\nmachine http://b.org/deb/\n login you\n password t\n");
        assert_eq!(logins.len(), 2);
        assert_eq!((logins[0].scheme.as_deref(), logins[0].user.as_str()), (None, "me"));
        assert_eq!((logins[1].scheme.as_deref(), logins[1].place.as_str()), (Some("http"), "b.org/deb/"));
        assert_eq!(logins[1].password, "t");
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "((machine|login|password|\\PC{0,8})[ \n]){0,9}") {
            let _ = parse(&text);
        }
    }
}
