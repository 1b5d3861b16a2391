//! Paths and names as text: nothing here touches a file.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use memchr::memchr_iter;

use crate::fault::Fault;

/// `path` made absolute and rid of `.` and `..` by its text alone, as the reference server does it: `~` is `home`, and
/// what is relative starts at `base`.
pub fn absolute(path: &str, base: &Path, home: Option<&Path>) -> Result<PathBuf, Fault> {
    if is_windows(path) {
        return Err(Fault::new(format!("Access denied - Windows-style path received on a POSIX host: {path}")));
    }
    let tail = path.strip_prefix('~').filter(|tail| tail.is_empty() || tail.starts_with('/'));
    let whole = match (tail, home) {
        (Some(tail), Some(home)) => home.join(tail.trim_start_matches('/')),
        _ => base.join(path),
    };
    Ok(normal(&whole))
}

fn is_windows(path: &str) -> bool {
    match path.as_bytes() {
        [drive, b':'] | [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

/// An absolute path without `.`, `..`, double slashes or a slash at its end.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    normal
}

/// A name as text, on one line. A name that is clean text stays as it is; in any other, bytes that are not UTF-8, control
/// characters and backslashes become `\xHH`, which [`name_bytes`] takes back.
pub fn name_text(name: &OsStr) -> Cow<'_, str> {
    if let Some(clean) = name.to_str().filter(|text| is_clean(text)) {
        return clean.into();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' { escape(&mut text, c.to_string().as_bytes()) } else { text.push(c) }
        }
        escape(&mut text, chunk.invalid());
    }
    text.into()
}

fn is_clean(text: &str) -> bool {
    // Nearly every name is plain, and there may be many.
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.chars().any(char::is_control)
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// A path as text; a component that is no clean text is escaped.
pub fn path_text(path: &Path) -> String {
    match path.to_str() {
        Some(clean) if is_clean(clean) => clean.to_owned(),
        _ => {
            let parts: Vec<_> = path.components().map(|part| name_text(part.as_os_str())).collect();
            parts.join("/").replacen("//", "/", 1)
        }
    }
}

/// What [`name_text`] escaped, taken back; nothing if the path holds no escape.
pub fn name_bytes(path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_bytes();
    let mut raw = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut found = false;
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = rest.strip_prefix(b"\\x").and_then(|hex| hex.get(..2)).and_then(hex_byte);
        if let Some(byte) = escaped {
            raw.push(byte);
            found = true;
            rest = rest.get(4..).unwrap_or_default();
        } else {
            raw.push(first);
            rest = tail;
        }
    }
    // A separator must not come out of an escape: the path would have other components than it was judged by.
    let same = memchr_iter(b'/', &raw).count() == memchr_iter(b'/', bytes).count();
    (found && same && !raw.contains(&0)).then(|| PathBuf::from(OsString::from_vec(raw)))
}

fn hex_byte(hex: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolved(path: &str) -> String {
        path_text(&absolute(path, Path::new("/srv/borg"), Some(Path::new("/home/me"))).unwrap())
    }

    #[test]
    fn paths_are_made_absolute_by_their_text() {
        for (path, expected) in [
            ("", "/srv/borg"),
            (".", "/srv/borg"),
            ("a//b/./c/", "/srv/borg/a/b/c"),
            ("none/../a", "/srv/borg/a"),
            ("../../../../x", "/x"),
            ("/etc/passwd", "/etc/passwd"),
            ("~", "/home/me"),
            ("~/a", "/home/me/a"),
            ("~a", "/srv/borg/~a"),
        ] {
            assert_eq!(resolved(path), expected, "{path}");
        }
        assert!(absolute("C:\\x", Path::new("/"), None).unwrap_err().to_string().contains("Windows-style"));
    }

    #[test]
    fn names_that_are_not_text_are_escaped_and_found_again() {
        let odd = OsStr::from_bytes(b"a\xffb\n\\");
        assert_eq!(name_text(odd), "a\\xffb\\x0a\\x5c");
        assert_eq!(name_bytes(Path::new(&*name_text(odd))).unwrap().as_os_str(), odd);
        assert_eq!(name_text(OsStr::new("Straße \\ 1")), "Straße \\ 1");
        for plain in ["a", "a\\b", "\\x", "\\x4", "\\xzz", "\\x2f", "\\x00"] {
            assert_eq!(name_bytes(Path::new(plain)), None, "{plain}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_has_no_dots(path in ".{0,40}") {
            if let Ok(path) = absolute(&path, Path::new("/srv"), None) {
                prop_assert!(path.is_absolute());
                prop_assert!(path.components().skip(1).all(|c| matches!(c, Component::Normal(_))));
                prop_assert_eq!(&normal(&path), &path);
            }
        }

        #[test]
        fn every_name_is_one_line_and_comes_back(bytes in prop::collection::vec(1u8.., 1..20)) {
            let bytes: Vec<u8> = bytes.into_iter().filter(|b| *b != b'/').collect();
            let name = OsString::from_vec(bytes);
            let text = name_text(&name);
            prop_assert!(!text.chars().any(char::is_control));
            if text.as_bytes() != name.as_bytes() {
                prop_assert_eq!(name_bytes(Path::new(&*text)).unwrap().into_os_string(), name);
            }
        }
    }
}
