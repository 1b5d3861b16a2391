//! `schema`: the JSON Schema that editors use.

use std::io::Write;
use std::path::Path;

use crate::cli::args::Schema;
use crate::cli::project;
use crate::error::{IoContext, Result};
use crate::{Error, catalogue, profile, store};

pub fn run(args: &Schema) -> Result<()> {
    let catalogue = catalogue::load(&project::assets()?)?;
    let schema = profile::schema::schema(&catalogue);
    let mut text =
        serde_json::to_string_pretty(&schema).map_err(|e| Error::internal("cannot write the schema").because(&e))?;
    text.push('\n');
    match &args.output {
        Some(path) => store::write_atomically(path, text.as_bytes()),
        None => std::io::stdout().lock().write_all(text.as_bytes()).at("write", Path::new("stdout")),
    }
}
