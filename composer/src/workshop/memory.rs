//! How much memory a build may take: what the machine has to spare, and what the control groups that this process is in
//! leave of their limits. A container or a CI job has less than the machine.

#![allow(clippy::disallowed_methods, reason = "an edge: reads what the kernel says")]

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that are available without swapping.
pub fn available() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemAvailable:")).unwrap_or(0);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups_of(&groups).iter().flat_map(Group::left).fold(machine, u64::min)
}

/// A control group that bounds memory, and the group at the top of its hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    top: PathBuf,
    folder: PathBuf,
    files: &'static Files,
}

/// The names of the kernel's files: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    /// Where the kernel kills, and where it slows down.
    limits: &'static [&'static str],
    usage: &'static str,
    /// Lines of `memory.stat` with what the kernel gives back when it must.
    cache: [&'static str; 2],
}

const SECOND: Files =
    Files { limits: &["memory.max", "memory.high"], usage: "memory.current", cache: ["active_file", "inactive_file"] };
const FIRST: Files = Files {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    cache: ["total_active_file", "total_inactive_file"],
};

/// From the text of `/proc/self/cgroup`: lines of `number:controllers:path`.
fn groups_of(text: &str) -> Vec<Group> {
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (top, files) = match controllers {
            "" => ("/sys/fs/cgroup", &SECOND),
            other if other.split(',').any(|name| name == "memory") => ("/sys/fs/cgroup/memory", &FIRST),
            _ => return None,
        };
        let top = PathBuf::from(top);
        Some(Group { folder: top.join(path.trim_start_matches('/')), top, files })
    };
    text.lines().filter_map(group).collect()
}

impl Group {
    /// What each group from here up leaves. In a container the path may be the host's: what is not there says nothing.
    fn left(&self) -> Vec<u64> {
        let within = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        within.filter_map(|folder| self.files.left(folder)).collect()
    }
}

impl Files {
    fn left(&self, folder: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let (limit, usage) = (self.limits.iter().filter_map(|name| number(name)).min()?, number(self.usage)?);
        let stat = read("memory.stat").unwrap_or_default();
        let cache: u64 = self.cache.iter().filter_map(|name| field(&stat, name)).sum();
        Some(limit.saturating_sub(usage.saturating_sub(cache)))
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '\t'])))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_groups_are_found() {
        let text = "5:cpu:/\n4:memory:/user/one\n1:name=systemd:/\n0::/user.slice/a:b\nrubbish\n";
        let folders: Vec<PathBuf> = groups_of(text).into_iter().map(|group| group.folder).collect();
        assert_eq!(folders, ["/sys/fs/cgroup/memory/user/one", "/sys/fs/cgroup/user.slice/a:b"].map(PathBuf::from));
    }

    #[test]
    fn a_group_above_may_leave_less() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("job");
        fs::create_dir(&folder).unwrap();
        let write = |folder: &Path, limit: &str, usage: &str, stat: &str| {
            for (name, text) in [("memory.max", limit), ("memory.current", usage), ("memory.stat", stat)] {
                fs::write(folder.join(name), text).unwrap();
            }
        };
        let group = || Group { top: top.path().to_owned(), folder: folder.join("gone"), files: &SECOND };
        assert!(group().left().is_empty());
        write(&folder, "max\n", "5000\n", "");
        assert!(group().left().is_empty());
        write(&folder, "1000\n", "700\n", "anon 500\nactive_file 100\ninactive_file 50\n");
        write(top.path(), "900\n", "800\n", "anon 700\nactive_file 40\ninactive_file 10\n");
        assert_eq!(group().left(), [450, 150]);
        fs::write(folder.join("memory.high"), "800\n").unwrap();
        assert_eq!(group().left(), [250, 150]);
        // More is in use than the limit allows, since that was lowered.
        write(&folder, "10\n", "700\n", "");
        assert_eq!(group().left()[0], 0);
    }

    #[test]
    fn lines_are_found_by_their_whole_name() {
        let text = "MemTotal:  10 kB\nMemAvailable:   7 kB\n";
        assert_eq!(kib(text, "MemAvailable:"), Some(7168));
        assert_eq!(field("inactive_file_x 3\ninactive_file 4\n", "inactive_file"), Some(4));
        assert_eq!(field("inactive_file many\n", "inactive_file"), None);
    }
}
