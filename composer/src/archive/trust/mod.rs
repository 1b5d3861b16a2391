//! What an archive signed, and whether that is to be believed: nothing of an index is read before.

mod keyring;
mod release;
#[cfg(test)]
#[allow(clippy::missing_panics_doc)]
pub mod tests;

use pgp::composed::CleartextSignedMessage;

pub use keyring::Keyring;
pub use release::{Asked, Release};

/// Why an index is not believed: the rest of a sentence that starts with the mirror.
pub type Distrust = String;

/// The text that was signed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub text: String,
    /// Fingerprints of the primary keys, upper-case hexadecimal, in the order of the signatures.
    pub by: Vec<String>,
}

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// Checks an `InRelease` file against `keys` at the time `now` (seconds since 1970) and returns what was signed.
pub fn verify(inrelease: &[u8], keys: &Keyring, now: u64) -> Result<Signed, Distrust> {
    let text = std::str::from_utf8(inrelease).map_err(|_| "serves an index that is not text")?;
    framed(text)?;
    // The library's texts name its internals; ours say what matters.
    let (message, _) = CleartextSignedMessage::from_string(text)
        .map_err(|_| "serves an index whose signature cannot be read".to_owned())?;
    let signed = message.signed_text();
    let mut by: Vec<String> = Vec::new();
    for signature in message.signatures() {
        if let Some(fingerprint) = keys.signer(signature, signed.as_bytes(), now)
            && !by.contains(&fingerprint)
        {
            by.push(fingerprint);
        }
    }
    if by.is_empty() {
        return Err("serves an index that is not signed by a key of the archive".to_owned());
    }
    Ok(Signed { text: signed.replace("\r\n", "\n"), by })
}

/// Refuses anything before, between and after the signed text and its signature: what is not signed is not there.
fn framed(text: &str) -> Result<(), Distrust> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let places =
        |marker: &str| lines.iter().enumerate().filter(|(_, l)| **l == marker).map(|(n, _)| n).collect::<Vec<_>>();
    match (places(BEGIN).as_slice(), places(SIGNATURE).as_slice(), places(END).as_slice()) {
        ([], _, _) => Err("serves an index that is not signed".to_owned()),
        ([0], [_], [end]) if end + 1 == lines.len() => Ok(()),
        _ => Err("serves an index with text outside its signature".to_owned()),
    }
}
