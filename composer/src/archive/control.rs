//! Paragraphs of `Field: value` lines (deb822): control files, Release, apt's `.sources`.

/// One paragraph, its fields in the order written. Names compare without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paragraph(Vec<(String, String)>);

impl Paragraph {
    /// The value of a field: continuation lines are joined by newlines, without their leading blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn line(&mut self, line: &str) {
        if let Some(more) = line.strip_prefix([' ', '\t']) {
            if let Some((_, value)) = self.0.last_mut() {
                value.push('\n');
                value.push_str(more.trim_end());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.0.push((name.trim_end().to_owned(), value.trim().to_owned()));
        }
    }
}

/// Parses paragraphs separated by blank lines; comment lines start with `#`, and what is no field is passed over.
pub fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut all = Vec::new();
    let mut current = Paragraph::default();
    for line in text.lines() {
        if line.trim().is_empty() {
            all.push(std::mem::take(&mut current));
        } else if !line.starts_with('#') {
            current.line(line);
        }
    }
    all.push(current);
    all.retain(|p| !p.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_continuations_and_comments() {
        let text = "Package: a\nDescription: short\n long\n # not a comment\n# a comment\ndepends: b\n\n\nPackage: c\n";
        let all = paragraphs(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("description"), Some("short\nlong\n# not a comment"));
        assert_eq!(all[0].get("Depends"), Some("b"));
        assert_eq!(all[1].get("Package"), Some("c"));
    }

    proptest! {
        #[test]
        fn any_text_parses(text in ".{0,400}") {
            let _ = paragraphs(&text);
        }
    }
}
