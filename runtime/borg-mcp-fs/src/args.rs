//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::prelude::*;

pub const HELP: &str = "\
borg-mcp-fs: read-only file tools over MCP, held to the folders given

usage: borg-mcp-fs --root DIR[:ro] [--root DIR…] [--listen ADDR [--host NAME…] | --stdio]

  --root DIR     a folder that may be read, as an absolute path; `:ro` at its end says what is so anyway
  --listen ADDR  serve streamable HTTP at http://ADDR/mcp (default 127.0.0.1:7300)
  --host NAME    a name by which clients on other machines reach this one; an ADDR that is not loopback needs it
  --stdio        serve one client on standard input and output
  --version, --help
";

#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    Help,
    Version,
    Serve(Serve),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Serve {
    pub roots: Vec<PathBuf>,
    pub over: Transport,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Transport {
    Stdio,
    Http { listen: SocketAddr, hosts: Vec<String> },
}

pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Deed, String> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut roots = Vec::new();
    let mut hosts = Vec::new();
    let mut listen = None;
    let mut stdio = false;
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Long("help") | Short('h') => return Ok(Deed::Help),
            Long("version") | Short('V') => return Ok(Deed::Version),
            Long("root") => roots.push(root(&value(&mut parser)?)?),
            Long("listen") => listen = Some(address(&value(&mut parser)?)?),
            Long("host") => hosts.push(value(&mut parser)?),
            Long("stdio") => stdio = true,
            other => return Err(other.unexpected().to_string()),
        }
    }
    if roots.is_empty() {
        return Err("no folder to read: give --root DIR".into());
    }
    let over = match (stdio, listen) {
        (true, Some(_)) => return Err("--stdio and --listen exclude each other".into()),
        (true, None) => Transport::Stdio,
        (false, listen) => http(listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7300))), hosts)?,
    };
    Ok(Deed::Serve(Serve { roots, over }))
}

fn http(listen: SocketAddr, hosts: Vec<String>) -> Result<Transport, String> {
    if !listen.ip().is_loopback() && hosts.is_empty() {
        return Err(format!(
            "{listen} can be reached from other machines: name this one with --host, or listen on 127.0.0.1"
        ));
    }
    Ok(Transport::Http { listen, hosts })
}

fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    parser.value().and_then(ValueExt::string).map_err(|e| e.to_string())
}

fn root(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text.strip_suffix(":ro").unwrap_or(text));
    if path.is_absolute() { Ok(path) } else { Err(format!("--root {text}: not an absolute path")) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("--listen {text}: not an address such as 127.0.0.1:7300"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Deed, String> {
        parse(std::iter::once("borg-mcp-fs").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn it_listens_on_loopback_unless_told() {
        let Ok(Deed::Serve(serve)) = parsed("--root /srv:ro") else { panic!("not accepted") };
        assert_eq!(serve.roots, [PathBuf::from("/srv")]);
        assert_eq!(serve.over, Transport::Http { listen: "127.0.0.1:7300".parse().unwrap(), hosts: vec![] });
        assert!(parsed("--root /srv --listen 0.0.0.0:7300").unwrap_err().contains("--host"));
        assert!(parsed("--root /srv --listen 0.0.0.0:7300 --host edge.lan").is_ok());
    }

    #[test]
    fn faults_are_named() {
        for (line, part) in [
            ("", "give --root"),
            ("--root srv", "not an absolute path"),
            ("--root /srv --stdio --listen [::1]:1", "exclude each other"),
            ("--root /srv --listen here", "not an address"),
            ("--root /srv --rw", "--rw"),
        ] {
            assert!(parsed(line).unwrap_err().contains(part), "{line}");
        }
    }
}
