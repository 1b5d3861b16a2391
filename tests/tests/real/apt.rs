//! The smallest image, and the same packages installed by apt.

use borg_tests::apt::{self, Set};
use borg_tests::real::bench;

const MINIMAL: Set = Set { name: "minimal", profile: "kernel: { flavour: cloud }\nfirmware: none\n", commands: &[] };

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_minimal_system_is_what_apt_makes() {
    apt::compare(&bench(), &MINIMAL);
}
