//! `doctor`: what this host or container lacks, and what to do.

use std::io::Write;
use std::path::Path;

use crate::Error;
use crate::cli::args::Global;
use crate::cli::project;
use crate::error::{IoContext, Result};
use crate::workshop::host::{self, Finding};
use crate::workshop::rights::Lack;

pub fn run(global: &Global) -> Result<()> {
    let root = project::store_root(global)?;
    let findings = host::examine(&root);
    let mut out = std::io::stdout().lock();
    for Finding { name, problem } in &findings {
        let line = match problem {
            None => format!("ok       {name}\n"),
            Some(Lack { what, mend }) => format!("lacking  {name}: {what}\n         {mend}\n"),
        };
        out.write_all(line.as_bytes()).at("write", Path::new("stdout"))?;
    }
    let lacking = findings.iter().filter(|f| f.problem.is_some()).count();
    if lacking == 0 {
        return Ok(());
    }
    Err(Error::host(format!("this host lacks {lacking} of {} things that a build needs", findings.len()))
        .help("see the lines above"))
}
