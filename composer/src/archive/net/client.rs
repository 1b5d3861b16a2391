//! HTTP and local files, with proxies, credentials and time limits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::Failure;
use super::flow::{self, CHUNK, Flow, Pace};
use crate::error::IoContext;
use crate::interrupt::Heeding;
use crate::regular;

/// How long to wait before a mirror counts as dead.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connect: Duration,
    /// Without a single byte.
    pub stall: Duration,
    /// For a small file as a whole.
    pub small: Duration,
    /// For a large one, again and again.
    pub large: Pace,
}

impl Default for Limits {
    fn default() -> Self {
        let pace = Duration::from_secs(30);
        Limits {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            small: pace,
            large: Pace { within: pace, least: Some(30_000) },
        }
    }
}

/// Which proxy is for whom; `None` as a value means none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// By scheme: `http`, `https`.
    pub by_scheme: BTreeMap<String, String>,
    /// By scheme and host, before the scheme's own.
    pub by_host: BTreeMap<(String, String), Option<String>>,
    /// Hosts, or domains with a leading dot, that are asked directly; `*` for all.
    pub direct: Vec<String>,
}

impl Proxies {
    fn of(&self, scheme: &str, host: &str) -> Option<&str> {
        if let Some(own) = self.by_host.get(&(scheme.to_owned(), host.to_owned())) {
            return own.as_deref();
        }
        let direct = |name: &String| {
            let domain = name.trim_start_matches('.');
            name == "*" || host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        };
        if self.direct.iter().any(direct) { None } else { self.by_scheme.get(scheme).map(String::as_str) }
    }
}

/// A name and password for addresses that start as given.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// `None` is https only, as apt has it: a password is not for the open line.
    pub scheme: Option<String>,
    /// The host, with a port if one was given, and the start of the path.
    pub place: String,
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.place)
    }
}

impl Login {
    fn is_for(&self, scheme: &str, place: &str) -> bool {
        let rest = place.strip_prefix(self.place.as_str());
        let whole = |rest: &str| self.place.ends_with('/') || rest.is_empty() || rest.starts_with(['/', ':']);
        self.scheme.as_deref().unwrap_or("https") == scheme && rest.is_some_and(whole)
    }
}

#[derive(Debug, Default)]
pub struct Client {
    limits: Limits,
    proxies: Proxies,
    logins: Vec<Login>,
    /// One a proxy: an agent keeps its connections.
    agents: Mutex<HashMap<Option<String>, Agent>>,
}

/// An answer, and where in the file it starts.
#[derive(Debug)]
pub struct Body {
    pub start: u64,
    from: Origin,
}

#[derive(Debug)]
enum Origin {
    Net(Flow),
    Disk(File),
}

impl Body {
    /// The next bytes; none at the end.
    pub fn next(&mut self) -> Result<Vec<u8>, Failure> {
        match &mut self.from {
            Origin::Net(flow) => flow.next(),
            Origin::Disk(file) => {
                let mut bytes = Vec::with_capacity(CHUNK);
                Heeding(file).take(CHUNK as u64).read_to_end(&mut bytes).map_err(Failure::of_io)?;
                Ok(bytes)
            }
        }
    }
}

impl Client {
    pub fn new(limits: Limits, proxies: Proxies, logins: Vec<Login>) -> Self {
        Client { limits, proxies, logins, agents: Mutex::default() }
    }

    /// Gets `path` below `mirror` from the byte `start` on; a server that does not do ranges starts at 0.
    pub fn get(&self, mirror: &str, path: &str, start: u64) -> Result<Body, Failure> {
        self.at_pace(mirror, path, start, self.limits.large)
    }

    /// Gets a small file whole.
    pub fn small(&self, mirror: &str, path: &str, limit: usize) -> Result<Vec<u8>, Failure> {
        whole(self.at_pace(mirror, path, 0, self.small_pace())?, path, limit)
    }

    /// Asks a server's interface and gets its small answer. Each of `steps` is one step of the path, whatever is in it.
    pub fn ask(&self, server: &str, steps: &[&str], query: &str, limit: usize) -> Result<Vec<u8>, Failure> {
        let path: Vec<String> = steps.iter().map(|step| encoded(step).replace('/', "%2f")).collect();
        let shown = steps.join("/");
        whole(self.http(server, &format!("{}?{query}", path.join("/")), &shown, 0, self.small_pace())?, &shown, limit)
    }

    fn small_pace(&self) -> Pace {
        Pace { within: self.limits.small, least: None }
    }

    fn at_pace(&self, mirror: &str, path: &str, start: u64, pace: Pace) -> Result<Body, Failure> {
        let address = format!("{}/{}", mirror.trim_end_matches('/'), path);
        match mirror.strip_prefix("file:") {
            Some(_) => local(address.trim_start_matches("file:").trim_start_matches("//"), path, start),
            None => self.http(mirror, &encoded(path), path, start, pace),
        }
    }

    /// `tail` follows the mirror's address as it is; `path` is what people are told.
    fn http(&self, mirror: &str, tail: &str, path: &str, start: u64, pace: Pace) -> Result<Body, Failure> {
        let target = Target::of(mirror).ok_or_else(|| Failure::Unreachable("not an address".to_owned()))?;
        let url = format!("{}://{}/{tail}", target.scheme, target.place.trim_end_matches('/'));
        let mut request = self.agent(self.proxies.of(target.scheme, target.host))?.get(&url);
        if let Some(header) = self.authorization(&target) {
            request = request.header("Authorization", header);
        }
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let (head, flow) = flow::ask(request, pace)?;
        let start = match head.status.as_u16() {
            200 => 0,
            206 if starts_at(&head.headers, start) => start,
            404 | 410 => return Err(Failure::Missing(path.to_owned())),
            code => return Err(Failure::Status(code, path.to_owned())),
        };
        Ok(Body { start, from: Origin::Net(flow) })
    }

    fn agent(&self, proxy: Option<&str>) -> Result<Agent, Failure> {
        let broken = || Failure::Unreachable("its proxy's address cannot be read".to_owned());
        let mut agents = self.agents.lock().map_err(|_| broken())?;
        if let Some(agent) = agents.get(&proxy.map(str::to_owned)) {
            return Ok(agent.clone());
        }
        let through = proxy.map(ureq::Proxy::new).transpose().map_err(|_| broken())?;
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .proxy(through)
            .user_agent(concat!("borg-compose/", env!("CARGO_PKG_VERSION")))
            // What is asked for is compressed already, and a mirror must not unpack it on the way.
            .accept_encoding("identity")
            .timeout_resolve(Some(self.limits.connect))
            .timeout_connect(Some(self.limits.connect))
            .timeout_recv_response(Some(self.limits.stall))
            .timeout_per_read(Some(self.limits.stall))
            .build()
            .into();
        agents.insert(proxy.map(str::to_owned), agent.clone());
        Ok(agent)
    }

    fn authorization(&self, target: &Target<'_>) -> Option<String> {
        let stored = || self.logins.iter().find(|l| l.is_for(target.scheme, target.place));
        let (user, password) = match target.login {
            Some(login) => login.split_once(':').unwrap_or((login, "")),
            None => stored().map(|l| (l.user.as_str(), l.password.as_str()))?,
        };
        Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }
}

/// A mirror's address, taken apart.
struct Target<'m> {
    scheme: &'m str,
    /// `user:password`, if the address has them.
    login: Option<&'m str>,
    host: &'m str,
    /// Host, port and path.
    place: &'m str,
}

impl<'m> Target<'m> {
    fn of(mirror: &'m str) -> Option<Self> {
        let (scheme, rest) = mirror.split_once("://").filter(|(s, _)| matches!(*s, "http" | "https"))?;
        let authority = rest.split('/').next()?;
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, _)) => (Some(login), rest.get(login.len() + 1..)?),
            None => (None, rest),
        };
        let host = place.split('/').next()?;
        let host = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
        Some(Target { scheme, login, host, place })
    }
}

/// Reads an answer to its end, which must come within `limit` bytes.
fn whole(mut body: Body, path: &str, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let more = body.next()?;
        bytes.extend_from_slice(&more);
        match () {
            () if bytes.len() > limit => return Err(Failure::WrongBytes(path.to_owned())),
            () if more.is_empty() => return Ok(bytes),
            () => {}
        }
    }
}

fn local(file: &str, path: &str, start: u64) -> Result<Body, Failure> {
    let place = Path::new(file);
    let mut file = match regular::open(place) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Failure::Missing(path.to_owned())),
        other => other.at("open", place)?,
    };
    file.seek(SeekFrom::Start(start)).at("read", place)?;
    Ok(Body { start, from: Origin::Disk(file) })
}

/// Whether `Content-Range: bytes <start>-…` says what was asked for.
fn starts_at(headers: &ureq::http::HeaderMap, start: u64) -> bool {
    let range = headers.get("content-range").and_then(|v| v.to_str().ok());
    let first = range.and_then(|r| r.strip_prefix("bytes ")).and_then(|r| r.split('-').next());
    first.and_then(|n| n.parse().ok()) == Some(start)
}

/// A path as it goes into an address; `+` too, which some stores take for a blank (so does apt).
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:=@,".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_by_host_scheme_and_exception() {
        let mut proxies = Proxies { direct: vec![".local".into(), "near.org".into()], ..Proxies::default() };
        proxies.by_scheme.insert("http".into(), "http://p:1".into());
        proxies.by_host.insert(("http".into(), "own.org".into()), None);
        assert_eq!(proxies.of("http", "deb.debian.org"), Some("http://p:1"));
        assert_eq!(proxies.of("https", "deb.debian.org"), None);
        assert_eq!(proxies.of("http", "own.org"), None);
        assert_eq!(proxies.of("http", "a.local"), None);
        assert_eq!(proxies.of("http", "near.org"), None);
        assert_eq!(proxies.of("http", "notnear.org"), Some("http://p:1"));
    }

    #[test]
    fn logins_are_for_their_place_only() {
        let login = Login { scheme: None, place: "a.org/deb".into(), user: "u".into(), password: "p".into() };
        assert!(login.is_for("https", "a.org/deb/x") && login.is_for("https", "a.org/deb"));
        assert!(!login.is_for("http", "a.org/deb"), "a password is not for the open line");
        assert!(!login.is_for("https", "a.org/debian") && !login.is_for("https", "xa.org/deb"));
        assert_eq!(format!("{login:?}"), "Login(a.org/deb)");
    }

    #[test]
    fn addresses_and_paths() {
        let target = Target::of("http://u:p@host:80/debian").unwrap();
        assert_eq!((target.login, target.host, target.place), (Some("u:p"), "host", "host:80/debian"));
        assert!(Target::of("ftp://x/").is_none());
        assert_eq!(encoded("pool/g++_1%3a2~x.deb"), "pool/g%2b%2b_1%253a2~x.deb");
    }
}
