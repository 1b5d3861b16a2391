//! The command line.

use std::path::PathBuf;

use borg_config::GATEWAY_SOCKET;
use clap::{Parser, Subcommand};

/// Where plugins are run without network unless told otherwise.
const HOST_SOCKET: &str = "/run/borg-plugin/host.sock";

/// The tools of this device on the command line
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "The exit status is 0 when all went well, 1 when a tool or plugin failed, 2 for a wrong command line, 3 when \
                  nobody answers."
)]
pub struct Cli {
    /// The gateway's socket
    #[arg(long, global = true, value_name = "PATH", env = "BORG_GATEWAY", default_value = GATEWAY_SOCKET)]
    pub socket: PathBuf,

    #[command(subcommand)]
    pub deed: Deed,
}

#[derive(Debug, Subcommand)]
pub enum Deed {
    /// Show all tools with their parameters
    Tools {
        /// Print them as MCP has them
        #[arg(long)]
        json: bool,
    },
    /// Call a tool and print what it answers
    Call {
        tool: String,
        /// An argument; numbers, true and false, lists and objects are written as in JSON
        #[arg(long = "arg", value_name = "NAME=VALUE")]
        args: Vec<String>,
        /// Print the whole result as JSON
        #[arg(long)]
        json: bool,
    },
    /// See how plugins are
    Plugin {
        #[command(subcommand)]
        deed: PluginDeed,
    },
}

#[derive(Debug, Subcommand)]
pub enum PluginDeed {
    /// Show all plugins, with what is wrong with them
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say which tools a Python file would bring, or why it would not run
    Check {
        file: PathBuf,
        /// The socket of the plugin host
        #[arg(long, value_name = "PATH", default_value = HOST_SOCKET)]
        host: PathBuf,
    },
}
