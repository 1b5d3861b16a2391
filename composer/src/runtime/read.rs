//! Reading the control fields of a .deb that somebody gives us. Its bytes are not trusted.

use std::io::Read;

use super::deb::Control;

/// The most that a control archive may unpack to, and the most a control file may hold.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The fields of the package's control file, in its order.
pub fn control(deb: &[u8]) -> Result<Control, String> {
    let mut archive = ar::Archive::new(deb);
    while let Some(entry) = archive.next_entry() {
        let entry = entry.map_err(|e| e.to_string())?;
        let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        let name = name.trim_end_matches('/');
        let Some(packing) = name.strip_prefix("control.tar") else { continue };
        return fields(&control_file(unpacked(packing, entry)?.as_ref())?);
    }
    Err("there is no control.tar in it".into())
}

fn unpacked(packing: &str, entry: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = match packing {
        "" => entry.take(LIMIT).read_to_end(&mut bytes),
        ".xz" => liblzma::read::XzDecoder::new(entry).take(LIMIT).read_to_end(&mut bytes),
        ".gz" => flate2::read::GzDecoder::new(entry).take(LIMIT).read_to_end(&mut bytes),
        ".zst" => zstd::Decoder::new(entry).and_then(|decoder| decoder.take(LIMIT).read_to_end(&mut bytes)),
        other => return Err(format!("its control.tar is packed in an unknown way ({other})")),
    };
    result.map(|_| bytes).map_err(|e| format!("its control.tar{packing}: {e}"))
}

fn control_file(tar: &[u8]) -> Result<String, String> {
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        let path = entry.path_bytes().into_owned();
        if matches!(path.as_slice(), b"control" | b"./control") {
            let mut text = String::new();
            entry.take(LIMIT).read_to_string(&mut text).map_err(|e| e.to_string())?;
            return Ok(text);
        }
    }
    Err("there is no control file in it".into())
}

/// One paragraph of deb822; further lines of a field keep their line ends.
fn fields(text: &str) -> Result<Control, String> {
    let mut fields: Control = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or("its control file starts in the middle of a field")?;
            value.push('\n');
            value.push_str(line);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no field in its control line {line:?}"))?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_may_go_on_over_lines() {
        let text = "Package: a\nDescription: one\n two\n .\nVersion: 1:2\n\nPackage: b\n";
        let found = fields(text).unwrap();
        let expected = [("Package", "a"), ("Description", "one\n two\n ."), ("Version", "1:2")];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(fields(" x").is_err() && fields("x").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,100}") {
            let _ = control(&[b"!<arch>\n", bytes.as_slice()].concat());
            let _ = fields(&text);
        }
    }
}
