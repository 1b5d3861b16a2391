//! The composer measured beside its peers, in one run: what `.ci/bench` prints.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod measure;
mod own;
mod peers;
mod table;
mod yard;

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Bench, checkout};
use own::{Own, Work};
use peers::Peers;
use table::{Goal, Peer, Row, table};
use yard::Yard;

/// What is measured, and what it must reach.
fn rows() -> Vec<(Work, Row)> {
    let part = |parts: &[(Peer, f64)]| parts.iter().map(|(peer, part)| Goal::Part(*peer, *part)).collect();
    let row = |what: &str, goals: Vec<Goal>| Row { what: what.to_owned(), figures: Vec::new(), goals };
    vec![
        (Work::Cold, row("from nothing", part(&[(Peer::LiveBuild, 12.0), (Peer::Mkosi, 5.0), (Peer::Plain, 2.0)]))),
        (Work::ColdOnDisk, row("from nothing, `--scratch disk`", Vec::new())),
        (Work::ColdInLittleMemory, row("from nothing, in the tree's size and 500 MB", Vec::new())),
        (Work::Package, row("one package added", part(&[(Peer::LiveBuild, 50.0)]))),
        (Work::InitrdPackage, row("one package added that changes the initramfs", part(&[(Peer::LiveBuild, 18.0)]))),
        (Work::File, row("one file changed", part(&[(Peer::LiveBuild, 120.0), (Peer::MkosiEdit, 14.0)]))),
        (Work::FileFast, row("one file changed, `--fast`", Vec::new())),
        (Work::Nothing, row("nothing changed", vec![Goal::Seconds(0.2)])),
        (Work::Check, row("`check`, a whole process", vec![Goal::Seconds(0.01)])),
        (Work::CheckMany(1000), row("`check --all` of 1,000 profiles", vec![Goal::Seconds(1.0)])),
        (Work::CheckMany(10_000), row("`check --all` of 10,000 profiles", vec![Goal::Seconds(10.0)])),
        (Work::First, row("`build --all` of one profile, from nothing", Vec::new())),
        (Work::Family, row("`build --all` of ten that share a base, from nothing", Vec::new())),
    ]
}

/// Measures everything `rounds` times in turn, beside those peers whose names begin with one of `wanted`.
pub fn run(rounds: usize, wanted: &[String]) {
    let folder = checkout().join("target/bench");
    let own = Own { bench: Bench::new(&folder), log: folder.join("log") };
    let _ = fs::remove_file(&own.log);
    eprintln!("preparing; the log is {}", own.log.display());
    own.prepare();
    let (tree, lock, store) = (own.render(), own.lock(), own.store());
    let mirrors = mirrors(&tree);
    let chosen = Peer::ALL.into_iter().filter(|peer| wanted.iter().any(|name| peer.name().starts_with(name)));
    let mut others: Vec<(Peer, Row)> = chosen.map(|peer| (peer, Row::default())).collect();
    if !others.is_empty() {
        own.fetch_all();
    }
    let yard = (!others.is_empty()).then(|| Yard::new(&folder, &lock, &store, &mirrors, &own.log));
    let peers = yard.as_ref().map(|yard| Peers {
        yard,
        lock: &lock,
        mirror: &mirrors[0].1,
        tree: &tree,
        log: folder.join("log-peers"),
    });
    if let Some(peers) = &peers {
        // Whatever they keep between runs is there before the clock starts.
        for (peer, _) in &others {
            if let Err(status) = peers.warm(*peer) {
                eprintln!("{}: failed: {status}; see {}", peer.name(), peers.log.display());
            }
        }
    }
    let mut rows = rows();
    for round in 1..=rounds {
        for (work, row) in rows.iter_mut().filter(|(_, row)| round == 1 || !row.goals.is_empty()) {
            row.figures.extend(told(&row.what, round, own.run(*work, round)));
        }
        for (peer, row) in others.iter_mut().filter(|(peer, _)| round == 1 || is_compared(*peer)) {
            row.figures.extend(peers.as_ref().and_then(|peers| told(peer.name(), round, peers.run(*peer, round))));
        }
    }
    let ours: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    println!("{}", heading(&own, rounds));
    println!("{}", table(&others, &ours));
}

/// True if some figure of ours is compared with this peer's.
fn is_compared(peer: Peer) -> bool {
    let part = |goal: &Goal| matches!(goal, Goal::Part(named, _) if *named == peer);
    rows().iter().any(|(_, row)| row.goals.iter().any(part))
}

/// Says what came out, and drops what failed: the table shows how many runs there are.
fn told(what: &str, round: usize, figure: Result<measure::Figure, String>) -> Option<measure::Figure> {
    match &figure {
        Ok(figure) => eprintln!("round {round}: {what}: {:.3} s", figure.seconds),
        Err(status) => eprintln!("round {round}: {what}: failed: {status}"),
    }
    figure.ok()
}

fn heading(own: &Own, rounds: usize) -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let lock = own.lock();
    format!(
        "edge-iot, {} packages, {} MB of .deb, {} MB installed; {processors} processors; \
         medians of {rounds} runs, and one run of what no figure is asked of\n",
        lock.packages.len(),
        lock.deb_bytes() / 1_000_000,
        own.tree_bytes() / 1_000_000
    )
}

/// Suites and addresses of Debian's archives as the rendered tree names them, the main one first.
fn mirrors(tree: &Path) -> Vec<(String, String)> {
    let config: PathBuf = tree.join("auto/config");
    let text = fs::read_to_string(config).unwrap();
    let option = |name: &str| {
        let line = text.lines().find(|line| line.trim().starts_with(name))?;
        Some(line.trim().trim_start_matches(name).trim_matches([' ', '\\', '\'', '"']).to_owned())
    };
    let main = option("--mirror-chroot ").unwrap();
    let security = option("--mirror-chroot-security ").unwrap_or_else(|| format!("{main}-security"));
    vec![
        ("trixie".to_owned(), main.clone()),
        ("trixie-updates".to_owned(), main),
        ("trixie-security".to_owned(), security),
        ("trixie-security".to_owned(), "http://security.debian.org/debian-security".to_owned()),
    ]
}
