//! Glob patterns over relative paths, read as the reference server's minimatch reads them.

use std::path::Path;

use globset::{Candidate, GlobBuilder, GlobMatcher};

use crate::fault::Fault;

#[derive(Debug)]
pub struct Glob {
    matcher: Option<GlobMatcher>,
    negated: bool,
}

impl Glob {
    /// `*` stays within a component, `**` does not; `{a,b}`; a leading `!` negates, a leading `#` matches nothing.
    pub fn new(pattern: &str) -> Result<Self, Fault> {
        let bare = pattern.trim_start_matches('!');
        let negated = (pattern.len() - bare.len()) % 2 == 1;
        if pattern.starts_with('#') {
            return Ok(Glob { matcher: None, negated: false });
        }
        if let Some(extended) = ["@(", "+(", "*(", "?(", "!("].iter().find(|e| pattern.contains(*e)) {
            return Err(Fault::new(format!(
                "pattern {pattern}: groups such as {extended}…) are not known, use {{a,b}}"
            )));
        }
        let glob = GlobBuilder::new(bare).literal_separator(true).allow_unclosed_class(true).build();
        let matcher = glob.map_err(|e| Fault::new(format!("pattern {pattern}: {}", e.kind())))?.compile_matcher();
        Ok(Glob { matcher: Some(matcher), negated })
    }

    pub fn matches(&self, path: &Path) -> bool {
        self.matches_candidate(&Candidate::new(path))
    }

    fn matches_candidate(&self, path: &Candidate<'_>) -> bool {
        let Some(matcher) = &self.matcher else { return false };
        matcher.is_match_candidate(path) != self.negated
    }
}

/// Several patterns, of which one must match.
#[derive(Debug)]
pub struct Globs(Vec<Glob>);

impl Globs {
    pub fn new(patterns: &[String]) -> Result<Self, Fault> {
        Ok(Globs(patterns.iter().map(|p| Glob::new(p)).collect::<Result<_, _>>()?))
    }

    /// As `directory_tree` reads them: what has no `*` matches a name at any depth too.
    pub fn at_any_depth(patterns: &[String]) -> Result<Self, Fault> {
        let mut globs = Vec::new();
        for pattern in patterns {
            globs.push(Glob::new(pattern)?);
            if !pattern.contains('*') {
                globs.push(Glob::new(&format!("**/{pattern}"))?);
                globs.push(Glob::new(&format!("**/{pattern}/**"))?);
            }
        }
        Ok(Globs(globs))
    }

    pub fn match_any(&self, path: &Path) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let path = Candidate::new(path);
        self.0.iter().any(|glob| glob.matches_candidate(&path))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_match(pattern: &str, path: &str) -> bool {
        Glob::new(pattern).unwrap().matches(Path::new(path))
    }

    #[test]
    fn patterns_are_read_as_minimatch_reads_them() {
        for (pattern, yes, no) in [
            ("*.rs", "a.rs", "a/b.rs"),
            ("**/*.rs", "a.rs", "a.c"),
            ("**/*.rs", "a/b/.c.rs", "a/b"),
            ("a/**", "a/b/c", "a"),
            ("*.{rs,toml}", "x.toml", "x.c"),
            ("?", "a", "ab"),
            ("[ab]", "a", "c"),
            ("!*.rs", "a.c", "a.rs"),
            ("!!*.rs", "a.rs", "a.c"),
            ("*", ".hidden", "a/b"),
        ] {
            assert!(is_match(pattern, yes) && !is_match(pattern, no), "{pattern}");
        }
        assert!(!is_match("#a", "#a"));
        assert!(Glob::new("+(a|b)").unwrap_err().to_string().contains("use {a,b}"));
        assert!(Glob::new("{a").unwrap_err().to_string().starts_with("pattern {a: "));
    }

    #[test]
    fn a_plain_exclusion_holds_at_any_depth() {
        let globs = Globs::at_any_depth(&["target".into()]).unwrap();
        for path in ["target", "a/target", "a/target/b"] {
            assert!(globs.match_any(Path::new(path)), "{path}");
        }
        assert!(!globs.match_any(Path::new("targets")));
    }

    proptest! {
        #[test]
        fn no_pattern_breaks_it(pattern in ".{0,60}", path in ".{0,20}") {
            let _ = Glob::new(&pattern).map(|glob| glob.matches(Path::new(&path)));
        }
    }
}
