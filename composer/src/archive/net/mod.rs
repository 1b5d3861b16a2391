//! The edge to the network: mirrors are asked, and what they answer is classified.

#![allow(clippy::disallowed_methods, reason = "an edge: the network, and the files that downloads grow in")]

mod client;
mod failure;
mod flow;
mod partial;
#[cfg(test)]
#[allow(clippy::missing_panics_doc)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::profile::mask;
use crate::progress::Progress;
use crate::{Error, Result, interrupt};

pub use client::{Client, Limits, Login, Proxies};
pub use failure::Failure;
pub use flow::Pace;
pub use partial::Wanted;

/// How often a server may be out of reach before it counts as gone: a busy one drops a connection now and then.
const STRIKES: u32 = 3;

/// Asks mirrors in order and remembers which are of no use.
#[derive(Debug, Default)]
pub struct Net {
    client: Client,
    /// Strikes against mirrors and whole servers; with [`STRIKES`] one is not asked again in this run.
    strikes: Mutex<HashMap<String, u32>>,
    /// What was said already, so that a hundred packages make one line.
    said: Mutex<HashSet<String>>,
}

impl Net {
    pub fn new(client: Client) -> Self {
        Net { client, ..Net::default() }
    }

    /// Asks each of `mirrors` with `ask` until one answers; every mirror that does not is named with the reason.
    pub fn first<T>(
        &self,
        mirrors: &[String],
        what: &str,
        progress: &Progress,
        mut ask: impl FnMut(&Client, &str) -> Result<T, Failure>,
    ) -> Result<T> {
        let mut reasons = Vec::new();
        let mut round: Vec<&String> = mirrors.iter().collect();
        // The second round asks only those whose failure may have been a passing one.
        for _ in 0..2 {
            let mut again = Vec::new();
            for (i, mirror) in round.iter().enumerate().filter(|(_, m)| !self.is_dead(m)) {
                interrupt::check()?;
                match ask(&self.client, mirror) {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Local(error)) => return Err(error),
                    Err(failure) => {
                        let reason = format!("{} {failure}", shown(mirror));
                        self.strike(mirror, &failure);
                        self.say(progress, mirror, &failure, &reason, round.get(i + 1).copied());
                        again.extend(failure.may_pass().then_some(*mirror));
                        if !reasons.contains(&reason) {
                            reasons.push(reason);
                        }
                    }
                }
            }
            round = again;
        }
        if reasons.is_empty() {
            reasons.push("every mirror failed before in this run".to_owned());
        }
        Err(Error::network(format!("no mirror serves {what}")).detail(reasons.join("\n")))
    }

    fn is_dead(&self, mirror: &str) -> bool {
        let gone = |strikes: &HashMap<String, u32>, name: &str| strikes.get(name).is_some_and(|n| *n >= STRIKES);
        self.strikes.lock().is_ok_and(|strikes| gone(&strikes, mirror) || gone(&strikes, server(mirror)))
    }

    fn strike(&self, mirror: &str, failure: &Failure) {
        let (name, weight) = match failure {
            Failure::Unreachable(_) | Failure::Stalled | Failure::Slow(_) => (server(mirror), 1),
            Failure::Unknown | Failure::Tls(_) => (server(mirror), STRIKES),
            Failure::Untrusted(_) | Failure::WrongBytes(_) => (mirror, STRIKES),
            Failure::Missing(_) | Failure::Lacks(_) | Failure::Status(..) | Failure::Cut(_) | Failure::Local(_) => {
                return;
            }
        };
        if let Ok(mut strikes) = self.strikes.lock() {
            *strikes.entry(name.to_owned()).or_default() += weight;
        }
    }

    fn say(&self, progress: &Progress, mirror: &str, failure: &Failure, reason: &str, next: Option<&String>) {
        let key = format!("{mirror} {:?}", std::mem::discriminant(failure));
        if self.said.lock().is_ok_and(|mut said| said.insert(key)) {
            let next = next.map(|next| format!("; asking {}", shown(next))).unwrap_or_default();
            progress.say("mirror", &format!("{reason}{next}"));
        }
    }
}

/// A mirror's address without user name and password.
pub fn shown(mirror: &str) -> String {
    let mut shown = mirror.to_owned();
    // What names a folder has no login, and may have an `@`.
    if let Some(login) = mask::login_of(mirror).filter(|_| !mirror.starts_with("file:")) {
        shown.replace_range(login.start..=login.end, "");
    }
    shown
}

/// Scheme and host of an address.
fn server(mirror: &str) -> &str {
    let after = mirror.find("://").map_or(0, |n| n + 3);
    let rest = mirror.get(after..).unwrap_or_default();
    let end = after + rest.find('/').unwrap_or(rest.len());
    // A local mirror has no server: its address stands for itself.
    if mirror.starts_with("file:") { mirror } else { mirror.get(..end).unwrap_or(mirror) }
}
