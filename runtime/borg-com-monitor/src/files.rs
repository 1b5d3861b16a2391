//! A file for each port, with older ones beside it: `ttyUSB0.log`, `ttyUSB0.log.1`, …

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use borg_config::LineFiles;
use borg_logfile::LogFile;

#[derive(Debug)]
pub struct Files {
    config: LineFiles,
    open: BTreeMap<String, LogFile>,
}

impl Files {
    pub fn new(config: LineFiles) -> Self {
        Files { config, open: BTreeMap::new() }
    }

    /// Appends a line to the port's file.
    pub fn write(&mut self, port: &str, line: &str) -> io::Result<()> {
        if let Some(file) = self.open.get_mut(port) {
            return file.write(line);
        }
        let LineFiles { folder, max_size, keep } = &self.config;
        let mut file = LogFile::new(folder.join(format!("{}.log", name(port))), *max_size, *keep);
        file.write(line)?;
        self.open.insert(port.to_owned(), file);
        Ok(())
    }
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

    #[test]
    fn each_port_has_a_file_that_begins_anew_when_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let config = LineFiles { folder: folder.path().to_owned(), max_size: 10, keep: 1 };
        let mut files = Files::new(config);
        for line in ["1111\n", "2222\n", "3333\n"] {
            files.write("/dev/ttyUSB0", line).unwrap();
        }
        files.write("/dev/ttyS1", "other\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!((read("ttyUSB0.log"), read("ttyUSB0.log.1")), ("3333\n".into(), "1111\n2222\n".into()));
        assert_eq!(read("ttyS1.log"), "other\n");
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
