//! The ways in which a mirror fails.

use std::fmt;
use std::io;

use crate::Error;

/// Why a mirror did not give what was asked for. As text: the rest of a sentence that starts with the mirror.
#[derive(Debug)]
pub enum Failure {
    /// 404, with the path.
    Missing(String),
    /// An answer that does not have what was asked for, with its name.
    Lacks(String),
    /// Another status, with the path.
    Status(u16, String),
    /// Its name has no address.
    Unknown,
    /// No connection: refused, no route, no answer in time.
    Unreachable(String),
    /// Connected, then silent.
    Stalled,
    /// Less came than is to be put up with, with how much that was.
    Slow(String),
    Tls(String),
    /// The connection ended early.
    Cut(String),
    /// An index that is not to be believed.
    Untrusted(String),
    /// A file whose size or hash is not the signed one, with its path.
    WrongBytes(String),
    /// Not the mirror's fault: the store cannot be written, say.
    Local(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Missing(path) => write!(f, "answers 404 for {path}"),
            Failure::Lacks(what) => write!(f, "does not have {what}"),
            Failure::Status(code, path) => write!(f, "answers {code} for {path}"),
            Failure::Unknown => f.write_str("is unknown: no such host"),
            Failure::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            Failure::Stalled => f.write_str("sends nothing any more"),
            Failure::Slow(what) => write!(f, "is too slow: {what}"),
            Failure::Tls(why) => write!(f, "has no secure connection that can be trusted: {why}"),
            Failure::Cut(why) => write!(f, "ended the connection early: {why}"),
            Failure::Untrusted(why) => f.write_str(why),
            Failure::WrongBytes(path) => write!(f, "serves other bytes than the signed ones for {path}"),
            Failure::Local(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Local(error)
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                Failure::Unreachable("no answer in time".to_owned())
            }
            ureq::Error::Timeout(_) => Failure::Stalled,
            ureq::Error::HostNotFound => Failure::Unknown,
            ureq::Error::ConnectionFailed => Failure::Unreachable("no connection".to_owned()),
            ureq::Error::Tls(why) => Failure::Tls(why.to_owned()),
            ureq::Error::Rustls(why) => Failure::Tls(why.to_string()),
            ureq::Error::Io(e) => Failure::of_io(e),
            other => Failure::Cut(other.to_string()),
        }
    }
}

impl Failure {
    /// True if the same mirror may answer when it is asked again.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Failure::Unreachable(_) | Failure::Stalled | Failure::Slow(_) | Failure::Cut(_) | Failure::Status(500.., _)
        )
    }

    /// Classifies what happened while connecting or reading.
    pub fn of_io(error: io::Error) -> Self {
        use io::ErrorKind as K;
        match error.kind() {
            K::TimedOut | K::WouldBlock => Failure::Stalled,
            K::ConnectionRefused => Failure::Unreachable("connection refused".to_owned()),
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => {
                Failure::Unreachable(error.to_string())
            }
            _ => match error.downcast::<ureq::Error>() {
                // ureq wraps its own errors to get them through `Read`; an io one would only come back here.
                Ok(ureq::Error::Io(e)) => Failure::Cut(e.to_string()),
                Ok(inner) => inner.into(),
                Err(e) if e.to_string().contains("certificate") => Failure::Tls(e.to_string()),
                // The standard library has no kind of its own for a resolver's failure.
                Err(e) if e.to_string().contains("failed to lookup address") => Failure::Unknown,
                Err(e) => Failure::Cut(e.to_string()),
            },
        }
    }
}
