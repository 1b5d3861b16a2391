//! Reading a configuration file, with errors that name the place.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// `reason` ends with the line and column.
    #[error("{}: {reason}", path.display())]
    Parse { path: PathBuf, reason: serde_json::Error },
}

/// Reads the JSON at `path`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let text = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// Parses JSON that came from `path`.
pub fn parse<T: DeserializeOwned>(text: &[u8], path: &Path) -> Result<T, LoadError> {
    serde_json::from_slice(text).map_err(|reason| LoadError::Parse { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootCheckRequest, ComMonitor};

    fn error<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        parse::<T>(text.as_bytes(), Path::new("/etc/borg/x.json")).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let message = error::<ComMonitor>("{\"ports\": [\n  {\"device\": \"/dev/ttyS1\", \"bauds\": 9600}]}");
        assert_eq!(
            message,
            "/etc/borg/x.json: unknown field `bauds`, expected one of `device`, `baud`, `framing`, `line_ending`, `encoding`, `write` at line 2 column 34"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.json");
        let message = load::<ComMonitor>(&path).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot read {}: No such file", path.display())), "{message}");
    }

    #[test]
    fn the_baud_rate_has_a_default() {
        let config: ComMonitor = parse(br#"{"ports": [{"device": "/dev/ttyUSB*"}]}"#, Path::new("x")).unwrap();
        assert_eq!(config.ports[0].baud, 115_200);
    }

    #[test]
    fn a_request_may_leave_everything_out() {
        let request: BootCheckRequest = parse(b"{\"poweroff\": true}", Path::new("x")).unwrap();
        assert_eq!(request, BootCheckRequest { secure_boot: false, poweroff: true });
    }
}
