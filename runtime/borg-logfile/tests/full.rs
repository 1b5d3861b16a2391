//! A disk that is full in the middle of a line. In a process of its own: the limit holds for all of it.

use std::fs;
use std::sync::Arc;

use borg_logfile::LogFile;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signal_hook::consts::SIGXFSZ;

#[test]
fn a_line_that_does_not_fit_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    let mut file = LogFile::new(&path, 1000, 1);
    file.write("1111\n").unwrap();
    // The kernel writes up to the limit and refuses the rest, as it does on a full disk; the signal would end the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 8, hard).unwrap();
    file.write("222222\n").unwrap_err();
    let left = fs::read_to_string(&path).unwrap();
    file.write("333333\n").unwrap_err();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    file.write("4444\n").unwrap();
    assert_eq!((left.as_str(), fs::read_to_string(&path).unwrap().as_str()), ("1111\n", "1111\n4444\n"));
}
