//! How long a list of tools may be. Every client gets all lists together, so one alone must not fill the answer.

use rmcp::model::Tool;

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
    /// Counts one more tool, or says why that is too much.
    pub fn add(&mut self, tool: &Tool) -> Result<(), String> {
        self.tools += 1;
        if self.tools > MOST_TOOLS {
            return Err(format!("it has more than {MOST_TOOLS} tools"));
        }
        self.bytes += json_bytes(tool);
        if self.bytes > MOST_BYTES {
            return Err(format!("its list of tools is longer than {} KiB", MOST_BYTES / 1024));
        }
        Ok(())
    }
}

/// A list that came in one piece.
pub fn check(tools: &[Tool]) -> Result<(), String> {
    let mut measure = Measure::default();
    tools.iter().try_for_each(|tool| measure.add(tool))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
    }
}
