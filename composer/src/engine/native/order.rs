//! In which order packages are unpacked, and which must be configured before others are (Debian Policy 7.2).
//!
//! All are unpacked and configured at once, which is fast, unless a preinst relies on packages of the same layer: those
//! come first then, with all that they depend on. Pre-Depends of packages without a preinst ask for nothing in a new root.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::archive::control::paragraphs;
use crate::archive::{deb, relation};
use crate::error::{Error, IoContext, Result};

/// What a package asks of others.
#[derive(Debug, Default)]
pub struct Needs {
    /// Its own name, and those that it provides.
    names: Vec<String>,
    /// Groups of alternatives that its preinst relies on.
    before: Vec<Vec<String>>,
    depends: Vec<Vec<String>>,
}

impl Needs {
    pub fn read(path: &Path) -> Result<Self> {
        let (mut text, mut has_preinst) = (String::new(), false);
        let file = File::open(path).at("open", path)?;
        deb::control_members(BufReader::new(file), |name, bytes| match name {
            "control" => text = String::from_utf8_lossy(bytes).into_owned(),
            "preinst" => has_preinst = true,
            _ => {}
        })
        .map_err(|e| Error::package(format!("cannot read the package {}", path.display())).because(&e))?;
        Ok(Self::of(&text, has_preinst))
    }

    fn of(control: &str, has_preinst: bool) -> Self {
        let control = paragraphs(control).into_iter().next().unwrap_or_default();
        let field = |name: &str| control.get(name).unwrap_or_default().to_owned();
        let groups = |name: &str| -> Vec<Vec<String>> {
            let field = field(name);
            relation::groups(&field).map(|group| group.iter().map(|r| r.name.to_owned()).collect()).collect()
        };
        let provided = field("Provides");
        let names = relation::list(&provided).map(|r| r.name.to_owned());
        let (pre_depends, depends) = (groups("Pre-Depends"), groups("Depends"));
        Needs {
            names: std::iter::once(field("Package")).chain(names).collect(),
            before: if has_preinst { pre_depends.clone() } else { Vec::new() },
            depends: depends.into_iter().chain(pre_depends).collect(),
        }
    }
}

/// The packages, by their place in `all`, in stages of which each is unpacked and configured before the next. Within a
/// stage they stand in the order of unpacking: as with apt, after what they depend on.
pub fn stages(all: &[Needs]) -> Vec<Vec<usize>> {
    let graph = Graph::new(all);
    let mut stages = Vec::new();
    let mut left: BTreeSet<usize> = (0..all.len()).collect();
    loop {
        let first = graph.must_precede(&left);
        // A circle of Pre-Depends has no right order.
        if first.is_empty() || first.len() == left.len() {
            break;
        }
        stages.push(graph.in_order(&(&left - &first)));
        left = first;
    }
    stages.push(graph.in_order(&left));
    stages.reverse();
    stages
}

struct Graph<'a> {
    all: &'a [Needs],
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn new(all: &'a [Needs]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, needs) in all.iter().enumerate() {
            needs.names.iter().for_each(|name| by_name.entry(name).or_default().push(place));
        }
        Graph { all, by_name }
    }

    /// The packages that may be meant.
    fn meant<'g>(&'g self, groups: &'g [Vec<String>]) -> impl Iterator<Item = usize> + 'g {
        groups.iter().flatten().filter_map(|name| self.by_name.get(name.as_str())).flatten().copied()
    }

    /// Those of `set` that a preinst of `set` relies on, and all that they depend on there.
    fn must_precede(&self, set: &BTreeSet<usize>) -> BTreeSet<usize> {
        let relied_on = set.iter().flat_map(|place| self.meant(&self.all[*place].before));
        let mut found = BTreeSet::new();
        for place in relied_on {
            self.visit(place, set, &mut found, &mut Vec::new());
        }
        found
    }

    fn in_order(&self, set: &BTreeSet<usize>) -> Vec<usize> {
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for place in set {
            self.visit(*place, set, &mut seen, &mut order);
        }
        order
    }

    /// Notes a package of `set`, after all that it depends on there.
    fn visit(&self, place: usize, set: &BTreeSet<usize>, seen: &mut BTreeSet<usize>, order: &mut Vec<usize>) {
        if !set.contains(&place) || !seen.insert(place) {
            return;
        }
        for needed in self.meant(&self.all[place].depends) {
            self.visit(needed, set, seen, order);
        }
        order.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(control: &str) -> Needs {
        Needs::of(control, true)
    }

    #[test]
    fn all_at_once_if_nothing_asks_for_more() {
        let all = [package("Package: a\nDepends: b\nPre-Depends: libc6\n"), package("Package: b\n")];
        assert_eq!(stages(&all), [[1, 0]]);
        let without_preinst = Needs::of("Package: gawk\nPre-Depends: libmpfr6\n", false);
        assert_eq!(stages(&[without_preinst, package("Package: libmpfr6\n")]), [[1, 0]]);
        assert_eq!(stages(&[]), [[0; 0]]);
    }

    #[test]
    fn what_a_preinst_relies_on_comes_first_with_all_that_it_needs() {
        let all = [
            package("Package: mariadb-server\nPre-Depends: procps (>= 2), mariadb-common\nDepends: perl\n"),
            package("Package: procps\nDepends: libproc2-0 | libproc\n"),
            package("Package: libproc2-1\nProvides: libproc (= 1)\n"),
            package("Package: perl\n"),
            package("Package: mariadb-common\nPre-Depends: ucf\n"),
            package("Package: ucf\n"),
        ];
        assert_eq!(stages(&all), [vec![5], vec![2, 1, 4], vec![3, 0]]);
    }

    #[test]
    fn a_circle_is_unpacked_at_once() {
        let all = [package("Package: a\nPre-Depends: b\n"), package("Package: b\nPre-Depends: a\n")];
        assert_eq!(stages(&all), [[1, 0]]);
    }
}
