//! Finding a file's bytes in an ISO 9660 image: as much of ECMA-119 as that takes.

/// Bytes in a sector.
pub const SECTOR: u64 = 2048;
/// A folder larger than this is none of ours.
pub const FOLDER_LIMIT: u64 = 1 << 20;

/// Where something lies in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub length: u64,
}

/// The root folder, from the primary volume descriptor (sector 16).
pub fn root(descriptor: &[u8]) -> Option<Extent> {
    if descriptor.get(..6)? != b"\x01CD001" {
        return None;
    }
    extent(descriptor.get(156..190)?)
}

/// The entry `name` of a folder's bytes; ISO names are upper case and may carry `.` and a version.
pub fn entry(folder: &[u8], name: &str) -> Option<Extent> {
    find(folder, |id| id.eq_ignore_ascii_case(name.as_bytes()))
}

/// The first entry `<name>-…` of a folder's bytes; ISO names have `_` for `-`.
pub fn versioned(folder: &[u8], name: &str) -> Option<Extent> {
    let start = format!("{name}_");
    find(folder, |id| id.get(..start.len()).is_some_and(|id| id.eq_ignore_ascii_case(start.as_bytes())))
}

fn find(folder: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Option<Extent> {
    folder.chunks(usize::try_from(SECTOR).ok()?).find_map(|sector| in_sector(sector, &is_it))
}

/// Records do not cross sectors; a zero length ends one.
fn in_sector(sector: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Option<Extent> {
    let mut rest = sector;
    loop {
        let length = usize::from(*rest.first()?);
        let record = rest.get(..length).filter(|r| r.len() >= 33)?;
        let id = record.get(33..33 + usize::from(*record.get(32)?))?;
        if is_it(plain(id)) {
            return extent(record);
        }
        rest = rest.get(length..)?;
    }
}

fn plain(id: &[u8]) -> &[u8] {
    let id = id.split(|b| *b == b';').next().unwrap_or(id);
    id.strip_suffix(b".").unwrap_or(id)
}

fn extent(record: &[u8]) -> Option<Extent> {
    let number = |at: usize| Some(u64::from(u32::from_le_bytes(record.get(at..at + 4)?.try_into().ok()?)));
    Some(Extent { offset: number(2)? * SECTOR, length: number(10)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(name: &[u8], sector: u32, length: u32) -> Vec<u8> {
        let mut record = vec![0; 33];
        record[2..6].copy_from_slice(&sector.to_le_bytes());
        record[10..14].copy_from_slice(&length.to_le_bytes());
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend(name);
        record.resize(record.len().next_multiple_of(2), 0);
        record[0] = u8::try_from(record.len()).unwrap();
        record
    }

    #[test]
    fn a_name_is_found_in_a_later_sector() {
        let mut folder = record(b"\0", 20, 2048);
        folder.extend(record(b"INITRD.IMG;1", 30, 7));
        folder.resize(2048, 0);
        folder.extend(record(b"VMLINUZ.;1", 99, 12_345));
        assert_eq!(entry(&folder, "vmlinuz"), Some(Extent { offset: 99 * 2048, length: 12_345 }));
        assert_eq!(entry(&folder, "initrd.img"), Some(Extent { offset: 30 * 2048, length: 7 }));
        assert_eq!(entry(&folder, "vmlinux"), None);
        folder.resize(4096, 0);
        folder.extend(record(b"VMLINUZ_6_12_117_DEB13_AM.64;1", 100, 5));
        assert_eq!(versioned(&folder, "vmlinuz"), Some(Extent { offset: 100 * 2048, length: 5 }));
        assert_eq!(versioned(&folder, "initrd"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
            let _ = entry(&bytes, "live");
            let _ = root(&bytes);
        }
    }
}
