//! A Debian archive in memory, made of the store's packages: what apt and debootstrap ask for, by address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Digest;
use crate::archive::control::Paragraph;
use crate::archive::deb;
use crate::engine::live_build::job::{Deb, Place};
use crate::error::{Error, Result};
use crate::store::Store;

/// What lies at an address.
#[derive(Debug)]
pub enum Item {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Items by their whole address.
pub type Archive = BTreeMap<String, Item>;

/// All packages in the first place, whose signatures nobody can make; the others are there and empty.
///
/// debootstrap reads one suite only, so that is where everything must be, whichever archive it was locked from.
pub fn build(places: &[Place], debs: &[Deb], store: &Store, epoch: u64) -> Result<Archive> {
    let first = places.first().ok_or_else(|| Error::internal("the image has no archive"))?;
    let mut archive = Archive::new();
    let mut index = String::new();
    for deb in debs {
        let path = store.object(&deb.sha256);
        index += &entry(&deb::control(&path)?, deb);
        archive.insert(format!("{}/{}", root(first), filename(deb)), Item::File(path));
    }
    for (number, place) in places.iter().enumerate() {
        let text = if number == 0 { index.as_str() } else { "" };
        add_suite(&mut archive, place, text, epoch)
            .map_err(|e| Error::internal("cannot make a package index").because(&e))?;
    }
    Ok(archive)
}

fn root(place: &Place) -> &str {
    place.uri.trim_end_matches('/')
}

/// Where a package is: two archives may have different files of one name.
fn filename(deb: &Deb) -> String {
    format!("pool/{}.deb", deb.sha256)
}

/// One package's paragraph of a Packages file.
pub fn entry(control: &Paragraph, deb: &Deb) -> String {
    let mut text = String::new();
    let own =
        |name: &str| matches!(name, "Filename" | "Size" | "SHA256") || name == "Priority" && deb.priority.is_some();
    for (name, value) in control.iter().filter(|(name, _)| !own(name)) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {}", value.replace('\n', "\n "));
    }
    if let Some(priority) = &deb.priority {
        let _ = writeln!(text, "Priority: {priority}");
    }
    let _ = write!(text, "Filename: {}\nSize: {}\nSHA256: {}\n\n", filename(deb), deb.size, deb.sha256);
    text
}

/// Puts all into the first component.
fn add_suite(archive: &mut Archive, place: &Place, index: &str, epoch: u64) -> io::Result<()> {
    let folder = format!("{}/dists/{}", root(place), place.suite);
    let mut sums = String::new();
    for (number, component) in place.components.iter().enumerate() {
        let text = if number == 0 { index.as_bytes() } else { b"" };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text)?;
        for (ending, bytes) in [("", text.to_vec()), (".gz", gzip.finish()?)] {
            let path = format!("{component}/binary-amd64/Packages{ending}");
            let _ = writeln!(sums, " {} {} {path}", Digest::of(&bytes), bytes.len());
            archive.insert(format!("{folder}/{path}"), Item::Bytes(bytes));
        }
    }
    let date = jiff::Timestamp::from_second(i64::try_from(epoch).unwrap_or(0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let release = format!(
        "Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {date}\nArchitectures: amd64\nComponents: {components}\nSHA256:\n{sums}",
        suite = place.suite,
        date = date.strftime("%a, %d %b %Y %H:%M:%S UTC"),
        components = place.components.join(" "),
    );
    archive.insert(format!("{folder}/Release"), Item::Bytes(release.into_bytes()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::control::paragraphs;

    #[test]
    fn an_entry_keeps_the_control_file_and_says_where_the_package_is() {
        let control =
            paragraphs("Package: a\nVersion: 1\nPriority: required\nDescription: x\n long\n .\n end\n").remove(0);
        let deb = Deb { size: 3, sha256: Digest::of("a"), priority: Some("optional".into()) };
        let text = entry(&control, &deb);
        let read = paragraphs(&text).remove(0);
        assert_eq!(read.get("Description"), Some("x\nlong\n.\nend"));
        assert_eq!((read.get("Priority"), read.get("Size")), (Some("optional"), Some("3")));
        assert_eq!(read.get("Filename"), Some(filename(&deb).as_str()));
        assert_eq!(text.matches("Priority").count(), 1);
    }

    #[test]
    fn the_release_lists_what_is_served() {
        let place = Place {
            uri: "http://deb.test/debian/".into(),
            suite: "trixie".into(),
            components: vec!["main".into(), "contrib".into()],
        };
        let mut archive = Archive::new();
        add_suite(&mut archive, &place, "Package: a\n\n", 0).unwrap();
        let Some(Item::Bytes(release)) = archive.get("http://deb.test/debian/dists/trixie/Release") else {
            panic!("{archive:?}")
        };
        let release = String::from_utf8(release.clone()).unwrap();
        assert!(release.contains("Date: Thu, 01 Jan 1970 00:00:00 UTC"), "{release}");
        for line in release.lines().filter_map(|l| l.strip_prefix(' ')) {
            let [sum, size, path] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let Some(Item::Bytes(bytes)) = archive.get(&format!("http://deb.test/debian/dists/trixie/{path}")) else {
                panic!("{path}")
            };
            assert_eq!((sum.to_owned(), size.to_owned()), (Digest::of(bytes).to_string(), bytes.len().to_string()));
        }
    }
}
