//! Files that a person named: whole or not at all, and what is no file stays what it is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::session;
use crate::Error;
use crate::error::{IoContext, Result};

/// How many links in a row the kernel follows (`path_resolution(7)`).
const LINKS: usize = 40;

/// A place that is being written. A file appears there when it is finished; a device, a pipe or a terminal takes the bytes as
/// they come; and where a link stands, it stays, and what it leads to is written.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// The unfinished file, held alone, and the place it is for.
    unfinished: Option<(PathBuf, PathBuf, Flock<File>)>,
}

impl Output {
    pub fn create(path: &Path) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            let file = File::options().write(true).open(path).at("write", path)?;
            return Ok(Output { file, unfinished: None });
        }
        let place = end_of_links(path).at("write", path)?;
        let folder = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).at("create", folder)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        // A fixed name: the next writer takes over what a killed one left.
        let partial = folder.join(format!(".{name}.partial"));
        let held = alone(&partial)?;
        let file = held.try_clone().at("write", path)?;
        let output = Output { file, unfinished: Some((partial, place, held)) };
        output.file.set_len(0).at("write", path)?;
        Ok(output)
    }

    /// Brings a file to the disk and gives it its name.
    pub fn finish(mut self) -> Result<()> {
        let Some((partial, place, _)) = &self.unfinished else { return Ok(()) };
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        let on_disk = self.file.set_permissions(mode).and_then(|()| self.file.sync_all());
        on_disk.and_then(|()| fs::rename(partial, place)).at("write", place)?;
        self.unfinished = None;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((partial, ..)) = &self.unfinished {
            let _ = fs::remove_file(partial);
        }
    }
}

/// Where a file is that may be there and may be reached by links, the last of which may lead to nothing yet.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..=LINKS {
        let Ok(target) = fs::read_link(&place) else { return Ok(place) };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(Errno::ELOOP.into())
}

/// Opens a file that no other writer has. One that was renamed while this one waited is another file by now.
fn alone(path: &Path) -> Result<Flock<File>> {
    loop {
        let file = File::options().create(true).append(true).open(path).at("create", path)?;
        let held = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, e)| Error::host(format!("cannot lock {}", path.display())).because(&e))?;
        if session::still_there(&held, path) {
            return Ok(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, symlink};

    use nix::sys::stat::Mode;

    use super::super::write_atomically;
    use super::*;

    #[test]
    fn what_is_no_file_is_written_into_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut text = String::new();
                File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        write_atomically(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        write_atomically(&null, b"gone").unwrap();
        assert!(fs::symlink_metadata(&null).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(write_atomically(folder.path(), b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        fs::write(at("real/old"), "old").unwrap();
        symlink("real/old", at("old")).unwrap();
        symlink("real/new", at("between")).unwrap();
        symlink("between", at("new")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for name in ["old", "new"] {
            write_atomically(&at(name), name.to_uppercase().as_bytes()).unwrap();
            assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at("real").join(name)).unwrap(), name.to_uppercase());
        }
        assert!(write_atomically(&at("loop"), b"x").is_err());
        let places = fs::read_dir(folder.path()).unwrap().chain(fs::read_dir(at("real")).unwrap());
        assert_eq!(places.count(), 7);
    }
}
