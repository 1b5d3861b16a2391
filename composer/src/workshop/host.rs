//! What the host gives: privileges, kernel features, space.

use std::fs;
use std::path::Path;

use crate::workshop::rights::{Ground, Lack, Person};
use crate::workshop::{rootless, worker};

/// Bytes that a first build needs in the store: downloads, tools, layers.
const STORE_BYTES: u64 = 3_000_000_000;

/// One thing looked at.
#[derive(Debug)]
pub struct Finding {
    pub name: &'static str,
    pub problem: Option<Lack>,
}

/// Looks at everything that a build needs.
pub fn examine(store: &Path) -> Vec<Finding> {
    let mut findings = vec![
        finding(
            "Linux on x86-64",
            cfg!(all(target_os = "linux", target_arch = "x86_64")),
            "another system",
            "use a 64-bit PC with Linux",
        ),
        finding(
            "overlay file system",
            kernel_knows("overlay"),
            "the kernel has no overlayfs",
            "load it with `modprobe overlay`",
        ),
        space(store),
    ];
    let person = if rootless::needed() { person() } else { Vec::new() };
    // Without what an ordinary user needs this cannot go well, and would hide what is really wrong.
    let namespaces = person.iter().all(|f| f.problem.is_none()).then(namespaces);
    findings.extend(person.into_iter().chain(namespaces));
    findings
}

/// What an ordinary user needs.
fn person() -> Vec<Finding> {
    let person = Person::of_process();
    vec![
        Finding { name: "newuidmap and newgidmap", problem: person.tools() },
        Finding { name: "subordinate ids", problem: person.ids() },
    ]
}

fn finding(name: &'static str, good: bool, what: &str, mend: &str) -> Finding {
    Finding { name, problem: (!good).then(|| Lack { what: what.to_owned(), mend: mend.to_owned() }) }
}

fn kernel_knows(file_system: &str) -> bool {
    fs::read_to_string("/proc/filesystems")
        .is_ok_and(|text| text.lines().any(|l| l.split_whitespace().last() == Some(file_system)))
}

fn namespaces() -> Finding {
    let name = if rootless::needed() { "user, mount and PID namespaces" } else { "mount and PID namespaces" };
    let problem = worker::probe().err().map(|error| {
        let what: Vec<String> = std::iter::once(error.to_string()).chain(error.causes().iter().cloned()).collect();
        let mend = error.help_text().map_or_else(|| Ground::here().way_out(), str::to_owned);
        Lack { what: what.join(": "), mend }
    });
    Finding { name, problem }
}

fn space(store: &Path) -> Finding {
    let name = "space for the store";
    let Some(free) = free_bytes(store) else {
        return Finding {
            name,
            problem: Some(Lack {
                what: format!("cannot look at {}", store.display()),
                mend: "give --store DIR".into(),
            }),
        };
    };
    let good = free >= STORE_BYTES;
    let what = format!("{} MB free at {}", free / 1_000_000, store.display());
    finding(
        name,
        good,
        &what,
        &format!("free some: a first build takes about {} MB, or set BORG_STORE", STORE_BYTES / 1_000_000),
    )
}

/// The path, or the nearest folder above it that exists.
pub fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|p| p.exists()).filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that an ordinary user may still write at `path`, or at the nearest folder above it that exists.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(nearest(path)).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}
