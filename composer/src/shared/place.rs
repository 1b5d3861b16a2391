//! What `--store` and `BORG_STORE` say: a folder of this machine's, and the address of a store that others use too.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::profile::mask;

const SCHEMES: [(&str, Scheme); 4] =
    [("s3", Scheme::S3), ("https", Scheme::Http), ("http", Scheme::Http), ("file", Scheme::File)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    S3,
    Http,
    File,
}

/// Where stores are; at most one of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    pub folder: Option<PathBuf>,
    pub shared: Option<Address>,
}

impl Places {
    /// What the command line gives; what it does not give is the variable's.
    pub fn of(given: &[String], variable: Option<&str>) -> Result<Self> {
        let mut places = Places::default();
        given.iter().try_for_each(|text| places.add(text))?;
        let mut from_variable = Places::default();
        variable.filter(|text| !text.is_empty()).map_or(Ok(()), |text| from_variable.add(text))?;
        Ok(Places { folder: places.folder.or(from_variable.folder), shared: places.shared.or(from_variable.shared) })
    }

    /// A folder, an address, or both with a comma between them: only a comma before an address parts the two.
    fn add(&mut self, text: &str) -> Result<()> {
        let comma = text.match_indices(',').find(|(place, _)| Address::scheme(&text[place + 1..]).is_some());
        if let Some((place, _)) = comma.filter(|(place, _)| *place > 0) {
            self.add(&text[..place])?;
            return self.add(&text[place + 1..]);
        }
        let twice = |what: &str| {
            Err(Error::usage(format!("two {what} are given as stores"))
                .help("give at most one folder and one address of a shared store"))
        };
        if text.contains("://") {
            return match self.shared.replace(Address::parse(text)?) {
                Some(_) => twice("addresses"),
                None => Ok(()),
            };
        }
        match self.folder.replace(PathBuf::from(text)) {
            Some(_) => twice("folders"),
            None => Ok(()),
        }
    }
}

/// A shared store's address, with the password taken out: what is left may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    pub url: String,
    /// User name and password.
    pub login: Option<(String, String)>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.url)
    }
}

impl Address {
    fn scheme(text: &str) -> Option<(&'static str, Scheme, &str)> {
        let (name, rest) = text.split_once("://")?;
        SCHEMES.into_iter().find(|(known, _)| *known == name).map(|(known, scheme)| (known, scheme, rest))
    }

    pub fn parse(text: &str) -> Result<Self> {
        // The text may hold a password, so only its start is shown.
        let shown = crate::archive::net::shown(text);
        let wrong = |why: &str| {
            Error::usage(format!("`{shown}` is not the address of a shared store: {why}"))
                .help("give s3://BUCKET/PREFIX, https://HOST/PATH or file:///FOLDER")
        };
        let (name, scheme, rest) = Self::scheme(text).ok_or_else(|| wrong("its scheme is not known"))?;
        if rest.contains(['?', '#', ',']) || rest.chars().any(char::is_control) {
            return Err(wrong("it has a character that does not belong there"));
        }
        // A folder's name may have an `@`.
        let login = mask::login_of(text).filter(|_| scheme != Scheme::File);
        let rest = login.as_ref().and_then(|login| text.get(login.end + 1..)).unwrap_or(rest).trim_end_matches('/');
        let login = login.and_then(|login| text.get(login)).map(|login| login.split_once(':').unwrap_or((login, "")));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if path.split('/').skip(1).any(|step| matches!(step, "" | "." | "..")) {
            return Err(wrong("its path has an empty step or dots"));
        }
        match scheme {
            Scheme::File if !host.is_empty() || path.is_empty() => {
                return Err(wrong("its folder is not absolute"));
            }
            Scheme::S3 if login.is_some() => return Err(wrong("keys are given by AWS_ACCESS_KEY_ID and its like")),
            Scheme::S3 | Scheme::Http if host.is_empty() => return Err(wrong("it names no host or bucket")),
            _ => {}
        }
        Ok(Address {
            scheme,
            url: format!("{name}://{host}{path}"),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
        })
    }

    /// The folder of a `file://` address.
    pub fn folder(&self) -> Option<&Path> {
        self.url.strip_prefix("file://").map(Path::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(given: &[&str], variable: Option<&str>) -> Result<Places> {
        Places::of(&given.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), variable)
    }

    fn urls(places: Places) -> (Option<String>, Option<String>) {
        (places.folder.map(|f| f.display().to_string()), places.shared.map(|a| a.url))
    }

    #[test]
    fn a_folder_and_an_address() {
        let both = (Some("/a,b".to_owned()), Some("s3://team/x".to_owned()));
        assert_eq!(urls(places(&["/a,b", "s3://team/x/"], None).unwrap()), both);
        assert_eq!(urls(places(&[], Some("/a,b,s3://team/x")).unwrap()), both);
        assert_eq!(urls(places(&["s3://team/x"], Some("/a,b,https://other/y")).unwrap()), both);
        assert_eq!(urls(places(&["/a,b"], Some("s3://team/x")).unwrap()), both);
        assert_eq!(urls(places(&[], Some("")).unwrap()), (None, None));
    }

    #[test]
    fn two_of_a_kind_are_refused() {
        for given in [&["/a", "/b"][..], &["s3://a", "file:///b"], &["s3://a,https://b"]] {
            assert_eq!(places(given, None).unwrap_err().kind(), crate::Kind::Usage, "{given:?}");
        }
    }

    #[test]
    fn addresses_are_taken_apart_and_passwords_never_shown() {
        let address = Address::parse("https://me:hunter2@host:8443/team/").unwrap();
        assert_eq!((address.url.as_str(), address.scheme), ("https://host:8443/team", Scheme::Http));
        assert_eq!(address.login, Some(("me".into(), "hunter2".into())));
        assert!(!format!("{address:?}").contains("hunter2"));
        let address = Address::parse("https://me:p/hunter2@host/team").unwrap();
        assert_eq!(
            (address.url.as_str(), address.login),
            ("https://host/team", Some(("me".into(), "p/hunter2".into())))
        );
        assert_eq!(Address::parse("file:///srv/a").unwrap().folder(), Some(Path::new("/srv/a")));
        assert_eq!(Address::parse("file:///srv/a@b").unwrap().url, "file:///srv/a@b");
        for text in [
            "ftp://me:hunter2@host/x",
            "s3://",
            "s3://me:hunter2@bucket",
            "https:///x",
            "https://me:hunter2@host/x?list",
            "https://me:p/hunter2@host/x?list",
            "ftp://me:p/hunter2@host/x",
            "s3://me:p/hunter2@bucket",
            "file://srv/a",
            "file://",
            "https://h/../x",
            "https://h//x",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
