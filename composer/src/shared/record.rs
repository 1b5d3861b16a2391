//! Signed records: whoever made a layer says which key it made to which bytes.
//!
//! The signature is OpenSSH's (`ssh-keygen -Y sign -n borg-compose-record`), over a text that holds the kind and the key: a
//! record that is moved to another key's place says so itself.

use serde::{Deserialize, Serialize};
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::Digest;

/// What a signature is for: one that the same key made for something else is not taken.
const NAMESPACE: &str = "borg-compose-record";

/// A signed record is a few hundred bytes.
pub const LIMIT: u64 = 16 << 10;

/// That `key` of `kind` came out as the object `record`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// `base`, `packages` or `initrd`.
    pub kind: String,
    pub key: Digest,
    /// The digest of the layer's record, which names the bytes and what must be known of them.
    pub record: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    kind: String,
    key: Digest,
    record: Digest,
    signature: String,
}

impl Statement {
    /// The text that is signed.
    fn text(&self) -> String {
        format!("borg-compose record 1\nkind {}\nkey {}\nrecord {}\n", self.kind, self.key, self.record)
    }

    /// Signs and writes it.
    pub fn sign(&self, with: &PrivateKey) -> Result<Vec<u8>, ssh_key::Error> {
        let signature = with.sign(NAMESPACE, HashAlg::Sha512, self.text().as_bytes())?.to_pem(LineEnding::LF)?;
        let Statement { kind, key, record } = self.clone();
        let signed = Signed { kind, key, record, signature };
        let mut json = serde_json::to_vec_pretty(&signed).map_err(|_| ssh_key::Error::FormatEncoding)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// The record object that `signer` vouches for in `bytes`, if they are about this kind and key; else what is wrong.
pub fn read(bytes: &[u8], kind: &str, key: &Digest, signer: &PublicKey) -> Result<Digest, &'static str> {
    let signed: Signed = serde_json::from_slice(bytes).map_err(|_| "it cannot be read")?;
    let statement = Statement { kind: signed.kind, key: signed.key, record: signed.record };
    if statement.kind != kind || statement.key != *key {
        return Err("it is about another layer");
    }
    let signature = SshSig::from_pem(&signed.signature).map_err(|_| "its signature cannot be read")?;
    signer
        .verify(NAMESPACE, statement.text().as_bytes(), &signature)
        .map_err(|_| "its signature is not that of the key it is named after")?;
    Ok(statement.record)
}

/// Where a signer's record of a key lies.
pub fn path(key: &Digest, signer: &PublicKey) -> String {
    format!("records/{key}/{}.json", hex::encode(signer.fingerprint(HashAlg::Sha256).as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ssh_key::private::Ed25519Keypair;

    use super::*;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    fn statement() -> Statement {
        Statement { kind: "base".into(), key: Digest::of("key"), record: Digest::of("record") }
    }

    #[test]
    fn what_is_signed_is_believed() {
        let bytes = statement().sign(&key(1)).unwrap();
        assert_eq!(read(&bytes, "base", &Digest::of("key"), key(1).public_key()), Ok(Digest::of("record")));
        assert_eq!(statement().sign(&key(1)).unwrap(), bytes, "the same bytes each time");
        assert!((bytes.len() as u64) < LIMIT);
    }

    #[test]
    fn a_record_in_anothers_place_is_not() {
        let bytes = statement().sign(&key(1)).unwrap();
        let other = "it is about another layer";
        assert_eq!(read(&bytes, "packages", &Digest::of("key"), key(1).public_key()), Err(other));
        assert_eq!(read(&bytes, "base", &Digest::of("other"), key(1).public_key()), Err(other));
    }

    #[test]
    fn nor_one_of_another_key_purpose_or_text() {
        let wrong = Err("its signature is not that of the key it is named after");
        let about = |bytes: &[u8]| read(bytes, "base", &Digest::of("key"), key(1).public_key());
        assert_eq!(about(&statement().sign(&key(2)).unwrap()), wrong);
        let text = String::from_utf8(statement().sign(&key(1)).unwrap()).unwrap();
        let altered = text.replace(&Digest::of("record").to_string(), &Digest::of("evil").to_string());
        assert_eq!(about(altered.as_bytes()), wrong);
        let elsewhere = key(1).sign("file", HashAlg::Sha512, statement().text().as_bytes()).unwrap();
        let signature = elsewhere.to_pem(LineEnding::LF).unwrap();
        let old = serde_json::from_str::<serde_json::Value>(&text).unwrap()["signature"].to_string();
        let moved = text.replace(&old, &serde_json::to_string(&signature).unwrap()).into_bytes();
        assert_eq!(about(&moved), wrong);
        let cut = text.replace("BEGIN", "BEGUN");
        assert_eq!(about(cut.as_bytes()), Err("its signature cannot be read"));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read(&bytes, "base", &Digest::of("key"), key(1).public_key()).is_err());
        }

        #[test]
        fn a_record_with_any_byte_changed_says_the_same_or_is_refused(place in 0_usize..500, byte in any::<u8>()) {
            let mut bytes = statement().sign(&key(1)).unwrap();
            let place = place % bytes.len();
            bytes[place] = byte;
            let found = read(&bytes, "base", &Digest::of("key"), key(1).public_key());
            prop_assert!(found.is_err() || found == Ok(Digest::of("record")));
        }
    }
}
