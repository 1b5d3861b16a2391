//! Names of what is nobody's business.

/// Parts of such names, without case and punctuation.
const PARTS: [&str; 13] = [
    "accesskey",
    "apikey",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "token",
];
/// So short that only a whole word counts.
const WORDS: [&str; 5] = ["auth", "pass", "pin", "psk", "pwd"];

/// Whether a key names a secret, however it is spelt: `api_key`, `apiKey`, `X-Api-Key`, `db_pass`, `userPin`.
pub fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|part| plain.contains(part)) || words(key).iter().any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a key, in lower case: split where there is no letter, and where the case says so.
fn words(key: &str) -> Vec<String> {
    let chars: Vec<char> = key.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let camel = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase) || chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if camel || !c.is_alphabetic() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphabetic(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in [
            "password",
            "DB_PASSWORD",
            "Api-Key",
            "apiKey",
            "X-Auth-Token",
            "PGPASSWORD",
            "privateKey",
            "pass",
            "db_pass",
            "dbPass",
            "DBPass",
            "db.pwd",
            "PIN",
            "userPin",
            "pin2",
            "sim-pin",
            "wifi_psk",
            "_auth",
            "cookies",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["path", "compass", "passage", "pinned", "spin", "author", "keyboard", "mapping", "", "_", "passes"]
        {
            assert!(!is_secret(key), "{key}");
        }
    }
}
