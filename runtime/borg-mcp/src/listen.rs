//! A service that listens: on an address, and on a socket for local users if there is one.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use axum::Router;
use borg_config::McpListen;
use nix::unistd::Group;
use rmcp::ServerHandler;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::http::{self, Door, Health};
use crate::peers::Peers;
use crate::serve::{Tcp, Unix, serve};
use crate::sessions::Sessions;
use crate::token::{self, Token};

/// What is served.
pub struct Service<S> {
    /// As it says what it does on standard error.
    pub name: &'static str,
    pub tools: S,
    pub health: Health,
    /// What else it answers to those who may ask.
    pub more: Router,
    pub limits: Limits,
    pub sessions: Sessions,
}

/// How much a service takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    /// Requests worked on, or their answers still held, at once.
    pub slots: usize,
}

/// Where a service listens, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    /// The file with the bearer token.
    pub token: PathBuf,
    /// Further names of this machine that clients use; only a service open to other machines needs them.
    pub hosts: Vec<String>,
    /// Origins of web pages; without any, pages that this machine serves.
    pub origins: Vec<String>,
    pub socket: Option<Socket>,
}

/// A Unix socket for root, for the service's own user and for those of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    pub path: PathBuf,
    pub group: Option<String>,
}

impl From<McpListen> for Listen {
    fn from(listen: McpListen) -> Self {
        let McpListen { address, token_file: token, socket, socket_group: group } = listen;
        let socket = socket.map(|path| Socket { path, group });
        Listen { address, token, hosts: Vec::new(), origins: Vec::new(), socket }
    }
}

/// Serves until SIGTERM or SIGINT. systemd may start it as `Type=notify`.
pub async fn listen<S>(service: Service<S>, listen: Listen) -> Result<(), Failure>
where
    S: ServerHandler + Clone,
{
    let Listen { address, token: file, hosts, origins, socket } = listen;
    let name = service.name;
    let token = Token::read(&file)?;
    if let Some(weakness) = token::weakness(&token, &file) {
        say(name, &weakness);
    }
    let door = Door { token, hosts, origins };
    let listener = TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))?;
    let local = socket.as_ref().map(bind).transpose()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let routers = http::routers(service, door, stop.child_token());
    say(name, &format!("serving MCP at http://{}/mcp", listener.local_addr()?));
    // Fails without systemd, and then nobody waits for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(serve(Tcp(listener, routers.token), stop.clone()));
    if let (Some(listener), Some(socket)) = (local, &socket) {
        say(name, &format!("serving MCP at {}", socket.path.display()));
        let peers = Peers::new(socket.group.clone());
        servers.spawn(serve(Unix { listener, peers, app: routers.peers }, stop.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    servers.join_all().await;
    if let Some(socket) = socket {
        let _ = fs::remove_file(socket.path);
    }
    Ok(())
}

fn say(name: &str, message: &str) {
    // Nobody left to tell is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "{name}: {message}");
}

/// Makes the socket under another name first, so that nobody connects before its mode is right.
fn bind(socket: &Socket) -> Result<UnixListener, String> {
    let Socket { path, group } = socket;
    let fault = |e: io::Error| format!("cannot listen on {}: {e}", path.display());
    if fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(format!("cannot listen on {}: something else is there", path.display()));
    }
    let part = beside(path);
    // What a killed run left there.
    let _ = fs::remove_file(&part);
    let listener = UnixListener::bind(&part).map_err(fault)?;
    let mode = if group.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(&part, fs::Permissions::from_mode(mode)).map_err(fault)?;
    if let Some(name) = group {
        let group = Group::from_name(name).ok().flatten().ok_or_else(|| format!("there is no group {name}"))?;
        let gid = group.gid.as_raw();
        // A service that may not call chown(2) has the group as its own.
        if fs::metadata(&part).map_err(fault)?.gid() != gid {
            std::os::unix::fs::chown(&part, None, Some(gid)).map_err(fault)?;
        }
    }
    fs::rename(&part, path).map_err(fault)?;
    Ok(listener)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
