//! What systemd says about the boot.

use std::time::{Duration, Instant};

use crate::edge;

const TOOL_TIME: Duration = Duration::from_secs(20);

fn systemctl(args: &[&str]) -> edge::Ended {
    edge::run(std::iter::once("systemctl").chain(args.iter().copied()), TOOL_TIME)
}

/// Waits until nothing is left to start.
///
/// Not `is-system-running --wait`: that has no bound of time and names nobody. The unit is `Type=exec`, so systemd does not
/// wait for this program in turn.
pub fn wait_until_started(until: Instant) -> Result<String, String> {
    edge::retry(until, || {
        let state = systemctl(&["is-system-running"]).output;
        if !matches!(state.as_str(), "starting" | "initializing") {
            return settled(&state);
        }
        let jobs = systemctl(&["list-jobs", "--no-legend", "--plain"]).output;
        Err(format!("still starting: {}", running_jobs(&jobs).join(", ")))
    })
}

/// A failed unit makes the state `degraded`; it is reported by name elsewhere.
fn settled(state: &str) -> Result<String, String> {
    if matches!(state, "running" | "degraded") { Ok(state.into()) } else { Err(format!("the system is {state}")) }
}

/// The units whose jobs run, from `systemctl list-jobs`.
fn running_jobs(text: &str) -> Vec<String> {
    let mut units = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, unit, _, "running"] = fields.as_slice() {
            units.push((*unit).to_owned());
        }
    }
    units
}

/// The units that failed, each with the last lines of its journal.
pub fn failed_units() -> Vec<(String, String)> {
    let listing = systemctl(&["list-units", "--state=failed", "--no-legend", "--plain"]);
    if !listing.ok {
        return vec![("systemctl".into(), listing.output)];
    }
    let units = unit_names(&listing.output);
    units.into_iter().map(|unit| (unit.clone(), last_lines(&unit))).collect()
}

fn unit_names(listing: &str) -> Vec<String> {
    listing.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The last lines of a unit's journal.
pub fn last_lines(unit: &str) -> String {
    edge::run(["journalctl", "-u", unit, "-n", "20", "--no-pager", "-o", "cat"], TOOL_TIME).output
}

pub fn is_active(unit: &str) -> Result<String, String> {
    let ended = systemctl(&["is-active", unit]);
    if ended.ok { Ok(ended.output) } else { Err(format!("{unit} is {}", ended.output)) }
}

pub fn power_off() {
    systemctl(&["poweroff", "--no-block"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_jobs_are_named() {
        let jobs = "  1 multi-user.target        start waiting\n 71 nginx.service start running\n";
        assert_eq!(running_jobs(jobs), ["nginx.service"]);
        assert_eq!(running_jobs("No jobs running.\n"), [""; 0]);
    }

    #[test]
    fn failed_units_are_named() {
        let listing = "nginx.service loaded failed failed A high performance web server\n";
        assert_eq!(unit_names(listing), ["nginx.service"]);
        assert_eq!(unit_names(""), [""; 0]);
    }
}
