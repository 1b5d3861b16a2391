//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use borg_mcp::{Listen, Socket};
use lexopt::prelude::*;

use crate::roots::Wanted;

pub const HELP: &str = "\
borg-mcp-fs: file tools over MCP, held to the folders given

usage: borg-mcp-fs --root DIR[:ro|:max=SIZE]… --stdio
       borg-mcp-fs --root DIR[:ro|:max=SIZE]… --listen ADDR --token-file FILE [--host NAME…] [--origin URL…]
                   [--socket PATH [--socket-group NAME]]
       borg-mcp-fs --make-token FILE [--group NAME]

  --root DIR         a folder that may be read and written; `:ro` only read; `:max=512M` files below it take no more;
                     the first one is where relative paths start; `--root` itself may be left out
  --stdio            serve one client on standard input and output
  --listen ADDR      serve streamable HTTP at http://ADDR/mcp (default 127.0.0.1:7300)
  --token-file FILE  the bearer token that HTTP clients must send, on one line
  --host NAME        a name by which clients on other machines reach this one; an ADDR that is not loopback needs it
  --origin URL       a web page's origin that may call, such as http://127.0.0.1:6969; without any, pages of this machine
  --socket PATH      serve at a Unix socket too, without a token, for root and the user that runs this
  --socket-group NAME  and for the users of a group
  --make-token FILE  write a new random token, readable by owner and group NAME, unless there is one
  --version, --help
";

#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    Help,
    Version,
    MakeToken { path: PathBuf, group: Option<String> },
    Serve(Serve),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Serve {
    pub roots: Vec<Wanted>,
    pub over: Transport,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Transport {
    Stdio,
    Http(Listen),
}

#[derive(Default)]
struct Given {
    roots: Vec<Wanted>,
    hosts: Vec<String>,
    origins: Vec<String>,
    listen: Option<SocketAddr>,
    token: Option<PathBuf>,
    socket: Option<PathBuf>,
    socket_group: Option<String>,
    stdio: bool,
    make_token: Option<PathBuf>,
    group: Option<String>,
}

pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Deed, String> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut given = Given::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Long("help") | Short('h') => return Ok(Deed::Help),
            Long("version") | Short('V') => return Ok(Deed::Version),
            Long("make-token") => given.make_token = Some(parser.value().map_err(|e| e.to_string())?.into()),
            Long("group") => given.group = Some(text(&mut parser)?),
            Long("root") => given.roots.push(root(&text(&mut parser)?)?),
            Value(folder) => given.roots.push(root(&folder.string().map_err(|e| e.to_string())?)?),
            Long("listen") => given.listen = Some(address(&text(&mut parser)?)?),
            Long("token-file") => given.token = Some(parser.value().map_err(|e| e.to_string())?.into()),
            Long("host") => given.hosts.push(text(&mut parser)?),
            Long("origin") => given.origins.push(text(&mut parser)?),
            Long("socket") => given.socket = Some(parser.value().map_err(|e| e.to_string())?.into()),
            Long("socket-group") => given.socket_group = Some(text(&mut parser)?),
            Long("stdio") => given.stdio = true,
            other => return Err(other.unexpected().to_string()),
        }
    }
    match given.make_token.take() {
        Some(path) => Ok(Deed::MakeToken { path, group: given.group }),
        None => serve(given),
    }
}

fn serve(mut given: Given) -> Result<Deed, String> {
    if given.roots.is_empty() {
        return Err("no folder to serve: give --root DIR".into());
    }
    let http = given.listen.is_some() || given.token.is_some() || given.socket.is_some();
    if given.stdio && http {
        return Err("--stdio excludes --listen, --token-file and --socket".into());
    }
    if given.socket.is_none() && given.socket_group.is_some() {
        return Err("--socket-group needs --socket PATH".into());
    }
    let roots = std::mem::take(&mut given.roots);
    // Without a word about it, as clients start the reference server.
    let over = if http { Transport::Http(over_http(given)?) } else { Transport::Stdio };
    Ok(Deed::Serve(Serve { roots, over }))
}

fn over_http(given: Given) -> Result<Listen, String> {
    let Given { listen, token, hosts, origins, socket, socket_group, .. } = given;
    let address = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7300)));
    let token = token.ok_or("to listen needs --token-file FILE; --make-token FILE makes one")?;
    let socket = socket.map(|path| Socket { path, group: socket_group });
    if !address.ip().is_loopback() && hosts.is_empty() {
        return Err(format!(
            "{address} can be reached from other machines: name this one with --host, or listen on 127.0.0.1"
        ));
    }
    Ok(Listen { address, token, hosts, origins, socket })
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    parser.value().and_then(ValueExt::string).map_err(|e| e.to_string())
}

/// `DIR`, `DIR:ro` or `DIR:max=SIZE`; a folder whose name has a colon keeps it unless it ends just so.
fn root(text: &str) -> Result<Wanted, String> {
    let (path, writable, max) = match text.rsplit_once(':') {
        Some((path, "ro")) => (path, false, None),
        Some((path, "rw")) => (path, true, None),
        Some((path, option)) if option.starts_with("max=") => {
            let size = option.strip_prefix("max=").and_then(bytes);
            let fault = || format!("--root {text}: {option} is no size such as 512M");
            (path, true, Some(size.ok_or_else(fault)?))
        }
        _ => (text, true, None),
    };
    if path.is_empty() {
        return Err(format!("--root {text}: names no folder"));
    }
    Ok(Wanted { path: path.into(), writable, max })
}

fn bytes(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'K' => (text.strip_suffix('K')?, 1 << 10),
        b'M' => (text.strip_suffix('M')?, 1 << 20),
        b'G' => (text.strip_suffix('G')?, 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("--listen {text}: not an address such as 127.0.0.1:7300"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(line: &str) -> Result<Deed, String> {
        parse(std::iter::once("borg-mcp-fs").chain(line.split_whitespace()).map(OsString::from))
    }

    fn served(line: &str) -> Serve {
        match parsed(line) {
            Ok(Deed::Serve(serve)) => serve,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn it_listens_on_loopback_and_with_a_token_only() {
        let Transport::Http(http) = served("--root /srv --token-file /t").over else { panic!("not HTTP") };
        assert_eq!(http.address, "127.0.0.1:7300".parse().unwrap());
        assert!(parsed("--root /srv --listen 127.0.0.1:7300").unwrap_err().contains("--token-file"));
        let local = "--root /srv --token-file /t --socket /run/s --socket-group borg";
        let Transport::Http(http) = served(local).over else { panic!("not HTTP") };
        assert_eq!(http.socket, Some(Socket { path: "/run/s".into(), group: Some("borg".into()) }));
        assert!(parsed("--root /srv --socket /run/s").unwrap_err().contains("--token-file"));
        assert!(parsed("--root /srv --token-file /t --socket-group borg").unwrap_err().contains("--socket PATH"));
        let open = "--root /srv --token-file /t --listen 0.0.0.0:7300";
        assert!(parsed(open).unwrap_err().contains("--host"));
        assert!(parsed(&format!("{open} --host edge.lan")).is_ok());
    }

    #[test]
    fn roots_have_rights() {
        let wanted = |path: &str, writable, max| Wanted { path: path.into(), writable, max };
        let serve = served("--root /a:ro --root /b:max=2K --root /c:rw /d /e:f --stdio");
        let expected = [
            wanted("/a", false, None),
            wanted("/b", true, Some(2048)),
            wanted("/c", true, None),
            wanted("/d", true, None),
            wanted("/e:f", true, None),
        ];
        assert_eq!(serve.roots, expected);
        assert_eq!(served("/srv").over, Transport::Stdio);
    }

    #[test]
    fn faults_are_named() {
        for (line, part) in [
            ("", "give --root"),
            ("--root :ro", "names no folder"),
            ("--root /srv:max=1X", "no size such as"),
            ("--root /srv:max=99999999999999G", "no size such as"),
            ("--root /srv --stdio --listen [::1]:1", "--stdio excludes"),
            ("--root /srv --listen here", "not an address"),
            ("--root /srv --rw", "--rw"),
        ] {
            assert!(parsed(line).unwrap_err().contains(part), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_argument_breaks_it(args in prop::collection::vec("(--root|--listen|--stdio|--host|-|:ro|.{0,12})", 0..6)) {
            let _ = parse(std::iter::once("x".to_owned()).chain(args).map(OsString::from));
        }

        #[test]
        fn a_root_keeps_its_path(path in "/[a-z:./]{0,20}") {
            let ro = root(&format!("{path}:ro")).unwrap();
            prop_assert_eq!((ro.path, ro.writable), (PathBuf::from(path), false));
        }
    }
}
