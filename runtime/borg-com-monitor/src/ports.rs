//! Which devices there are to listen to, now.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use borg_config::{ComMonitor, SerialPort};

/// Where udev has names that stay with an adapter, and those that stay with its socket.
pub const STABLE: [&str; 2] = ["/dev/serial/by-id", "/dev/serial/by-path"];

/// A device that the configuration names and that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As the rule names it; what a pattern finds has the first of its stable names, if it has any.
    pub path: PathBuf,
    /// By which it was found.
    pub rule: SerialPort,
}

impl Found {
    /// Whether this is the device file of an adapter, which udev gives a better name a moment later.
    pub fn may_be_renamed(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        is_pattern(&self.rule) && (name.starts_with("ttyUSB") || name.starts_with("ttyACM"))
    }
}

fn is_pattern(rule: &SerialPort) -> bool {
    rule.device.contains(['*', '?', '['])
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

/// Looks for devices, and in the folders `stable` for their names.
pub fn scan(config: &ComMonitor, consoles: &BTreeSet<String>, stable: &[impl AsRef<Path>]) -> Scan {
    let mut scan = Scan::default();
    for rule in &config.ports {
        for path in matching(&rule.device) {
            let Some(number) = device_number(&path) else { continue };
            if is_console(&path, consoles) {
                scan.consoles.insert(path);
            } else {
                scan.found.entry(number).or_insert_with(|| {
                    let name = if is_pattern(rule) { stable_name(number, stable) } else { None };
                    Found { path: name.unwrap_or(path), rule: rule.clone() }
                });
            }
        }
    }
    scan
}

/// The name that a device keeps when it is plugged in again. Of adapters without a number of their own, which share a name by
/// id, one has it; the others have theirs by path.
fn stable_name(number: u64, folders: &[impl AsRef<Path>]) -> Option<PathBuf> {
    let mut links = folders.iter().flat_map(|folder| {
        let mut links: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        links.sort();
        links
    });
    links.find(|link| device_number(link) == Some(number))
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
        let scan = scan(&config(&[glob.to_str().unwrap()]), &BTreeSet::new(), &STABLE);
        let paths: Vec<_> = scan.found.values().map(|f| f.path.clone()).collect();
        assert_eq!(paths, [one]);
    }

    #[test]
    fn what_a_pattern_finds_has_its_stable_name() {
        let folder = tempfile::tempdir().unwrap();
        let [by_id, by_path] = ["by-id", "by-path"].map(|name| folder.path().join(name));
        let stable = [&by_id, &by_path];
        let name = |device: &str| {
            let scan = scan(&config(&[device]), &BTreeSet::new(), &stable);
            scan.found.into_values().next().unwrap().path
        };
        // Without udev there are no such folders.
        assert_eq!(name("/dev/nul?"), Path::new("/dev/null"));
        std::fs::create_dir(&by_id).unwrap();
        std::fs::create_dir(&by_path).unwrap();
        symlink("/dev/zero", by_id.join("usb-a")).unwrap();
        symlink("/dev/null", by_path.join("pci-b")).unwrap();
        assert_eq!(name("/dev/nul?"), by_path.join("pci-b"));
        symlink("/dev/null", by_id.join("usb-b")).unwrap();
        assert_eq!(name("/dev/nul?"), by_id.join("usb-b"));
        // Who names one finds it under that name.
        assert_eq!(name("/dev/null"), Path::new("/dev/null"));
    }

    #[test]
    fn only_an_adapter_that_a_pattern_found_may_be_renamed() {
        let found = |path: &str, device: &str| Found { path: path.into(), rule: SerialPort::new(device) };
        assert!(found("/dev/ttyUSB0", "/dev/ttyUSB*").may_be_renamed());
        for (path, device) in [
            ("/dev/ttyUSB0", "/dev/ttyUSB0"),
            ("/dev/ttyS1", "/dev/ttyS?"),
            ("/dev/serial/by-id/usb-a", "/dev/ttyUSB*"),
        ] {
            assert!(!found(path, device).may_be_renamed(), "{path} {device}");
        }
    }

    #[test]
    fn the_kernels_console_is_left_alone_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("port");
        symlink("/dev/null", &link).unwrap();
        let scan = scan(&config(&[link.to_str().unwrap()]), &consoles("tty0 null\n"), &STABLE);
        assert!(scan.found.is_empty());
        assert_eq!(scan.consoles, BTreeSet::from([link]));
    }

    #[test]
    fn a_bad_pattern_is_told_and_matches_nothing() {
        let config = config(&["/dev/a***", "/dev/none"]);
        assert_eq!(faults(&config).len(), 1);
        assert!(scan(&config, &BTreeSet::new(), &STABLE).found.is_empty());
    }
}
