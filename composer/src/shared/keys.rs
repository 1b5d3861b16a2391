//! The keys that records are signed with, and those whose records are believed: OpenSSH's, as ssh-keygen makes them.

use std::io::Read;
use std::path::Path;

use ssh_key::{Algorithm, HashAlg, PrivateKey, PublicKey};

use crate::error::{Error, IoContext, Result};
use crate::regular;

/// Each key costs a question at the shared store for each layer.
const MOST: usize = 64;

/// A file of keys is not larger.
const LIMIT: u64 = 1 << 20;

/// Whose records are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust(Vec<PublicKey>);

impl Trust {
    /// Reads a file of public keys, one a line.
    pub fn read(path: &Path) -> Result<Self> {
        parse(&text(path)?).map(Trust).map_err(|fault| {
            Error::input(format!("{} cannot be read as a file of public keys", path.display()))
                .detail(fault)
                .help("give lines as in a file that ends in .pub; `ssh-keygen -t ed25519` makes a pair")
        })
    }

    pub fn signers(&self) -> &[PublicKey] {
        &self.0
    }
}

/// The key that records are signed with.
#[derive(Debug)]
pub struct SignKey(PrivateKey);

impl SignKey {
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |fault: String| {
            Error::input(format!("{} cannot be used to sign with", path.display()))
                .detail(fault)
                .help("give an Ed25519 key without a passphrase: `ssh-keygen -t ed25519 -N '' -f FILE`")
        };
        let key = PrivateKey::from_openssh(text(path)?).map_err(|e| wrong(e.to_string()))?;
        match key.algorithm() {
            _ if key.is_encrypted() => Err(wrong("it has a passphrase".to_owned())),
            Algorithm::Ed25519 => Ok(SignKey(key)),
            other => Err(wrong(format!("it is of the kind {other}"))),
        }
    }

    pub fn private(&self) -> &PrivateKey {
        &self.0
    }

    pub fn public(&self) -> &PublicKey {
        self.0.public_key()
    }
}

/// A key for people, as `ssh-keygen -l` has it.
pub fn shown(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    regular::open(path).at("open", path)?.take(LIMIT).read_to_string(&mut text).at("read", path)?;
    Ok(text)
}

fn parse(text: &str) -> Result<Vec<PublicKey>, String> {
    let mut keys: Vec<PublicKey> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = PublicKey::from_openssh(line).map_err(|e| format!("line {number}: {e}"))?;
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(format!("line {number}: a key of the kind {}, and only ssh-ed25519 is known", key.algorithm()));
        }
        if !keys.iter().any(|known| known.key_data() == key.key_data()) {
            keys.push(key);
        }
    }
    match keys.len() {
        0 => Err("it has no key".to_owned()),
        1..=MOST => Ok(keys),
        n => Err(format!("it has {n} keys, more than {MOST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti ci@team";

    #[test]
    fn lines_are_keys_comments_or_faults() {
        assert_eq!(parse(&format!("# ours\n\n{KEY}\n  {KEY}\n")).unwrap().len(), 1);
        assert_eq!(parse("# none\n").unwrap_err(), "it has no key");
        assert!(parse(&format!("{KEY}\nssh-ed25519 AAAA\n")).unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn files_that_are_no_keys_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, KEY).unwrap();
        assert_eq!(Trust::read(&path).unwrap().signers().len(), 1);
        let error = SignKey::read(&path).unwrap_err();
        assert!(error.help_text().unwrap().contains("ssh-keygen"), "{error:?}");
        std::fs::write(&path, "x").unwrap();
        assert!(Trust::read(&path).unwrap_err().help_text().unwrap().contains("ssh-keygen"));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Trust::read(&pipe).is_err() && SignKey::read(&pipe).is_err());
        assert_eq!(Trust::read(&folder.path().join("none")).unwrap_err().kind(), crate::Kind::Host);
    }
}
