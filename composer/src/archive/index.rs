//! Parses Packages files without copying: 60,000 packages are read for each resolve, and few of them used.

use crate::Digest;

/// The fields of one package that resolving needs; everything borrows from the index's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub architecture: &'a str,
    pub essential: bool,
    pub priority: &'a str,
    pub depends: &'a str,
    pub pre_depends: &'a str,
    pub conflicts: &'a str,
    pub breaks: &'a str,
    pub provides: &'a str,
    pub filename: &'a str,
    pub size: u64,
    /// KiB, as dpkg estimates it.
    pub installed_size: u64,
    pub sha256: &'a str,
    /// Which of the texts it came from.
    pub archive: usize,
}

impl<'a> Package<'a> {
    fn set(&mut self, name: &str, value: &'a str) {
        match name {
            "Package" => self.name = value,
            "Version" => self.version = value,
            "Architecture" => self.architecture = value,
            "Essential" => self.essential = value == "yes",
            "Priority" => self.priority = value,
            "Depends" => self.depends = value,
            "Pre-Depends" => self.pre_depends = value,
            "Conflicts" => self.conflicts = value,
            "Breaks" => self.breaks = value,
            "Provides" => self.provides = value,
            "Filename" => self.filename = value,
            "Size" => self.size = value.parse().unwrap_or(0),
            "Installed-Size" => self.installed_size = value.parse().unwrap_or(0),
            "SHA256" => self.sha256 = value,
            _ => {}
        }
    }

    /// Whether it can be installed on amd64 and fetched: names are plain, and the file lies below the archive.
    fn usable(&self) -> bool {
        matches!(self.architecture, "amd64" | "all")
            && is_name(self.name)
            && !self.version.is_empty()
            && is_below(self.filename)
            && self.digest().is_some()
    }

    pub fn digest(&self) -> Option<Digest> {
        self.sha256.parse().ok()
    }
}

/// Debian Policy 5.6.1, without its lower bound of two characters.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
}

/// A relative path that does not climb and has no control characters or query.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| !part.is_empty() && part != "..")
        && path.bytes().all(|c| c.is_ascii_graphic() && !b"?#\\\"'".contains(&c))
}

/// Appends the usable packages of an index's text to `packages`.
pub fn parse<'a>(text: &'a str, archive: usize, packages: &mut Vec<Package<'a>>) {
    let mut current = Package { archive, ..Package::default() };
    // The value of a folded field ends where the next field starts.
    let mut field: Option<(&'a str, usize)> = None;
    let mut start = 0;
    while start < text.len() {
        let end =
            memchr::memchr(b'\n', text.as_bytes().get(start..).unwrap_or_default()).map_or(text.len(), |n| start + n);
        let line = text.get(start..end).unwrap_or_default();
        if !line.starts_with([' ', '\t']) {
            if let Some((name, from)) = field.take() {
                current.set(name, text.get(from..start).unwrap_or_default().trim());
            }
            if line.is_empty() || line == "\r" {
                finish(&mut current, packages);
            } else if wanted(line)
                && let Some(colon) = memchr::memchr(b':', line.as_bytes())
            {
                field = line.get(..colon).map(|name| (name, start + colon + 1));
            }
        }
        start = end + 1;
    }
    if let Some((name, from)) = field {
        current.set(name, text.get(from..).unwrap_or_default().trim());
    }
    finish(&mut current, packages);
}

fn finish<'a>(current: &mut Package<'a>, packages: &mut Vec<Package<'a>>) {
    let package = std::mem::replace(current, Package { archive: current.archive, ..Package::default() });
    if package.usable() {
        packages.push(package);
    }
}

/// Most lines are of no interest: a look at the first letter settles nearly all.
fn wanted(line: &str) -> bool {
    matches!(line.as_bytes().first(), Some(b'P' | b'V' | b'A' | b'E' | b'D' | b'C' | b'B' | b'F' | b'S' | b'I'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parsed(text: &str) -> Vec<Package<'_>> {
        let mut packages = Vec::new();
        parse(text, 0, &mut packages);
        packages
    }

    fn entry(name: &str, filename: &str, more: &str) -> String {
        format!("Package: {name}\nVersion: 1\nArchitecture: all\nFilename: {filename}\nSHA256: {SHA}\n{more}\n")
    }

    #[test]
    fn fields_and_folded_values() {
        let text =
            entry("a", "pool/a.deb", "Depends: b,\n c\nDescription: x\nSize: 12\n") + &entry("c", "pool/c.deb", "");
        let packages = parsed(text.trim_end());
        assert_eq!(packages.len(), 2);
        assert_eq!((packages[0].depends, packages[0].size), ("b,\n c", 12));
        assert_eq!(packages[1].name, "c");
    }

    #[test]
    fn packages_that_lead_elsewhere_are_passed_over() {
        for path in ["/etc/passwd", "../x.deb", "pool/../../x", "pool//x", "pool/x y", "pool/x?y", ""] {
            assert_eq!(parsed(&entry("a", path, "")), [], "{path}");
        }
        assert_eq!(parsed(&entry("../a", "pool/a.deb", "")), []);
        assert_eq!(parsed(&entry("a", "pool/a.deb", "").replace("e3b0", "xyz0")), []);
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "((Package|Depends|Filename|SHA256)?:?[ \t\n]?\\PC{0,10}\r?\n?){0,12}") {
            let _ = parsed(&text);
        }
    }
}
