//! As in the service's unit: `openat2` is not to be had there, since systemd answers it with ENOSYS under `RestrictSUIDSGID=`.

use std::fs;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::content::{self, Query};
use crate::roots::{Roots, Wanted};
use crate::testing::{fault, root, soon, wanted};
use crate::{find, list, race_tests, read, write};

/// Takes `openat2` from this thread, as systemd does.
fn without_openat2() {
    let rules = [(437, vec![])].into_iter().collect();
    let refuse = SeccompAction::Errno(rustix::io::Errno::NOSYS.raw_os_error().unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into().unwrap());
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    let how = rustix::fs::ResolveFlags::BENEATH;
    let (flags, mode) = (rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    assert_eq!(rustix::fs::openat2(rustix::fs::CWD, ".", flags, mode, how).unwrap_err(), rustix::io::Errno::NOSYS);
}

fn query(pattern: &str) -> Query {
    let pattern = pattern.into();
    Query { pattern, literal: false, ignore_case: false, include: vec![], exclude: vec![], max: 9 }
}

#[test]
fn walks_see_everything() {
    let (_folder, roots) = root(|at| {
        fs::create_dir_all(at.join("sub/deep")).unwrap();
        for name in ["top.txt", "sub/in.txt", "sub/deep/in.txt"] {
            fs::write(at.join(name), "needle\n").unwrap();
        }
    });
    without_openat2();
    let tree = find::tree(&roots, ".", &[], soon()).unwrap();
    assert_eq!(tree.matches("in.txt").count(), 2, "{tree}");
    assert_eq!(find::search(&roots, ".", "**/*.txt", &[], soon()).unwrap().lines().count(), 3);
    assert_eq!(content::search(&roots, ".", &query("needle"), soon()).unwrap().lines().count(), 3);
    assert_eq!(list::names(&roots, "sub", soon()).unwrap().lines().count(), 2);
    assert_eq!(read::text(&roots, "sub/deep/in.txt", read::Part::Whole).unwrap(), "needle\n");
}

#[test]
fn a_limit_counts_what_lies_deep() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("sub/deep")).unwrap();
    fs::write(folder.path().join("sub/deep/large"), vec![0; 3000]).unwrap();
    let roots = Roots::open(&[Wanted { max: Some(1000), ..wanted(folder.path()) }], None).unwrap();
    without_openat2();
    assert!(fault(write::file(&roots, "new", "more", soon())).contains("0 are left"));
}

#[test]
fn no_byte_comes_from_outside() {
    without_openat2();
    race_tests::no_byte_comes_from_outside_and_none_goes_there();
}
