//! HTTP and local files, with proxies, credentials and time limits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::Failure;
use crate::error::IoContext;

/// How long to wait before a mirror counts as dead.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connect: Duration,
    /// Without a single byte.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connect: Duration::from_secs(10), stall: Duration::from_secs(20) }
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
pub struct Body {
    pub start: u64,
    pub reader: Box<dyn Read>,
}

impl Client {
    pub fn new(limits: Limits, proxies: Proxies, logins: Vec<Login>) -> Self {
        Client { limits, proxies, logins, agents: Mutex::default() }
    }

    /// Gets `path` below `mirror` from the byte `start` on; a server that does not do ranges starts at 0.
    pub fn get(&self, mirror: &str, path: &str, start: u64) -> Result<Body, Failure> {
        let address = format!("{}/{}", mirror.trim_end_matches('/'), path);
        match mirror.strip_prefix("file:") {
            Some(_) => local(address.trim_start_matches("file:").trim_start_matches("//"), path, start),
            None => self.http(mirror, &encoded(path), path, start),
        }
    }

    /// Gets a small file whole.
    pub fn small(&self, mirror: &str, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        whole(self.get(mirror, path, 0)?, path, limit)
    }

    /// Asks a server's interface and gets its small answer. Each of `steps` is one step of the path, whatever is in it.
    pub fn ask(&self, server: &str, steps: &[&str], query: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        let path: Vec<String> = steps.iter().map(|step| encoded(step).replace('/', "%2f")).collect();
        let shown = steps.join("/");
        whole(self.http(server, &format!("{}?{query}", path.join("/")), &shown, 0)?, &shown, limit)
    }

    /// `tail` follows the mirror's address as it is; `path` is what people are told.
    fn http(&self, mirror: &str, tail: &str, path: &str, start: u64) -> Result<Body, Failure> {
        let target = Target::of(mirror).ok_or_else(|| Failure::Unreachable("not an address".to_owned()))?;
        let url = format!("{}://{}/{tail}", target.scheme, target.place.trim_end_matches('/'));
        let mut request = self.agent(self.proxies.of(target.scheme, target.host))?.get(&url);
        if let Some(header) = self.authorization(&target) {
            request = request.header("Authorization", header);
        }
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let response = request.call()?;
        let start = match response.status().as_u16() {
            200 => 0,
            206 if starts_at(response.headers(), start) => start,
            404 | 410 => return Err(Failure::Missing(path.to_owned())),
            code => return Err(Failure::Status(code, path.to_owned())),
        };
        // The caller knows how much to expect and stops there.
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Body { start, reader: Box::new(reader) })
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
        Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
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
fn whole(body: Body, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    body.reader.take(limit + 1).read_to_end(&mut bytes).map_err(Failure::of_io)?;
    if bytes.len() as u64 > limit { Err(Failure::WrongBytes(path.to_owned())) } else { Ok(bytes) }
}

fn local(file: &str, path: &str, start: u64) -> Result<Body, Failure> {
    let place = Path::new(file);
    let mut file = match File::open(place) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Failure::Missing(path.to_owned())),
        other => other.at("open", place)?,
    };
    file.seek(SeekFrom::Start(start)).at("read", place)?;
    Ok(Body { start, reader: Box::new(file) })
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

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().chain([0, 0].iter()).take(3).fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        for place in 0..4 {
            let digit = DIGITS.get((word >> (18 - 6 * place)) & 63).copied().unwrap_or(b'=');
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
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
        assert_eq!(base64(b"user:pass"), "dXNlcjpwYXNz");
        assert_eq!(base64(b"a"), "YQ==");
    }
}
