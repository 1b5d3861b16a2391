//! A file for each port, with older ones beside it: `ttyUSB0.log`, `ttyUSB0.log.1`, …

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use borg_config::LineFiles;

#[derive(Debug)]
pub struct Files {
    config: LineFiles,
    open: BTreeMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl Files {
    pub fn new(config: LineFiles) -> Self {
        Files { config, open: BTreeMap::new() }
    }

    /// Appends a line to the port's file; begins the next file when this one would get too large.
    pub fn write(&mut self, port: &str, line: &str) -> io::Result<()> {
        let path = self.config.folder.join(format!("{}.log", name(port)));
        let bytes = line.len() as u64;
        let full = |open: &Open| open.bytes > 0 && open.bytes + bytes > self.config.max_size;
        let mut open = match self.open.remove(port) {
            Some(open) => open,
            None => open_at(&path)?,
        };
        if full(&open) {
            rotate(&path, self.config.keep)?;
            open = open_at(&path)?;
        }
        open.file.write_all(line.as_bytes())?;
        open.bytes += bytes;
        self.open.insert(port.to_owned(), open);
        Ok(())
    }
}

fn open_at(path: &Path) -> io::Result<Open> {
    let file = File::options().create(true).append(true).open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Open { file, bytes })
}

/// Makes room: each file takes the next number, and the last one goes.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let numbered = |number: u32| -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    };
    if keep == 0 {
        return fs::remove_file(path);
    }
    for number in (1..keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}

/// A file name for a port's path, another one for another path.
fn name(port: &str) -> String {
    let short = port.strip_prefix("/dev/").unwrap_or(port).trim_start_matches(['/', '.']);
    let mut name = String::new();
    for byte in short.bytes().take(200) {
        match byte {
            b'/' => name.push('+'),
            b'.' | b'_' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => name.push(char::from(byte)),
            _ => drop(write!(name, "%{byte:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, max_size: u64, keep: u32) -> Files {
        Files::new(LineFiles { folder: folder.to_owned(), max_size, keep })
    }

    #[test]
    fn old_files_go_one_number_on_and_the_oldest_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut files_of = files(folder.path(), 10, 2);
        for line in ["1111\n", "2222\n", "3333\n", "4444\n", "a line that is longer than a file\n", "5555\n"] {
            files_of.write("/dev/ttyUSB0", line).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(read("ttyUSB0.log"), "5555\n");
        assert_eq!(read("ttyUSB0.log.1"), "a line that is longer than a file\n");
        assert_eq!(read("ttyUSB0.log.2"), "3333\n4444\n");
        assert!(!folder.path().join("ttyUSB0.log.3").exists());
        // Another run goes on with the file that is there.
        files(folder.path(), 10, 2).write("/dev/ttyUSB0", "6666\n").unwrap();
        assert_eq!(read("ttyUSB0.log"), "5555\n6666\n");
    }

    #[test]
    fn without_older_files_it_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), 6, 0);
        files.write("/dev/p", "1111\n").unwrap();
        files.write("/dev/p", "2222\n").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("p.log")).unwrap(), "2222\n");
    }

    #[test]
    fn no_port_leads_out_of_the_folder() {
        for (port, expected) in
            [("/dev/serial/by-id/usb-A:1", "serial+by-id+usb-A%3a1"), ("/dev/../x", "x"), ("/../../etc/x", "etc+x")]
        {
            assert_eq!(name(port), expected);
        }
    }
}
