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

/// What is wrong with a key, if anything.
pub fn fault(line: &str) -> Option<&'static str> {
    if line.contains("PRIVATE KEY") {
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
    // RFC 4253, 6.6: the blob starts with the type's name, its length first.
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Some("it is cut short") };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    match rest.split_at_checked(length) {
        Some((name, key)) if name == kind.as_bytes() && key.len() >= 32 => None,
        Some((name, _)) if name != kind.as_bytes() => Some("its content is a key of another type"),
        _ => Some("it is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, length: usize) -> String {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend(kind.as_bytes());
        blob.extend(vec![7; length]);
        STANDARD.encode(blob)
    }

    #[test]
    fn keys() {
        let good = key("ssh-ed25519", 36);
        assert_eq!(fault(&format!("ssh-ed25519 {good} me@host")), None);
        assert_eq!(fault(&format!("ssh-ed25519 {good}")), None);
        for bad in [
            String::new(),
            "ssh-ed25519".into(),
            good.clone(),
            format!("ssh-rsa {good}"),
            format!("command=\"x\" ssh-ed25519 {good}"),
            format!("ssh-dss {good}"),
            format!("ssh-ed25519 {}", key("ssh-ed25519", 3)),
            "ssh-ed25519 AAAA".into(),
            "ssh-ed25519 %%%".into(),
            "-----BEGIN OPENSSH PRIVATE KEY-----".into(),
        ] {
            assert!(fault(&bad).is_some(), "{bad}");
        }
    }
}
