//! Password hashes in crypt(3)'s notation: the strong ones, well formed (crypt(5)).

/// Whether the text is a yescrypt, gost-yescrypt, bcrypt, SHA-512 or SHA-256 hash.
pub fn is_hash(text: &str) -> bool {
    let Some((kind, rest)) = text.strip_prefix('$').and_then(|rest| rest.split_once('$')) else { return false };
    let parts: Vec<&str> = rest.split('$').collect();
    match (kind, parts.as_slice()) {
        ("y" | "gy", [parameters, salt, hash]) => {
            is_yescrypt(parameters) && is_base64_of_bytes(salt) && salted(salt, 86) && is_digest(hash, 43)
        }
        ("6", [salt, hash]) => salted(salt, 16) && is_digest(hash, 86),
        ("5", [salt, hash]) => salted(salt, 16) && is_digest(hash, 43),
        ("6", [rounds, salt, hash]) => is_rounds(rounds) && salted(salt, 16) && is_digest(hash, 86),
        ("5", [rounds, salt, hash]) => is_rounds(rounds) && salted(salt, 16) && is_digest(hash, 43),
        ("2b", [cost, hash]) => {
            cost.len() == 2 && cost.parse::<u8>().is_ok_and(|cost| (8..=18).contains(&cost)) && is_digest(hash, 53)
        }
        _ => false,
    }
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}

fn is_digest(text: &str, length: usize) -> bool {
    text.len() == length && is_base64(text)
}

/// What `crypt_gensalt(3)` writes is `j75` (cost 1) to `jFT` (cost 11): flavour, memory, block size.
fn is_yescrypt(parameters: &str) -> bool {
    let mut chars = parameters.chars();
    chars.next() == Some('j')
        && chars.next().is_some_and(|memory| ('7'..='9').contains(&memory) || ('A'..='F').contains(&memory))
        && (1..=8).contains(&chars.as_str().len())
        && is_base64(chars.as_str())
}

/// Four characters hold three bytes; one character alone holds none.
fn is_base64_of_bytes(text: &str) -> bool {
    text.len() % 4 != 1
}

fn salted(salt: &str, most: usize) -> bool {
    (1..=most).contains(&salt.len()) && is_base64(salt)
}

fn is_rounds(text: &str) -> bool {
    let digits = text.strip_prefix("rounds=").filter(|digits| digits.starts_with(|c: char| ('1'..='9').contains(&c)));
    let rounds = digits.and_then(|digits| digits.parse::<u32>().ok());
    // From crypt(5)'s default to what still logs in within seconds.
    rounds.is_some_and(|rounds| (5000..=10_000_000).contains(&rounds))
}

#[cfg(test)]
mod tests {
    use super::is_hash;

    #[test]
    fn strong_and_well_formed() {
        let long = "a".repeat(86);
        let short = "b".repeat(43);
        for good in [
            format!("$y$j9T$saltsaltsalt${short}"),
            format!("$gy$j9T$saltsaltsalt${short}"),
            format!("$6$salt${long}"),
            format!("$6$rounds=5000$salt${long}"),
            format!("$5$salt${short}"),
            format!("$2b$12${}", "c".repeat(53)),
        ] {
            assert!(is_hash(&good), "{good}");
        }
        for bad in [
            String::new(),
            "hunter2".into(),
            "$6$salt$".into(),
            format!("$1$salt${}", "a".repeat(22)),
            format!("$6$${long}"),
            format!("$6$salt${long}x"),
            format!("$6$sa:lt${long}"),
            format!("$6$rounds=1$salt${long}"),
            format!("$2b$99${}", "c".repeat(53)),
            format!("$2b$04${}", "c".repeat(53)),
            format!("$6$rounds=+5000$salt${long}"),
            format!("$6$rounds=05000$salt${long}"),
            format!("$6$rounds=999999999$salt${long}"),
            format!("$y$zzzzzzzzzzz$saltsaltsalt${short}"),
            format!("$y$j9T$a${short}"),
            format!("$y$j9T$salt${short}\n"),
        ] {
            assert!(!is_hash(&bad), "{bad}");
        }
    }
}
