//! How long a list of tools, or of what else there is, may be. Every client gets all lists together, so one alone must not fill
//! the answer.

use serde::Serialize;

use crate::count::json_bytes;

const MOST_TOOLS: usize = 256;
/// Bytes of one list as JSON.
const MOST_BYTES: usize = 256 * 1024;

/// What of a list has been seen.
#[derive(Debug, Default)]
pub struct Measure {
    tools: usize,
    bytes: usize,
}

impl Measure {
    /// Counts one more, or says why that is too much.
    pub fn add(&mut self, one: &impl Serialize) -> Result<(), String> {
        self.tools += 1;
        if self.tools > MOST_TOOLS {
            return Err(format!("it has more than {MOST_TOOLS} tools"));
        }
        self.bytes += json_bytes(one);
        if self.bytes > MOST_BYTES {
            return Err(format!("its list of tools is longer than {} KiB", MOST_BYTES / 1024));
        }
        Ok(())
    }
}

/// A list that came in one piece.
pub fn check(list: &[impl Serialize]) -> Result<(), String> {
    let mut measure = Measure::default();
    list.iter().try_for_each(|one| measure.add(one))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rmcp::model::{Resource, Tool};

    use super::*;

    fn tools(count: usize, description: usize) -> Vec<Tool> {
        let schema = Arc::new(serde_json::Map::new());
        (0..count).map(|n| Tool::new(format!("t{n}"), "x".repeat(description), Arc::clone(&schema))).collect()
    }

    #[test]
    fn a_list_may_be_long_and_no_longer() {
        assert_eq!(check(&tools(256, 900)), Ok(()));
        assert_eq!(check(&tools(257, 0)).unwrap_err(), "it has more than 256 tools");
        assert_eq!(check(&tools(1, 256 * 1024)).unwrap_err(), "its list of tools is longer than 256 KiB");
        assert_eq!(check(&tools(200, 1400)).unwrap_err(), "its list of tools is longer than 256 KiB");
        let resources = |count: usize, length: usize| vec![Resource::new("x".repeat(length), "x"); count];
        assert!(check(&resources(256, 100)).is_ok());
        assert!(check(&resources(257, 1)).is_err() && check(&resources(1, 256 * 1024)).is_err());
    }
}
