//! `OpenPGP` certificates, and which of their keys may sign at a given time.
//!
//! rpgp checks signatures only; validity in time, revocation and the binding of subkeys are checked here
//! (RFC 9580 sections 5.2.3 and 10).

use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use crate::{Error, Result};

static DEBIAN: &[u8] = include_bytes!("../../../data/debian-archive-keyring.pgp");

/// The certificates that may sign an archive.
#[derive(Debug, Clone)]
pub struct Keyring(Vec<SignedPublicKey>);

impl Keyring {
    /// Debian's archive keys, which are part of this program.
    pub fn debian() -> Result<Self> {
        Self::read(DEBIAN).ok_or_else(|| Error::internal("the embedded archive keys cannot be read"))
    }

    /// A repository's own certificates: armoured text, or hexadecimal of the binary form.
    pub fn of(key: &str) -> Option<Self> {
        match hex::decode(key.trim()) {
            Ok(binary) => Self::read(&binary),
            Err(_) => Self::read(key.trim().as_bytes()),
        }
    }

    /// Whether the file holds a secret key, which must not enter an image.
    pub fn holds_secret(key: &str) -> bool {
        let bytes = hex::decode(key.trim()).unwrap_or_else(|_| key.trim().as_bytes().to_vec());
        SignedSecretKey::from_reader_many_buf(bytes.as_slice()).is_ok_and(|(mut keys, _)| keys.any(|key| key.is_ok()))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (keys, _) = SignedPublicKey::from_reader_many_buf(bytes).ok()?;
        let keys: Vec<_> = keys.filter_map(Result::ok).collect();
        if keys.is_empty() { None } else { Some(Keyring(keys)) }
    }

    /// The fingerprint of the certificate that made `signature` over `text`, if all is well at `now`.
    pub fn signer(&self, signature: &Signature, text: &[u8], now: u64) -> Option<String> {
        let kinds = [Some(SignatureType::Binary), Some(SignatureType::Text)];
        if !kinds.contains(&signature.typ()) || !sound(signature, now) {
            return None;
        }
        let certificate = self.0.iter().find(|c| signs(c, signature, text, now))?;
        Some(certificate.fingerprint().to_string().to_uppercase())
    }
}

fn signs(certificate: &SignedPublicKey, signature: &Signature, text: &[u8], now: u64) -> bool {
    let primary = &certificate.primary_key;
    let made_with = |key: &dyn Fn() -> bool, created: u64| time(signature) >= created && key();
    let by_primary = made_with(&|| signature.verify(primary, text).is_ok(), seconds(primary));
    if by_primary {
        return !revoked(certificate) && primary_valid(certificate, now) == Some(true);
    }
    let mut subkeys = certificate.public_subkeys.iter();
    let by = subkeys.find(|s| made_with(&|| signature.verify(&s.key, text).is_ok(), seconds(&s.key)));
    // A subkey counts only while its primary key does.
    by.is_some_and(|s| subkey_valid(certificate, s, now))
        && !revoked(certificate)
        && primary_valid(certificate, now).is_some()
}

/// Any revocation by the key itself ends it for us, whatever its reason and date.
fn revoked(certificate: &SignedPublicKey) -> bool {
    certificate.details.revocation_signatures.iter().any(|s| s.verify_key(&certificate.primary_key).is_ok())
}

/// `None` if the primary key is not valid at `now`, else whether it may sign data.
fn primary_valid(certificate: &SignedPublicKey, now: u64) -> Option<bool> {
    let key = &certificate.primary_key;
    let details = &certificate.details;
    let direct = details.direct_signatures.iter().filter(|s| sound(s, now) && s.verify_key(key).is_ok());
    let users = details.users.iter().flat_map(|user| user.signatures.iter().map(move |s| (s, user)));
    let users = users.filter(|(s, user)| {
        s.typ() != Some(SignatureType::CertRevocation)
            && sound(s, now)
            && s.verify_certification(key, Tag::UserId, &user.id).is_ok()
    });
    let newest = direct.chain(users.map(|(s, _)| s)).max_by_key(|s| time(s))?;
    (!expired(key, newest, now)).then(|| may_sign(newest, true))
}

fn subkey_valid(certificate: &SignedPublicKey, subkey: &SignedPublicSubKey, now: u64) -> bool {
    let primary = &certificate.primary_key;
    let (revocations, bindings): (Vec<_>, Vec<_>) =
        subkey.signatures.iter().partition(|s| s.typ() == Some(SignatureType::SubkeyRevocation));
    if revocations.iter().any(|s| s.verify_subkey_binding(primary, &subkey.key).is_ok()) {
        return false;
    }
    let valid = bindings.into_iter().filter(|s| sound(s, now) && s.verify_subkey_binding(primary, &subkey.key).is_ok());
    valid.max_by_key(|s| time(s)).is_some_and(|binding| {
        // Without the subkey's own word anybody could claim it (RFC 9580 5.2.1.9).
        let claimed = binding.embedded_signature();
        let agreed = claimed.is_some_and(|s| s.verify_primary_key_binding(&subkey.key, primary).is_ok());
        agreed && may_sign(binding, false) && !expired(&subkey.key, binding, now)
    })
}

fn may_sign(signature: &Signature, without_flags: bool) -> bool {
    let flags = signature.key_flags();
    flags.sign() || (without_flags && !flags.certify())
}

fn expired(key: &impl KeyDetails, signature: &Signature, now: u64) -> bool {
    let lifetime = signature.key_expiration_time().map_or(0, |d| u64::from(d.as_secs()));
    lifetime != 0 && seconds(key).saturating_add(lifetime) <= now
}

/// A strong hash, made in the past and not expired itself.
fn sound(signature: &Signature, now: u64) -> bool {
    let strong = [
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
        HashAlgorithm::Sha3_256,
        HashAlgorithm::Sha3_512,
    ];
    let lifetime = signature.signature_expiration_time().map_or(0, |d| u64::from(d.as_secs()));
    signature.hash_alg().is_some_and(|h| strong.contains(&h))
        && signature.created().is_some()
        && time(signature) <= now.saturating_add(super::release::SKEW)
        && (lifetime == 0 || time(signature).saturating_add(lifetime) > now)
}

fn time(signature: &Signature) -> u64 {
    signature.created().map_or(0, |t| u64::from(t.as_secs()))
}

fn seconds(key: &impl KeyDetails) -> u64 {
    u64::from(key.created_at().as_secs())
}
