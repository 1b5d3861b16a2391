//! From figures to a Markdown table.

use std::fmt::Write as _;

use super::measure::Figure;

/// What others need for the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    LiveBuild,
    LiveBuildZstd,
    Mkosi,
    MkosiEdit,
    Plain,
}

impl Peer {
    pub const ALL: [Peer; 5] = [Peer::LiveBuild, Peer::LiveBuildZstd, Peer::Mkosi, Peer::MkosiEdit, Peer::Plain];

    pub fn name(self) -> &'static str {
        match self {
            Peer::LiveBuild => "live-build",
            Peer::LiveBuildZstd => "live-build, the profile's compression",
            Peer::Mkosi => "mkosi",
            Peer::MkosiEdit => "mkosi, an edit",
            Peer::Plain => "plain pipeline",
        }
    }
}

/// What a row of ours must reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At most this part of a peer's time: 12 for a twelfth.
    Part(Peer, f64),
    Seconds(f64),
}

/// One kind of work, measured some times.
#[derive(Debug, Default)]
pub struct Row {
    pub what: String,
    pub figures: Vec<Figure>,
    pub goals: Vec<Goal>,
}

impl Row {
    pub fn seconds(&self) -> Option<f64> {
        median(self.figures.iter().map(|f| f.seconds).collect())
    }
}

/// The middle one; of an even number the upper of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The table: peers first, then ours with its goals and whether they are reached.
pub fn table(peers: &[(Peer, Row)], ours: &[Row]) -> String {
    let mut text = String::from("| work | seconds | all runs | peak MB | written MB | at most | reached |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for (peer, row) in peers {
        line(&mut text, peer.name(), row, "", "");
    }
    for row in ours {
        let told: Vec<(String, bool)> = row.goals.iter().filter_map(|goal| judge(row, *goal, peers)).collect();
        let goals: Vec<&str> = told.iter().map(|(goal, _)| goal.as_str()).collect();
        let reached = match (told.len(), told.iter().all(|(_, reached)| *reached)) {
            (0, _) => "",
            (_, true) => "yes",
            (_, false) => "**no**",
        };
        line(&mut text, &row.what, row, &goals.join(", "), reached);
    }
    text
}

fn line(text: &mut String, what: &str, row: &Row, goals: &str, reached: &str) {
    let Some(seconds) = row.seconds() else { return };
    let all: Vec<String> = row.figures.iter().map(|f| digits(f.seconds)).collect();
    let megabytes = |pick: fn(&Figure) -> Option<u64>| {
        let middle = median(row.figures.iter().filter_map(pick).map(|bytes| bytes as f64).collect());
        middle.map_or_else(|| "?".to_owned(), |bytes| format!("{:.0}", bytes / 1e6))
    };
    let (peak, written) = (megabytes(|f| f.peak), megabytes(|f| f.written));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "| {what} | {} | {} | {peak} | {written} | {goals} | {reached} |",
        digits(seconds),
        all.join(" ")
    );
}

/// The goal with the figure beside it, and whether it is reached; none if there is nothing to compare with.
fn judge(row: &Row, goal: Goal, peers: &[(Peer, Row)]) -> Option<(String, bool)> {
    let own = row.seconds()?;
    match goal {
        Goal::Seconds(most) => Some((format!("{} s", digits(most)), own <= most)),
        Goal::Part(peer, part) => {
            let other = peers.iter().find(|(p, _)| *p == peer)?.1.seconds()?;
            Some((format!("1/{part} of {}: 1/{}", peer.name(), digits(other / own)), own * part <= other))
        }
    }
}

/// Three digits that count.
fn digits(value: f64) -> String {
    let places = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, seconds: &[f64], goals: &[Goal]) -> Row {
        let figure = |s: &f64| Figure { seconds: *s, peak: Some(2_000_000), written: None };
        Row { what: what.into(), figures: seconds.iter().map(figure).collect(), goals: goals.to_vec() }
    }

    #[test]
    fn a_ratio_is_judged_by_medians_of_the_same_run() {
        let peers = [(Peer::LiveBuild, row("", &[240.0, 250.0, 300.0], &[]))];
        let goal = Goal::Part(Peer::LiveBuild, 12.0);
        let text = table(
            &peers,
            &[row("cold", &[21.0, 20.0, 99.0], &[goal, Goal::Seconds(20.5)]), row("edit", &[20.0], &[goal])],
        );
        let expected = "| live-build | 250 | 240 250 300 | 2 | ? |  |  |
| cold | 21.0 | 21.0 20.0 99.0 | 2 | ? | 1/12 of live-build: 1/11.9, 20.5 s | **no** |
| edit | 20.0 | 20.0 | 2 | ? | 1/12 of live-build: 1/12.5 | yes |
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let text = table(&[], &[row("cold", &[], &[]), row("edit", &[0.0123], &[Goal::Part(Peer::Mkosi, 5.0)])]);
        assert_eq!(text.lines().nth(2), Some("| edit | 0.012 | 0.012 | 2 | ? |  |  |"));
        assert_eq!(text.lines().count(), 3);
    }
}
