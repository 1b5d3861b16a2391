//! "Did you mean": the nearest of the words there are.

/// The candidate nearest to `word`, if one is near enough to be meant.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // Distance costs the product of both lengths, and no name is that long.
    if word.len() > 100 {
        return None;
    }
    let scored = candidates.into_iter().map(|candidate| {
        let similarity = strsim::normalized_damerau_levenshtein(&lower, &candidate.to_lowercase());
        (similarity.max(prefix_bonus(&lower, candidate)), candidate)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

/// `host` means `hostname` and `pasword` means `password_hash`; `keymap` does not mean `key`.
fn prefix_bonus(word: &str, candidate: &str) -> f64 {
    let first = candidate.split_once('_').map(|(first, _)| first);
    let begins = candidate.starts_with(word)
        || first.is_some_and(|first| strsim::normalized_damerau_levenshtein(word, first) >= 0.8);
    if word.len() < 3 || word.len() > candidate.len() || !begins {
        return 0.0;
    }
    let rest = u32::try_from(candidate.len() - word.len()).unwrap_or(u32::MAX);
    0.6 + 0.3 / f64::from(rest.saturating_add(1))
}

/// The help that names the nearest candidate, or all of them if they are few.
pub fn help<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(close) = closest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{close}`?"));
    }
    let few = !candidates.is_empty() && candidates.len() <= 30;
    few.then(|| format!("there is: {}", candidates.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let keys = ["hostname", "services", "packages"];
        assert_eq!(closest("hostnam", keys), Some("hostname"));
        assert_eq!(closest("host", keys), Some("hostname"));
        assert_eq!(closest("Packages", keys), Some("packages"));
        assert_eq!(closest("zzz", keys), None);
        assert_eq!(closest("password", ["password_hash_file", "password_hash"]), Some("password_hash"));
        assert_eq!(closest("pasword", ["password_hash_file", "password_hash"]), Some("password_hash"));
    }
}
