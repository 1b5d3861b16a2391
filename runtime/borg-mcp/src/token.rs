//! The bearer token that HTTP clients must send.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use subtle::ConstantTimeEq;

/// Shorter ones can be guessed.
const GOOD: usize = 16;
const LONGEST: usize = 4096;

pub struct Token(Vec<u8>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    pub fn read(path: &Path) -> Result<Self, String> {
        let fault = |e: io::Error| format!("cannot read the token in {}: {e}", path.display());
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(fault)?;
        file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
        Self::parse(&bytes)
            .map_err(|fault| format!("the token in {} {fault}; --make-token makes a good one", path.display()))
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let token = bytes.trim_ascii();
        if !(1..=LONGEST).contains(&token.len()) {
            return Err(format!("has {} characters, not 1 to {LONGEST}", token.len()));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err("holds other than plain characters".into());
        }
        Ok(Token(token.to_vec()))
    }

    /// Whether an `Authorization` header carries it; how long that takes says nothing about what is right in it.
    pub fn is_in(&self, authorization: &[u8]) -> bool {
        let Some((scheme, given)) = authorization.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && given.trim_ascii().ct_eq(&self.0).into()
    }
}

/// What makes a token less of a secret than it should be.
pub fn weakness(token: &Token, path: &Path) -> Option<String> {
    if is_public(path) {
        return Some(format!("every user of this machine can read {}: make it mode 0640", path.display()));
    }
    let short = token.0.len() < GOOD;
    short.then(|| {
        format!("the token in {} is short enough to be guessed: --make-token makes a good one", path.display())
    })
}

fn is_public(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Writes a new token with 256 random bits, unless a good one is there. A crash leaves the old state or the new one.
pub fn make(path: &Path, group: Option<&str>) -> Result<(), String> {
    if path.exists() {
        return Token::read(path).map(drop);
    }
    let fault = |e: io::Error| format!("cannot write a token to {}: {e}", path.display());
    let mut random = [0; 32];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).map_err(|e| fault(e.into()))?;
    let hex = hex::encode(random);
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    // What a killed run left there.
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&part).map_err(fault)?;
    if let Some(name) = group {
        let gid = group_id(name)?;
        std::os::unix::fs::fchown(&file, None, Some(gid)).map_err(fault)?;
    }
    writeln!(file, "{hex}").and_then(|()| file.sync_all()).map_err(fault)?;
    fs::rename(&part, path).map_err(fault)
}

fn group_id(name: &str) -> Result<u32, String> {
    match nix::unistd::Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!("--group {name}: there is no such group")),
        Err(e) => Err(format!("--group {name}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_made_token_is_kept_and_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        make(&path, None).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        make(&path, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
        let token = Token::read(&path).unwrap();
        assert_eq!(weakness(&token, &path), None);
        assert!(weakness(&Token::parse(b"short").unwrap(), &path).unwrap().contains("guessed"));
        assert!(weakness(&token, Path::new("/etc/passwd")).unwrap().contains("mode 0640"));
        assert!(token.is_in(format!("Bearer {}", text.trim()).as_bytes()));
        assert!(token.is_in(format!("bearer  {}", text.trim()).as_bytes()));
        for wrong in ["", "Bearer", "Bearer ", "Basic x", &text, &format!("Bearer {}x", text.trim())] {
            assert!(!token.is_in(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn a_group_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(make(&path, Some("no such")).unwrap_err().contains("no such group"));
        assert!(!path.exists());
    }

    #[test]
    fn a_bad_token_is_named() {
        for (bytes, part) in [(&b" \n"[..], "has 0 characters"), (b"0123456789abcdef g", "plain characters")] {
            assert!(Token::parse(bytes).unwrap_err().contains(part));
        }
        assert!(
            Token::read(Path::new("/none")).unwrap_err().starts_with("cannot read the token in /none: No such file")
        );
    }

    proptest! {
        #[test]
        fn only_the_token_opens(given in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!Token::parse(&[b'x'; 32]).unwrap().is_in(&given));
        }
    }
}
