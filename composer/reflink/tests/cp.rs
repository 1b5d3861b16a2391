//! The kernel's side of it, with a real `cp` on a tmpfs. Filters need root, as a worker is in its own namespace.

#![allow(clippy::unwrap_used, clippy::disallowed_types, clippy::disallowed_methods, reason = "test code")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

/// Has no clones.
const TMPFS: &str = "/dev/shm";

struct Place(tempfile::TempDir);

impl Place {
    /// With a file `from` of some content; none where nobody may have filters.
    fn new() -> Option<Self> {
        let place = Place(tempfile::tempdir_in(TMPFS).unwrap());
        fs::write(place.path("from"), content()).unwrap();
        fs::set_permissions(place.path("from"), Permissions::from_mode(0o644)).unwrap();
        rustix::process::geteuid().is_root().then_some(place)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// `cp` that does not go on by itself when there are no clones.
    fn cp(&self, to: &str) -> Output {
        self.run(&["cp", "--reflink=always", "from", to])
    }

    fn run(&self, argv: &[&str]) -> Output {
        Command::new(argv[0]).args(&argv[1..]).current_dir(self.0.path()).output().unwrap()
    }
}

fn content() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn is_copy(path: &Path) -> bool {
    fs::read(path).unwrap() == content()
}

#[test]
fn a_clone_is_a_copy_where_there_are_no_clones() {
    let Some(place) = Place::new() else { return };
    assert!(!place.cp("to").status.success());
    let said = borg_reflink::with(|| place.cp("to"));
    assert!(said.status.success(), "{said:?}");
    assert!(is_copy(&place.path("to")));
    // It was for those processes only.
    fs::remove_file(place.path("to")).unwrap();
    assert!(!place.cp("to").status.success());
}

#[test]
fn many_at_once_are_all_answered() {
    let Some(place) = Place::new() else { return };
    let script = "for i in $(seq 40); do (cp --reflink=always from $i || echo $i) & done; wait";
    let said = borg_reflink::with(|| place.run(&["sh", "-c", script]));
    assert_eq!((said.status.success(), String::from_utf8_lossy(&said.stdout).as_ref()), (true, ""), "{said:?}");
    assert!((1..=40).all(|i| is_copy(&place.path(&i.to_string()))));
}

#[test]
fn attributes_that_programs_treat_differently_are_left_to_the_kernel() {
    let Some(place) = Place::new() else { return };
    let from = place.path("from");
    for mode in [0o664, 0o646, 0o4755, 0o2755, 0o1644] {
        fs::set_permissions(&from, Permissions::from_mode(mode)).unwrap();
        assert!(!borg_reflink::with(|| place.cp("to")).status.success(), "{mode:o}");
    }
    fs::set_permissions(&from, Permissions::from_mode(0o755)).unwrap();
    assert!(borg_reflink::with(|| place.cp("to")).status.success());
    chown(&from, Some(1), None).unwrap();
    assert!(!borg_reflink::with(|| place.cp("to")).status.success());
}

/// Calls the kernel as Python opens files: `r+b` for writing, `rb` for reading only.
fn clone_opened(place: &Place, mode: &str) -> Output {
    let script = format!(
        "import fcntl\nfrom_, to = open('from', 'rb'), open('to', '{mode}')\nfcntl.ioctl(to, 0x40049409, from_.fileno())"
    );
    borg_reflink::with(|| place.run(&["/usr/bin/python3", "-c", &script]))
}

#[test]
fn what_may_not_be_written_is_not_written() {
    let Some(place) = Place::new() else { return };
    let to = place.path("to");
    fs::write(&to, "").unwrap();
    let said = clone_opened(&place, "rb");
    assert!(!said.status.success() && fs::read(&to).unwrap().is_empty(), "{said:?}");
    let said = clone_opened(&place, "r+b");
    assert!(said.status.success() && is_copy(&to), "{said:?}");
}

#[test]
fn a_file_that_has_something_in_it_keeps_it() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("to"), "kept").unwrap();
    assert!(!clone_opened(&place, "r+b").status.success());
    assert_eq!(fs::read(place.path("to")).unwrap(), b"kept");
}

#[test]
fn a_thread_that_its_processs_number_does_not_name_is_left_to_the_kernel() {
    let Some(place) = Place::new() else { return };
    let (from, to) = (File::open(place.path("from")).unwrap(), File::create(place.path("to")).unwrap());
    assert!(borg_reflink::with(|| rustix::fs::ioctl_ficlone(&to, &from)).is_err());
}

#[test]
fn a_full_disk_is_the_programs_error() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(place.path("small")).unwrap();
    assert!(place.run(&["mount", "-t", "tmpfs", "-o", "size=64k", "small", "small"]).status.success());
    let said = borg_reflink::with(|| place.cp("small/to"));
    assert!(place.run(&["umount", "small"]).status.success());
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("No space left"), "{said:?}");
}

#[test]
fn a_panic_is_passed_on() {
    assert!(std::panic::catch_unwind(|| borg_reflink::with(|| panic!("it"))).is_err());
}
