//! Which devices there are to listen to, now.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use borg_config::{ComMonitor, SerialPort};

/// A device that the configuration names and that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it was named: `/dev/serial/by-id/usb-…`.
    pub path: PathBuf,
    /// By which it was found.
    pub rule: SerialPort,
}

/// What one look at the devices gave.
#[derive(Debug, Default)]
pub struct Scan {
    /// By device number, so that two names of one port are one port; the first rule that matches wins.
    pub found: BTreeMap<u64, Found>,
    /// Consoles of the kernel that a rule matched; they are left alone.
    pub consoles: BTreeSet<PathBuf>,
}

/// The names of the kernel's consoles, such as `ttyS0`, from the text of `/sys/class/tty/console/active`.
pub fn consoles(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub fn scan(config: &ComMonitor, consoles: &BTreeSet<String>) -> Scan {
    let mut scan = Scan::default();
    for rule in &config.ports {
        for path in matching(&rule.device) {
            let Some(number) = device_number(&path) else { continue };
            if is_console(&path, consoles) {
                scan.consoles.insert(path);
            } else {
                scan.found.entry(number).or_insert_with(|| Found { path, rule: rule.clone() });
            }
        }
    }
    scan
}

/// Faults of a pattern; the program tells them once and goes on with the others.
pub fn faults(config: &ComMonitor) -> Vec<String> {
    let fault = |device: &str| glob::Pattern::new(device).err().map(|e| format!("device {device}: {e}"));
    config.ports.iter().filter_map(|rule| fault(&rule.device)).collect()
}

fn matching(device: &str) -> Vec<PathBuf> {
    // A folder that cannot be read is a port that is not there yet.
    glob::glob(device).map(|paths| paths.filter_map(Result::ok).collect()).unwrap_or_default()
}

fn device_number(path: &Path) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    metadata.file_type().is_char_device().then(|| metadata.rdev())
}

fn is_console(path: &Path, consoles: &BTreeSet<String>) -> bool {
    let Ok(real) = fs::canonicalize(path) else { return false };
    let name = real.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name == "console" || consoles.contains(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn config(devices: &[&str]) -> ComMonitor {
        ComMonitor { ports: devices.iter().map(|device| SerialPort::new(*device)).collect(), ..ComMonitor::default() }
    }

    #[test]
    fn two_names_of_one_device_are_one_port() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("port-a"), folder.path().join("port-b"));
        symlink("/dev/null", &one).unwrap();
        symlink("/dev/null", two).unwrap();
        std::fs::write(folder.path().join("port-c"), "").unwrap();
        let glob = folder.path().join("port-*");
        let scan = scan(&config(&[glob.to_str().unwrap()]), &BTreeSet::new());
        let paths: Vec<_> = scan.found.values().map(|f| f.path.clone()).collect();
        assert_eq!(paths, [one]);
    }

    #[test]
    fn the_kernels_console_is_left_alone_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("port");
        symlink("/dev/null", &link).unwrap();
        let scan = scan(&config(&[link.to_str().unwrap()]), &consoles("tty0 null\n"));
        assert!(scan.found.is_empty());
        assert_eq!(scan.consoles, BTreeSet::from([link]));
    }

    #[test]
    fn a_bad_pattern_is_told_and_matches_nothing() {
        let config = config(&["/dev/a***", "/dev/none"]);
        assert_eq!(faults(&config).len(), 1);
        assert!(scan(&config, &BTreeSet::new()).found.is_empty());
    }
}
