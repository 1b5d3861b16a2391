//! In what the composer's tree may differ from apt's, and why. docs/sameness.md holds the same list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use borg_compose::engine::compare::tree::{Names, What};
use globset::GlobBuilder;

use super::forms::{self, Form};

/// A path and what may differ there.
#[derive(Debug)]
pub struct Exception {
    /// A glob; `*` stays within a folder.
    pub path: &'static str,
    pub may: May,
    pub why: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub enum May {
    /// Anything, presence included.
    Anything,
    /// The content alone.
    Content,
    Attributes,
    /// A folder's time.
    FolderTime,
    /// The content, but not what it says in this form.
    Rewrite(Form),
}

const fn exception(path: &'static str, may: May, why: &'static str) -> Exception {
    Exception { path, may, why }
}

/// Short on purpose: what is not here is a fault of the composer.
pub const EXCEPTIONS: [Exception; 13] = [
    exception("/**", May::FolderTime, "when something was last put there"),
    exception("/dev/**", May::Anything, "mmdebstrap makes device nodes; in the image the kernel does"),
    exception("/etc/fstab", May::Anything, "mmdebstrap writes one that says nothing"),
    exception("/etc/hostname", May::Anything, "mmdebstrap's host; the image's name is in the files layer"),
    exception("/etc/.resolv.conf.systemd-resolved.bak", May::Anything, "mmdebstrap's host"),
    exception("/etc/apt/sources.list", May::Anything, "the local archive; the image's sources are in the files layer"),
    exception(
        "/etc/{passwd,group,shadow,gshadow}",
        May::Rewrite(Form::Accounts),
        "packages are configured in another order",
    ),
    exception("/var/lib/apt/extended_states", May::Anything, "apt's marks; the image's packages are the profile's"),
    exception("/var/lib/dpkg/arch", May::Anything, "mmdebstrap writes down the native architecture, which dpkg knows"),
    exception("/var/lib/dpkg/available", May::Anything, "dselect's list, empty in the image"),
    exception("/var/lib/dpkg/triggers/File", May::Rewrite(Form::Lines), "packages are unpacked in another order"),
    exception(
        "/var/lib/postgresql/*/main/{global/pg_control,pg_stat/*,pg_wal/*}",
        May::Content,
        "a new database has a number made of the clock",
    ),
    exception(
        "/var/log/journal",
        May::Attributes,
        "an ACL, which squashfs cannot hold; systemd-tmpfiles sets it at boot",
    ),
];

impl May {
    pub fn words(self) -> &'static str {
        match self {
            May::Anything => "anything",
            May::Content => "content",
            May::Attributes => "attributes",
            May::FolderTime => "time of a folder",
            May::Rewrite(Form::Lines) => "order of lines",
            May::Rewrite(Form::Accounts) => "order of lines, numbers of accounts",
        }
    }
}

impl Exception {
    fn is_for(&self, path: &str) -> bool {
        let glob = GlobBuilder::new(self.path).literal_separator(true).build().unwrap();
        glob.compile_matcher().is_match(path)
    }
}

/// Both trees, to look into their files.
#[derive(Debug, Clone, Copy)]
pub struct Trees<'a> {
    pub apts: &'a Path,
    pub ours: &'a Path,
}

impl Trees<'_> {
    /// What of a path's differences no exception covers.
    pub fn uncovered(&self, path: &str, what: &[What]) -> Vec<What> {
        let rules: Vec<&Exception> = EXCEPTIONS.iter().filter(|rule| rule.is_for(path)).collect();
        what.iter().copied().filter(|what| !rules.iter().any(|rule| self.covers(rule.may, path, *what))).collect()
    }

    fn covers(&self, may: May, path: &str, what: What) -> bool {
        match may {
            May::Anything => true,
            May::Content => what == What::Content,
            May::Attributes => what == What::Attributes,
            May::FolderTime => what == What::Time && self.ours.join(path.trim_start_matches('/')).is_dir(),
            May::Rewrite(form) => what == What::Content && self.say_the_same(form, path),
        }
    }

    fn say_the_same(&self, form: Form, path: &str) -> bool {
        let read = |root: &Path, path: &str| {
            String::from_utf8_lossy(&fs::read(root.join(path.trim_start_matches('/'))).unwrap_or_default()).into_owned()
        };
        let groups = |root: &Path| -> BTreeMap<u32, String> { Names::of("", &read(root, "etc/group")).groups };
        let (a, b) = (read(self.apts, path), read(self.ours, path));
        forms::same(form, (&a, &groups(self.apts)), (&b, &groups(self.ours)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout;

    /// A row of the table in the documentation.
    fn row(rule: &Exception) -> String {
        format!("| `{}` | {} | {} |\n", rule.path, rule.may.words(), rule.why)
    }

    #[test]
    fn the_documentation_has_the_same_list() {
        let rows: String = EXCEPTIONS.iter().map(row).collect();
        let page = fs::read_to_string(checkout().join("docs/sameness.md")).unwrap();
        assert!(page.contains(&format!("|---|---|---|\n{rows}\n")), "docs/sameness.md is to have these rows:\n{rows}");
    }

    #[test]
    fn an_exception_covers_its_own_path_and_no_more_than_it_says() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for (folder, text) in folders.iter().zip(["a\nb\n", "b\na\n"]) {
            let triggers = folder.path().join("var/lib/dpkg/triggers");
            fs::create_dir_all(&triggers).unwrap();
            for name in ["File", "other"] {
                fs::write(triggers.join(name), text).unwrap();
            }
        }
        let trees = Trees { apts: folders[0].path(), ours: folders[1].path() };
        let (file, other) = ("/var/lib/dpkg/triggers/File", "/var/lib/dpkg/triggers/other");
        let both = [What::Content, What::Mode];
        assert_eq!(trees.uncovered(file, &both), [What::Mode]);
        assert_eq!(trees.uncovered(other, &both), both);
        assert_eq!(trees.uncovered(file, &[What::Missing]), [What::Missing]);
        fs::write(folders[1].path().join(&file[1..]), "a\n").unwrap();
        assert_eq!(trees.uncovered(file, &both), both);
        // A folder's time does not count, a file's does.
        assert_eq!(trees.uncovered("/var/lib/dpkg/triggers", &[What::Time]), []);
        assert_eq!(trees.uncovered(file, &[What::Time]), [What::Time]);
    }
}
