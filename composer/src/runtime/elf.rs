//! What a program needs of the system it is started on, from its ELF headers.

use std::fmt;
use std::str::FromStr;

use object::LittleEndian;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::StringTable;
use object::read::elf::{Dyn, FileHeader as _, SectionTable};

/// A version of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32);

impl Version {
    pub const fn new(major: u32, minor: u32) -> Self {
        Version(major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    /// Reads `2.36`; a third part (`2.2.5`) says nothing about the suites of today and is left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let major = parts.next().unwrap_or_default().parse()?;
        let minor = parts.next().unwrap_or_default().parse()?;
        Ok(Version(major, minor))
    }
}

/// What a program needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The newest `GLIBC_…` symbol version.
    pub glibc: Option<Version>,
    /// Shared libraries by soname, sorted.
    pub libraries: Vec<String>,
}

type Sections<'a> = SectionTable<'a, FileHeader64<LittleEndian>>;

/// Reads the needs of a 64-bit little-endian ELF program.
pub fn needs(program: &[u8]) -> Result<Needs, String> {
    read(program).map_err(|e| format!("not a usable ELF program: {e}"))
}

fn read(program: &[u8]) -> object::read::Result<Needs> {
    let header = FileHeader64::<LittleEndian>::parse(program)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, program)?;
    let mut libraries = libraries(&sections, endian, program)?;
    libraries.sort();
    Ok(Needs { glibc: glibc(&sections, endian, program)?, libraries })
}

fn libraries(sections: &Sections<'_>, endian: LittleEndian, data: &[u8]) -> object::read::Result<Vec<String>> {
    let Some((entries, link)) = sections.dynamic(endian, data)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, data, link)?;
    let needed = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    Ok(needed.filter_map(|entry| string(&strings, u32::try_from(entry.val(endian)).ok()?)).collect())
}

fn string(strings: &StringTable<'_>, at: u32) -> Option<String> {
    Some(String::from_utf8_lossy(strings.get(at).ok()?).into_owned())
}

fn glibc(sections: &Sections<'_>, endian: LittleEndian, data: &[u8]) -> object::read::Result<Option<Version>> {
    let Some((libraries, link)) = sections.gnu_verneed(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, link)?;
    let mut newest = None;
    for library in libraries {
        let (_, versions) = library?;
        for version in versions {
            let name = String::from_utf8_lossy(version?.name(endian, strings)?);
            newest = newest.max(symbol_version(&name));
        }
    }
    Ok(newest)
}

fn symbol_version(name: &str) -> Option<Version> {
    match name.strip_prefix("GLIBC_")? {
        // The mark of packed relocations has no number; 2.36 is the first that knows it.
        "ABI_DT_RELR" => Some(Version(2, 36)),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_very_program_needs_the_c_library() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&program).unwrap();
        assert!(needs.libraries.iter().any(|l| l == "libc.so.6"), "{needs:?}");
        assert!(needs.glibc >= Some(Version::new(2, 14)), "{needs:?}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(symbol_version("GLIBC_2.9") < symbol_version("GLIBC_2.10"));
        assert_eq!(symbol_version("GLIBC_2.2.5"), Some(Version::new(2, 2)));
        assert_eq!(symbol_version("GLIBC_ABI_DT_RELR"), Some(Version::new(2, 36)));
        assert_eq!(symbol_version("GLIBC_PRIVATE"), None);
        assert_eq!(symbol_version("GCC_3.0"), None);
    }

    #[test]
    fn a_script_is_no_program() {
        assert!(needs(b"#!/bin/sh\n").unwrap_err().starts_with("not a usable ELF program: "));
    }

    proptest! {
        #[test]
        fn damaged_programs_are_read_without_a_crash(at: prop::sample::Index, byte: u8) {
            let mut program = std::fs::read("/proc/self/exe").unwrap_or_default();
            program.truncate(64 * 1024);
            let at = at.index(program.len().clamp(1, 4096));
            if let Some(place) = program.get_mut(at) {
                *place = byte;
            }
            let _ = needs(&program);
        }
    }
}
