//! What systemd says about the boot.

use std::time::{Duration, Instant};

use crate::edge;

const TOOL_TIME: Duration = Duration::from_secs(20);

fn systemctl(args: &[&str]) -> edge::Ended {
    edge::run(std::iter::once("systemctl").chain(args.iter().copied()), TOOL_TIME)
}

/// Waits until nothing is left to start.
///
/// Not `is-system-running --wait`: that waits for this very program when its unit is a oneshot.
pub fn wait_until_started(until: Instant) -> Result<String, String> {
    let own = own_unit();
    edge::retry(until, || {
        let state = systemctl(&["is-system-running"]).output;
        if !matches!(state.as_str(), "starting" | "initializing") {
            return settled(&state);
        }
        let jobs = systemctl(&["list-jobs", "--no-legend", "--plain"]).output;
        let running = running_jobs(&jobs, own.as_deref());
        // Waiting jobs with nothing running wait for us.
        if running.is_empty() && own.is_some() {
            Ok(state)
        } else {
            Err(format!("still starting: {}", running.join(", ")))
        }
    })
}

/// A failed unit makes the state `degraded`; it is reported by name elsewhere.
fn settled(state: &str) -> Result<String, String> {
    if matches!(state, "running" | "degraded") { Ok(state.into()) } else { Err(format!("the system is {state}")) }
}

/// The units whose jobs run, from `systemctl list-jobs`; `own` is left out.
fn running_jobs(text: &str, own: Option<&str>) -> Vec<String> {
    let mut units = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, unit, _, "running"] = fields.as_slice()
            && Some(*unit) != own
        {
            units.push((*unit).to_owned());
        }
    }
    units
}

/// The unit that this process belongs to.
fn own_unit() -> Option<String> {
    unit_of(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

fn unit_of(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.rsplit('/').find(|part| part.ends_with(".service")).map(str::to_owned)
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
    fn our_own_job_is_not_waited_for() {
        let jobs = "  1 multi-user.target        start waiting\n 70 borg-boot-check.service  start running\n\
                    71 nginx.service start running\n";
        assert_eq!(running_jobs(jobs, Some("borg-boot-check.service")), ["nginx.service"]);
        assert_eq!(running_jobs("No jobs running.\n", None), [""; 0]);
    }

    #[test]
    fn the_unit_is_read_from_the_cgroup() {
        let unit = unit_of("0::/system.slice/borg-boot-check.service\n");
        assert_eq!(unit.as_deref(), Some("borg-boot-check.service"));
        assert_eq!(unit_of("0::/user.slice/session-1.scope\n"), None);
    }

    #[test]
    fn failed_units_are_named() {
        let listing = "nginx.service loaded failed failed A high performance web server\n";
        assert_eq!(unit_names(listing), ["nginx.service"]);
        assert_eq!(unit_names(""), [""; 0]);
    }
}
