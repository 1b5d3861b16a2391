//! Where a folder lies in its file system, whatever it is mounted as.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

const FILE: &str = "/proc/self/mountinfo";

/// What is mounted, the later above the earlier.
#[derive(Debug)]
pub struct Mounts(Vec<Mount>);

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// `major:minor`.
    device: Vec<u8>,
    /// Which folder of the file system is seen.
    root: PathBuf,
    /// And where.
    at: PathBuf,
}

impl Mounts {
    pub fn here() -> io::Result<Self> {
        let text = std::fs::read(FILE).map_err(|e| io::Error::new(e.kind(), format!("{FILE}: {e}")))?;
        Ok(Mounts(text.split(|b| *b == b'\n').filter_map(Mount::parse).collect()))
    }

    /// Whether the folder `path` is `other` or lies in it, seen through another mount.
    pub fn is_below(&self, path: &Path, other: &Path) -> bool {
        let (Some(path), Some(other)) = (self.place(path), self.place(other)) else { return false };
        path.0 == other.0 && path.1.starts_with(other.1)
    }

    /// The device of an absolute path, and the path in its file system.
    fn place(&self, path: &Path) -> Option<(&[u8], PathBuf)> {
        let at = |mount: &&Mount| path.starts_with(&mount.at);
        // Of equal ones the last covers the others.
        let mount = self.0.iter().filter(at).max_by_key(|mount| mount.at.components().count())?;
        Some((&mount.device, mount.root.join(path.strip_prefix(&mount.at).ok()?)))
    }
}

impl Mount {
    /// A line of `mountinfo`, of proc(5).
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|b| *b == b' ').skip(2);
        let mut path = || Some(PathBuf::from(OsString::from_vec(unescaped(fields.next()?))));
        let device = path()?.as_os_str().as_bytes().to_vec();
        Some(Mount { device, root: path()?, at: path()? })
    }
}

/// Spaces and the like stand as `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let octal = after.first_chunk::<3>().filter(|_| *byte == b'\\');
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = after.get(if code.is_some() { 3 } else { 0 }..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mounts(text: &str) -> Mounts {
        Mounts(text.lines().filter_map(|line| Mount::parse(line.as_bytes())).collect())
    }

    #[test]
    fn a_folder_is_known_under_every_name() {
        let mounts = mounts(
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
             23 22 8:1 /etc/cron.d /srv/plain\\040data rw - ext4 /dev/sda1 rw\n\
             24 22 8:2 / /data rw - ext4 /dev/sda2 rw\n\
             25 22 8:1 /srv/x /usr rw - ext4 /dev/sda1 rw\n",
        );
        let below = |path: &str, other: &str| mounts.is_below(Path::new(path), Path::new(other));
        assert!(below("/srv/plain data", "/etc") && below("/srv/plain data/x", "/etc/cron.d"));
        assert!(below("/srv/x/y", "/usr"));
        assert!(!below("/srv/plain", "/etc") && !below("/data/etc", "/etc") && !below("/srv/y", "/usr"));
    }

    #[test]
    fn this_machine_has_a_root() {
        let mounts = Mounts::here().unwrap();
        assert!(mounts.is_below(Path::new("/etc/x"), Path::new("/etc")));
    }

    proptest! {
        #[test]
        fn no_line_breaks_it(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Mount::parse(&line);
        }

        #[test]
        fn what_the_kernel_escapes_is_read_back(name in prop::collection::vec(1_u8.., 0..20)) {
            let escaped: Vec<u8> = name.iter().flat_map(|b| match b {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{b:03o}").into_bytes(),
                other => vec![*other],
            }).collect();
            prop_assert_eq!(unescaped(&escaped), name);
        }
    }
}
