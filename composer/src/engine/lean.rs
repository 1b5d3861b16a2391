//! Kernel modules without what only the kernel reads: code, data and relocations, nine tenths of most.
//!
//! depmod and initramfs-tools read what a module says of itself and which symbols it has and needs (libkmod's `kmod_elf_…`).

use object::LittleEndian;
use object::elf::FileHeader64;
use object::pod::bytes_of;
use object::read::elf::{FileHeader as _, SectionHeader as _};

type Header = FileHeader64<LittleEndian>;

/// How the names of the sections begin that libkmod reads.
const READ: [&str; 8] = [
    ".modinfo",
    "__versions",
    ".symtab",
    ".strtab",
    ".shstrtab",
    ".gnu.linkonce.this_module",
    "__ksymtab",
    "__kcrctab",
];

/// What all that is in a module may be aligned to.
const ALIGNMENT: usize = 8;

/// The module with the other sections empty; none if it is not one of 64 bits and the usual order of bytes.
pub fn lean(module: &[u8]) -> Option<Vec<u8>> {
    let header = Header::parse(module).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, module).ok()?;
    let mut lean = bytes_of(header).to_vec();
    let mut table = Vec::new();
    for section in sections.iter() {
        let name = sections.section_name(endian, section).ok()?;
        let read = std::str::from_utf8(name).is_ok_and(|name| READ.iter().any(|read| name.starts_with(read)));
        let data = if read { section.data(endian, module).ok()? } else { &[] };
        let mut entry = *section;
        entry.sh_offset.set(endian, place(&mut lean));
        entry.sh_size.set(endian, data.len() as u64);
        lean.extend_from_slice(data);
        table.extend_from_slice(bytes_of(&entry));
    }
    let mut header = *header;
    header.e_shoff.set(endian, place(&mut lean));
    lean.get_mut(..size_of::<Header>())?.copy_from_slice(bytes_of(&header));
    lean.extend(table);
    Some(lean)
}

/// Where the next part begins.
fn place(file: &mut Vec<u8>) -> u64 {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file.len() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use object::elf::SectionHeader64;
    use proptest::prelude::*;

    use super::*;

    /// An ELF file that is at hand: this test's own program.
    fn program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    fn sections(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let header = Header::parse(file).unwrap();
        let sections = header.sections(LittleEndian, file).unwrap();
        let one = |section: &SectionHeader64<LittleEndian>| {
            let name = String::from_utf8_lossy(sections.section_name(LittleEndian, section).unwrap()).into_owned();
            (name, section.data(LittleEndian, file).unwrap().to_vec())
        };
        sections.iter().map(one).collect()
    }

    #[test]
    fn what_is_read_stays_and_the_rest_is_empty() {
        let program = program();
        let lean = lean(&program).unwrap();
        let (before, after) = (sections(&program), sections(&lean));
        assert!(before.keys().eq(after.keys()));
        assert!(!before[".text"].is_empty() && after[".text"].is_empty());
        assert!(after[".symtab"].len() > 1000 && lean.len() < program.len());
        for name in [".symtab", ".strtab", ".shstrtab"] {
            assert_eq!(before[name], after[name], "{name}");
        }
    }

    #[test]
    fn what_is_no_module_is_left_alone() {
        assert_eq!(lean(b""), None);
        assert_eq!(lean(b"module a"), None);
        let mut other = program();
        other[5] = 2; // The other order of bytes.
        assert_eq!(lean(&other), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(at in 0_usize..64, byte: u8, cut in 0_usize..4096, tail in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut file = std::fs::read("/bin/true").unwrap();
            file[at] = byte;
            let _ = lean(&file);
            file.truncate(cut);
            file.extend(tail);
            let _ = lean(&file);
        }
    }
}
