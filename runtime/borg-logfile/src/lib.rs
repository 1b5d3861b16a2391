//! A log file that begins anew when it is full, with older ones beside it: `x.log`, `x.log.1`, …
#![forbid(unsafe_code)]

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// Bytes of one file.
    max_size: u64,
    /// Older files.
    keep: u32,
    mode: Option<u32>,
    /// None before the first line, and after a fault.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Nothing is opened before the first line. A file that is there is continued.
    pub fn new(path: impl Into<PathBuf>, max_size: u64, keep: u32) -> Self {
        LogFile { path: path.into(), max_size, keep, mode: None, open: None }
    }

    /// Gives its files this mode, whatever the umask.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        LogFile { mode: Some(mode), ..self }
    }

    /// Opens the file, so that one that cannot be written is known before it is needed.
    pub fn open(&mut self) -> io::Result<()> {
        let open = self.take()?;
        self.open = Some(open);
        Ok(())
    }

    /// Appends `line`, which ends with a newline; begins the next file when this one would get too large. A line that does not
    /// fit on the disk leaves nothing behind.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64;
        let mut open = self.take()?;
        if open.bytes > 0 && open.bytes + bytes > self.max_size {
            rotate(&self.path, self.keep)?;
            open = self.open_anew()?;
        }
        if let Err(fault) = open.file.write_all(line.as_bytes()) {
            // Where this fails too, the next opening ends what is there of it.
            let _ = open.take_back();
            return Err(fault);
        }
        open.bytes += bytes;
        self.open = Some(open);
        Ok(())
    }

    fn take(&mut self) -> io::Result<Open> {
        match self.open.take() {
            Some(open) => Ok(open),
            None => self.open_anew(),
        }
    }

    fn open_anew(&self) -> io::Result<Open> {
        let file = File::options().create(true).read(true).append(true).open(&self.path)?;
        if let Some(mode) = self.mode {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        let bytes = file.metadata()?.len();
        let mut open = Open { file, bytes };
        open.end_line()?;
        Ok(open)
    }
}

impl Open {
    /// Removes what there is of a line that was not written whole.
    fn take_back(&self) -> io::Result<()> {
        // It may have been emptied by others meanwhile, and is not to grow.
        if self.file.metadata()?.len() > self.bytes { self.file.set_len(self.bytes) } else { Ok(()) }
    }

    /// Ends the line that a power failure or a kill has torn, so that the next one stands by itself.
    fn end_line(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if let Some(at) = self.bytes.checked_sub(1) {
            self.file.read_exact_at(&mut last, at)?;
        }
        if last != [b'\n'] {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_go_one_number_on_and_the_oldest_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut file = LogFile::new(&path, 10, 2);
        for line in ["1111\n", "2222\n", "3333\n", "4444\n", "a line that is longer than a file\n", "5555\n"] {
            file.write(line).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(read("x.log"), "5555\n");
        assert_eq!(read("x.log.1"), "a line that is longer than a file\n");
        assert_eq!(read("x.log.2"), "3333\n4444\n");
        assert!(!folder.path().join("x.log.3").exists());
        // Another run goes on with the file that is there.
        LogFile::new(&path, 10, 2).write("6666\n").unwrap();
        assert_eq!(read("x.log"), "5555\n6666\n");
    }

    #[test]
    fn without_older_files_it_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut file = LogFile::new(&path, 6, 0);
        file.write("1111\n").unwrap();
        file.write("2222\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "2222\n");
    }

    #[test]
    fn each_file_has_the_mode_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut file = LogFile::new(&path, 6, 1).with_mode(0o640);
        file.open().unwrap();
        file.write("1111\n").unwrap();
        file.write("2222\n").unwrap();
        for name in ["x.log", "x.log.1"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o640, "{name}");
        }
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        fs::write(&path, "1111\n22").unwrap();
        let mut file = LogFile::new(&path, 100, 1);
        file.open().unwrap();
        file.write("3333\n").unwrap();
        LogFile::new(&path, 100, 1).write("4444\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "1111\n22\n3333\n4444\n");
    }

    #[test]
    fn a_folder_that_comes_late_is_used_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later").join("x.log");
        let mut file = LogFile::new(&path, 100, 1);
        assert_eq!(file.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(folder.path().join("later")).unwrap();
        file.write("1\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "1\n");
    }
}
