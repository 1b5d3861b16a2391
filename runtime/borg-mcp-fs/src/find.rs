//! Finding files by name, and folders as a tree.

use std::time::Instant;

use crate::answer::{ANSWER_LIMIT, Lines, too_large};
use crate::fault::Fault;
use crate::globs::{Glob, Globs};
use crate::paths::{name_text, path_text};
use crate::roots::Roots;
use crate::walk::{self, Kind, Seen, Step};

/// Whole paths below `path` whose rest matches `pattern` and none of `exclude`.
pub fn search(roots: &Roots, path: &str, pattern: &str, exclude: &[String], until: Instant) -> Result<String, Fault> {
    let wanted = Glob::new(pattern)?;
    let unwanted = Globs::new(exclude)?;
    let (folder, located) = roots.open_folder(path)?;
    let start = located.real(&folder);
    let mut lines = Lines::default();
    let whole = walk::visit(&folder, until, |seen| {
        let Seen::Entry { below, .. } = seen else { return Step::On };
        if unwanted.match_any(below) {
            return Step::Over;
        }
        if wanted.matches(below) && !lines.push(&[&path_text(&start.join(below))]) {
            return Step::Stop;
        }
        Step::On
    });
    let whole = whole.map_err(|e| Fault::io(path, &e))?;
    Ok(if whole && lines.is_empty() { "No matches found".into() } else { lines.finish(whole) })
}

/// Everything below `path` as JSON, indented by two spaces.
pub fn tree(roots: &Roots, path: &str, exclude: &[String], until: Instant) -> Result<String, Fault> {
    let unwanted = Globs::at_any_depth(exclude)?;
    let (folder, _) = roots.open_folder(path)?;
    let mut tree = Tree::default();
    tree.open();
    let whole = walk::visit(&folder, until, |seen| match seen {
        Seen::Left => {
            tree.close();
            Step::On
        }
        Seen::Entry { below, .. } if unwanted.match_any(below) => Step::Over,
        Seen::Entry { name, kind, .. } => {
            tree.entry(&name_text(name), kind == Kind::Folder);
            // Quotes and line feeds double when the text becomes JSON again.
            if tree.text.len() > ANSWER_LIMIT / 4 * 3 { Step::Stop } else { Step::On }
        }
    });
    if !whole.map_err(|e| Fault::io(path, &e))? {
        // Half a tree would be read as the whole.
        return Err(if tree.text.len() > ANSWER_LIMIT / 2 {
            too_large(tree.text.len())
        } else {
            Fault::new(format!("{path}: too much to walk through in time: ask for a folder below, or exclude some"))
        });
    }
    tree.close_list();
    Ok(tree.text)
}

/// JSON in the form of `JSON.stringify(…, null, 2)`, written as the walk goes.
#[derive(Default)]
struct Tree {
    text: String,
    /// Of every list that is open, whether it has an entry yet.
    lists: Vec<bool>,
}

const SPACES: &str = "                                ";

impl Tree {
    fn open(&mut self) {
        self.text.push('[');
        self.lists.push(false);
    }

    fn indent(&mut self, more: usize) {
        let depth = (self.lists.len() * 4).saturating_sub(2) + more;
        self.text.push('\n');
        let mut left = depth;
        while left > 0 {
            let part = SPACES.get(..left).unwrap_or(SPACES);
            self.text.push_str(part);
            left -= part.len();
        }
    }

    fn entry(&mut self, name: &str, folder: bool) {
        if let Some(has) = self.lists.last_mut() {
            if *has {
                self.text.push(',');
            }
            *has = true;
        }
        self.indent(0);
        self.text.push('{');
        self.indent(2);
        self.text.push_str("\"name\": \"");
        // A clean name has nothing else that JSON escapes.
        if name.contains(['"', '\\']) {
            self.text.push_str(&name.replace('\\', "\\\\").replace('"', "\\\""));
        } else {
            self.text.push_str(name);
        }
        self.text.push_str("\",");
        self.indent(2);
        if folder {
            self.text.push_str("\"type\": \"directory\",");
            self.indent(2);
            self.text.push_str("\"children\": ");
            self.open();
        } else {
            self.text.push_str("\"type\": \"file\"");
            self.indent(0);
            self.text.push('}');
        }
    }

    /// The end of a folder's list, and of the folder.
    fn close(&mut self) {
        self.close_list();
        self.indent(0);
        self.text.push('}');
    }

    fn close_list(&mut self) {
        let filled = self.lists.pop().unwrap_or_default();
        if filled {
            // The closing bracket stands where the key of its list does.
            self.indent(if self.lists.is_empty() { 0 } else { 2 });
        }
        self.text.push(']');
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
