//! `borg-gateway`: one door to the tools of the servers and plugins on a device.
//!
//! It asks servers at their Unix sockets and has plugins run by their host; it starts nothing itself. systemd may start it
//! as `Type=notify`.
#![forbid(unsafe_code)]

mod audit;
mod fault;
mod folder;
mod greet;
mod lines;
mod link;
mod message;
mod names;
mod plugin;
mod plugins;
mod questions;
mod redact;
mod report;
mod servers;
#[cfg(test)]
#[path = "../tests/common/host.rs"]
#[allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
mod testing;
mod times;
mod tools;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use borg_config::{GATEWAY_PATH, Gateway, McpListen};
use borg_mcp::{Failure, Health, Limits, Listen, Service, Socket, token};
use lexopt::prelude::*;

use audit::Audit;
use plugins::Plugins;
use servers::Servers;
use times::Times;
use tools::Tools;

const NAME: &str = "borg-gateway";

/// A file's text may double when it becomes JSON. More callers than one plugin takes, since some wait.
const LIMITS: Limits = Limits { body: 10 * 1024 * 1024, slots: 16 };

const HELP: &str = "\
borg-gateway: one door to the tools of the servers and plugins on a device, over MCP

usage: borg-gateway [--config FILE] [--stdio]
       borg-gateway --make-token FILE [--group NAME]

  --config FILE      what it joins, and where it listens (default /etc/borg/gateway.json)
  --stdio            serve an MCP client on standard input and output, and end with it
  --make-token FILE  write a new random token, readable by owner and group NAME, unless there is one
  --version, --help
";

enum Deed {
    Say(&'static str),
    MakeToken { path: PathBuf, group: Option<String> },
    Serve { config: PathBuf, stdio: bool },
}

fn main() -> ExitCode {
    let deed = match deed() {
        Ok(deed) => deed,
        Err(e) => return fail(&format!("{e}\ntry borg-gateway --help"), 2),
    };
    let result = match deed {
        Deed::Say(text) => std::io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::from),
        Deed::MakeToken { path, group } => token::make(&path, group.as_deref()).map_err(Failure::from),
        Deed::Serve { config, stdio } => run(&config, stdio),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e.to_string(), 1),
    }
}

fn fail(message: &str, status: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "{NAME}: {message}");
    ExitCode::from(status)
}

fn deed() -> Result<Deed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut config = PathBuf::from(GATEWAY_PATH);
    let (mut stdio, mut make_token, mut group) = (false, None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("config") => config = parser.value()?.into(),
            Long("stdio") => stdio = true,
            Long("make-token") => make_token = Some(PathBuf::from(parser.value()?)),
            Long("group") => group = Some(parser.value()?.string()?),
            Long("help") | Short('h') => return Ok(Deed::Say(HELP)),
            Long("version") | Short('V') => {
                return Ok(Deed::Say(concat!("borg-gateway ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(match make_token {
        Some(path) => Deed::MakeToken { path, group },
        None => Deed::Serve { config, stdio },
    })
}

fn run(path: &Path, stdio: bool) -> Result<(), Failure> {
    let config: Gateway = borg_config::load(path)?;
    let audit = Audit::new(config.audit.as_ref())?;
    let servers = Arc::new(Servers::new(config.servers));
    let plugins = Plugins::new(config.plugins, Times::default());
    let tools = Tools::new(Arc::clone(&servers), Arc::clone(&plugins), audit, stdio);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    let result = runtime.block_on(async {
        tokio::spawn(Arc::clone(&plugins).watch());
        if stdio {
            return borg_mcp::stdio(tools).await;
        }
        let more = report::router(Arc::clone(&plugins), tools.clone());
        let service = Service { name: NAME, tools, health: health(servers, plugins), more, limits: LIMITS };
        let McpListen { address, token_file: token, socket, socket_group: group } = config.listen;
        let socket = socket.map(|path| Socket { path, group });
        let (hosts, origins) = (config.hosts, config.origins);
        borg_mcp::listen(service, Listen { address, token, hosts, origins, socket }).await
    });
    runtime.shutdown_background();
    result
}

/// Whether all servers are well. Whoever asks need not have a token, so it says their names and no more.
fn health(servers: Arc<Servers>, plugins: Arc<Plugins>) -> Health {
    Arc::new(move || {
        let (servers, plugins) = (Arc::clone(&servers), Arc::clone(&plugins));
        Box::pin(async move {
            let mut ill = servers.ill().await;
            if plugins.fault().is_some() {
                ill.push("plugins");
            }
            if ill.is_empty() { Ok(()) } else { Err(format!("no good answer from: {}", ill.join(", "))) }
        })
    })
}
