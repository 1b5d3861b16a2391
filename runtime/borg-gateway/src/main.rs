//! `borg-gateway`: one door to the tools of the servers and plugins on a device.
//!
//! It asks servers at their Unix sockets and has plugins run by their host; it starts nothing itself. systemd may start it
//! as `Type=notify`.
#![forbid(unsafe_code)]

mod asking;
mod audit;
mod count;
mod fault;
mod folder;
mod greet;
mod lines;
mod link;
mod listing;
mod message;
mod names;
mod pairs;
mod plugin;
mod plugins;
mod questions;
mod redact;
mod report;
mod resources;
mod secret;
mod servers;
mod stop;
#[cfg(test)]
#[path = "../tests/common/host.rs"]
#[allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
mod testing;
mod times;
mod tools;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use borg_config::{GATEWAY_PATH, Gateway};
use borg_mcp::{Failure, Health, Limits, Listen, Program, Service, Sessions};

use audit::Audit;
use plugins::Plugins;
use servers::Servers;
use stop::Stop;
use times::Times;
use tools::Tools;

const NAME: &str = "borg-gateway";

/// A file's text may double when it becomes JSON. More callers than one plugin takes, since some wait.
const LIMITS: Limits = Limits { body: 10 * 1024 * 1024, slots: 16 };

/// How long calls that the end cuts short may take to be written down.
const LAST_WORDS: Duration = Duration::from_secs(2);

const HELP: &str = "\
borg-gateway: one door to the tools of the servers and plugins on a device, over MCP

usage: borg-gateway [--config FILE] [--stdio]
       borg-gateway --make-token FILE [--group NAME]

  --config FILE      what it joins, and where it listens (default /etc/borg/gateway.json)
  --stdio            serve an MCP client on standard input and output, and end with it
  --make-token FILE  write a new random token, readable by owner and group NAME, unless there is one
  --version, --help
";

fn main() -> ExitCode {
    Program { name: NAME, version: env!("CARGO_PKG_VERSION"), help: HELP, config: GATEWAY_PATH }.main(run)
}

fn run(path: &Path, stdio: bool) -> Result<(), Failure> {
    let config: Gateway = borg_config::load(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    let stop = runtime.block_on(async { Stop::on_signals() })?;
    let audit = Audit::new(config.audit.as_ref(), stop)?;
    let servers = Arc::new(Servers::new(config.servers));
    let plugins = Plugins::new(config.plugins, Times::default());
    let tools = Tools::new(Arc::clone(&servers), Arc::clone(&plugins), audit.clone(), stdio);
    let result = runtime.block_on(async {
        tokio::spawn(Arc::clone(&plugins).watch());
        if stdio {
            let result = borg_mcp::stdio(tools).await;
            let _ = tokio::time::timeout(LAST_WORDS, audit.quiet()).await;
            return result;
        }
        let more = report::router(Arc::clone(&plugins), tools.clone());
        let service = Service {
            name: NAME,
            tools,
            health: health(servers, plugins),
            more,
            limits: LIMITS,
            sessions: Sessions::None,
        };
        let (hosts, origins) = (config.hosts, config.origins);
        let result = borg_mcp::listen(service, Listen { hosts, origins, ..config.listen.into() }).await;
        let _ = tokio::time::timeout(LAST_WORDS, audit.quiet()).await;
        result
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
