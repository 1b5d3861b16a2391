//! Relations between packages: `a | b (>= 1.2), c:any`.

use std::cmp::Ordering;
use std::fmt;

use super::version;

/// How a version must stand to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Earlier,
    EarlierEqual,
    Equal,
    LaterEqual,
    Later,
}

/// A package name, and what its version must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relation<'a> {
    pub name: &'a str,
    pub version: Option<(Operator, &'a str)>,
}

impl Operator {
    fn parse(text: &str) -> Option<(Self, &str)> {
        // `<` and `>` alone are old spellings of `<=` and `>=` (Policy 7.1).
        let all = [
            ("<<", Self::Earlier),
            ("<=", Self::EarlierEqual),
            (">>", Self::Later),
            (">=", Self::LaterEqual),
            ("=", Self::Equal),
            ("<", Self::EarlierEqual),
            (">", Self::LaterEqual),
        ];
        all.into_iter().find_map(|(sign, op)| Some((op, text.strip_prefix(sign)?)))
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierEqual => "<=",
            Self::Equal => "=",
            Self::LaterEqual => ">=",
            Self::Later => ">>",
        }
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

impl<'a> Relation<'a> {
    /// Parses one alternative; `None` for what is no relation or is meant for another architecture.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (name, rest) = text.split_at(text.find([' ', '(', '[', '<']).unwrap_or(text.len()));
        let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
        if name.is_empty() || !matches!(architecture, "any" | "native" | "amd64" | "all") {
            return None;
        }
        let version = match rest.trim_start().strip_prefix('(') {
            None => None,
            Some(rest) => {
                let (op, version) = Operator::parse(rest.split_once(')')?.0.trim())?;
                Some((op, version.trim()))
            }
        };
        Some(Relation { name, version })
    }

    /// Whether a package of this name satisfies the relation with `version`.
    pub fn accepts(&self, candidate: &str) -> bool {
        self.version.is_none_or(|(op, wanted)| op.accepts(version::compare(candidate, wanted)))
    }

    /// Whether a `Provides` with this version satisfies the relation: an unversioned one only unversioned relations.
    pub fn accepts_provided(&self, provided: Option<&str>) -> bool {
        match (self.version, provided) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(version)) => self.accepts(version),
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match self.version {
            Some((op, version)) => write!(f, " ({} {version})", op.sign()),
            None => Ok(()),
        }
    }
}

/// The groups of a Depends field, each a list of alternatives; alternatives that cannot be met here are left out.
pub fn groups(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    field
        .split(',')
        .filter(|group| !group.trim().is_empty())
        .map(|group| group.split('|').filter_map(Relation::parse).collect())
}

/// The relations of a Conflicts, Breaks or Provides field.
pub fn list(field: &str) -> impl Iterator<Item = Relation<'_>> {
    field.split(',').filter_map(Relation::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn alternatives_versions_and_architectures() {
        let all: Vec<_> = groups("a | b (>= 1.2), c:any (<< 2),\n d:i386, e(=1)").collect();
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].len(), 2);
        assert!(all[0][1].accepts("1.2") && !all[0][1].accepts("1.2~"));
        assert!(all[1][0].accepts("1.9") && all[1][0].name == "c");
        assert!(all[2].is_empty(), "another architecture's package cannot be had");
        assert_eq!(all[3][0].to_string(), "e (= 1)");
    }

    #[test]
    fn unversioned_provides_satisfy_unversioned_relations_only() {
        let [plain, versioned] = [list("mta").next().unwrap(), list("mta (>= 2)").next().unwrap()];
        assert!(plain.accepts_provided(None) && !versioned.accepts_provided(None));
        assert!(versioned.accepts_provided(Some("2.1")) && !versioned.accepts_provided(Some("1")));
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "\\PC{0,60}") {
            let _ = groups(&text).count() + list(&text).count();
        }
    }
}
