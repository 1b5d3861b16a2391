//! Public SSH keys as `authorized_keys` has them, without options (sshd(8)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The key types that Debian's sshd accepts by default.
pub const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Whether this is the half that nobody else may see.
pub fn is_private(text: &str) -> bool {
    text.contains("PRIVATE KEY")
}

/// What is wrong with a key, if anything.
pub fn fault(line: &str) -> Option<&'static str> {
    if is_private(line) {
        return Some("this is a private key");
    }
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return Some("not `type base64 comment`") };
    if kind == "ssh-dss" {
        return Some("DSA keys are no longer accepted by sshd");
    }
    if !TYPES.contains(&kind) {
        return Some("it does not start with a key type; options before it are not supported");
    }
    let Ok(bytes) = STANDARD.decode(blob) else { return Some("its second word is not base64") };
    let Some(fields) = fields(&bytes) else { return Some("it is cut short, or has too much") };
    match fields.split_first() {
        Some((name, rest)) if *name == kind.as_bytes() => content_fault(kind, rest),
        _ => Some("its content is a key of another type"),
    }
}

/// The blob's strings, each with its length before it (RFC 4251, 5); nothing unless they fill it exactly.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        found.push(field);
        bytes = rest;
    }
    Some(found)
}

/// Bits below which an RSA key is refused; sshd itself takes 1024.
const RSA_BITS: usize = 2048;

/// What is wrong with the fields after the type's name: RFC 4253 6.6 (RSA), RFC 5656 3.1 (ECDSA), RFC 8709 4 (Ed25519),
/// OpenSSH's PROTOCOL.u2f (`sk-`).
fn content_fault(kind: &str, fields: &[&[u8]]) -> Option<&'static str> {
    let point = |curve: &[u8]| match curve {
        b"nistp256" => 65,
        b"nistp384" => 97,
        _ => 133,
    };
    let whole = match (kind, fields) {
        ("ssh-rsa", [exponent, modulus]) => {
            let bits = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
            if !exponent.is_empty() && bits < RSA_BITS {
                return Some("an RSA key needs at least 2048 bits");
            }
            !exponent.is_empty()
        }
        ("ssh-ed25519", [key]) | ("sk-ssh-ed25519@openssh.com", [key, _]) => key.len() == 32,
        ("sk-ecdsa-sha2-nistp256@openssh.com", [curve, key, _]) => *curve == b"nistp256" && key.len() == 65,
        (ecdsa, [curve, key]) => ecdsa.as_bytes().ends_with(curve) && curve.len() == 8 && key.len() == point(curve),
        _ => false,
    };
    (!whole).then_some("its content is not that of such a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fields: &[&[u8]]) -> String {
        let mut blob = Vec::new();
        for field in fields {
            blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            blob.extend(*field);
        }
        STANDARD.encode(blob)
    }

    #[test]
    fn keys() {
        let good = key(&[b"ssh-ed25519", &[7; 32]]);
        let rsa = key(&[b"ssh-rsa", &[1, 0, 1], &[7; 257]]);
        let ecdsa = key(&[b"ecdsa-sha2-nistp256", b"nistp256", &[4; 65]]);
        for good in [
            format!("ssh-ed25519 {good} me@host"),
            format!("ssh-ed25519 {good}"),
            format!("ssh-rsa {rsa}"),
            format!("ecdsa-sha2-nistp256 {ecdsa}"),
        ] {
            assert_eq!(fault(&good), None, "{good}");
        }
        for bad in [
            String::new(),
            "ssh-ed25519".into(),
            good.clone(),
            format!("ssh-rsa {good}"),
            format!("command=\"x\" ssh-ed25519 {good}"),
            format!("ssh-dss {good}"),
            format!("ssh-ed25519 {}", key(&[b"ssh-ed25519", &[7; 3]])),
            format!("ssh-ed25519 {}", key(&[b"ssh-ed25519", &[7; 64]])),
            format!("ssh-ed25519 {}", key(&[b"ssh-ed25519", &[7; 32], b"more"])),
            format!("ssh-rsa {}", key(&[b"ssh-rsa", &[1, 0, 1], &[7; 64]])),
            format!("ssh-rsa {}", key(&[b"ssh-rsa", b"garbage"])),
            format!("ecdsa-sha2-nistp256 {}", key(&[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 97]])),
            "ssh-ed25519 AAAA".into(),
            "ssh-ed25519 %%%".into(),
            "-----BEGIN OPENSSH PRIVATE KEY-----".into(),
        ] {
            assert!(fault(&bad).is_some(), "{bad}");
        }
    }
}
