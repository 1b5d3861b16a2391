//! Extended attributes as a layer has them, whoever builds it.
//!
//! In a user namespace an overlay marks folders that hide those below with `user.overlay.opaque`, and the kernel may tie
//! file capabilities to the namespace's root. A layer has neither: live-boot reads `trusted.overlay.opaque`, and the
//! capabilities are those that root's own build gives.

use std::ffi::OsString;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

const OPAQUE: &str = "trusted.overlay.opaque";
/// The mark as an overlay in a user namespace writes and reads it.
pub const OPAQUE_INSIDE: (&str, &[u8]) = ("user.overlay.opaque", b"y");

const CAPABILITY: &str = "security.capability";
/// capabilities(7), `struct vfs_ns_cap_data`: revision and flags, two pairs of sets, and in revision 3 a root user's id.
const REVISION: [u8; 2] = [2, 3];
const LENGTH: [usize; 2] = [20, 24];

/// The name under which an attribute goes into a layer; none for what is the overlay's own bookkeeping, or the host's.
pub fn written(name: &str) -> Option<String> {
    match name {
        OPAQUE | CAPABILITY => Some(name.into()),
        inside if inside == OPAQUE_INSIDE.0 => Some(OPAQUE.into()),
        other => (other.starts_with("user.") && !other.starts_with("user.overlay.")).then(|| other.into()),
    }
}

/// The value that goes with it: capabilities lose the user namespace that they are tied to.
pub fn value(name: &str, mut value: Vec<u8>) -> Vec<u8> {
    if name == CAPABILITY && value.len() == LENGTH[1] && value.get(3) == Some(&REVISION[1]) {
        value.truncate(LENGTH[0]);
        value[3] = REVISION[0];
    }
    value
}

/// The paths marked as opaque in what `unsquashfs -pf` writes, up to where the files' bytes begin.
pub fn opaque_folders(out: &mut impl BufRead) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    loop {
        // A name with a line break in it goes on in the next line.
        if !line.ends_with(b"\\\n") {
            line.clear();
        }
        if out.read_until(b'\n', &mut line)? == 0 || line.starts_with(b"# START OF DATA") {
            return Ok(found);
        }
        let end = format!(" x {OPAQUE}=y\n");
        found.extend(line.strip_suffix(end.as_bytes()).map(unescaped));
    }
}

/// A path of a pseudo file, where a backslash stands before what would end it.
fn unescaped(path: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.iter();
    while let Some(byte) = rest.next() {
        bytes.push(*if *byte == b'\\' { rest.next().unwrap_or(byte) } else { byte });
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlays_mark_becomes_the_one_that_live_boot_reads() {
        for name in ["user.overlay.opaque", "trusted.overlay.opaque"] {
            assert_eq!(written(name).as_deref(), Some("trusted.overlay.opaque"));
            assert_eq!(value(OPAQUE, b"y".to_vec()), b"y");
        }
        for name in ["user.overlay.origin", "trusted.overlay.impure", "security.selinux", "system.posix_acl_access"] {
            assert_eq!(written(name), None, "{name}");
        }
        assert_eq!(written("user.checksum").as_deref(), Some("user.checksum"));
    }

    #[test]
    fn capabilities_lose_their_user_namespace() {
        let sets = [1, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let plain = [&[1, 0, 0, 2][..], &sets].concat();
        let tied = [&[1, 0, 0, 3][..], &sets, &[0xe8, 3, 0, 0]].concat();
        assert_eq!(value(CAPABILITY, tied.clone()), plain);
        assert_eq!(value(CAPABILITY, plain.clone()), plain);
        assert_eq!(value("user.x", tied.clone()), tied);
    }

    #[test]
    fn opaque_folders_are_found_in_a_pseudo_file() {
        let text = "/ D 1 755 0 0\na\\ b D 1 755 0 0\na\\ b x trusted.overlay.opaque=y\nc/x x user.x=y\n\
                    new\\\nline x trusted.overlay.opaque=y\nq\\\\q x trusted.overlay.opaque=y\n#\n\
                    # START OF DATA - DO NOT MODIFY\n#\nz x trusted.overlay.opaque=y\n";
        let found = opaque_folders(&mut text.as_bytes()).unwrap();
        assert_eq!(found, ["a b", "new\nline", "q\\q"].map(PathBuf::from));
    }
}
