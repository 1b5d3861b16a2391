//! One error type: what went wrong, where, and the way out, with the exit status that scripts rely on.

use std::fmt;

use miette::Diagnostic;

use crate::plain;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault it is; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The profile, lock or another input is wrong (a stale lock with `--locked` too).
    Input,
    /// The command line is wrong.
    Usage,
    /// The host lacks something: a privilege, a kernel feature, space.
    Host,
    /// The network or a mirror failed.
    Network,
    /// The result differs from what was locked.
    Differs,
    /// A package failed to install.
    Package,
    /// The boot check failed.
    Boot,
    /// A fault of ours.
    Internal,
    /// Interrupted by the user.
    Interrupted,
}

impl Kind {
    /// The process exit status for this kind; part of the command line's contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Input => 1,
            Kind::Usage => 2,
            Kind::Host => 3,
            Kind::Network => 4,
            Kind::Differs => 5,
            Kind::Package => 6,
            Kind::Boot => 7,
            Kind::Internal => 70,
            Kind::Interrupted => 130,
        }
    }

    /// The kind that another process of this program ended with; a fault of ours for a status that none has.
    pub fn from_exit_code(code: u8) -> Self {
        const ALL: [Kind; 8] = [
            Kind::Input,
            Kind::Usage,
            Kind::Host,
            Kind::Network,
            Kind::Differs,
            Kind::Package,
            Kind::Boot,
            Kind::Interrupted,
        ];
        ALL.into_iter().find(|kind| kind.exit_code() == code).unwrap_or(Kind::Internal)
    }
}

/// An error for a person: a message that names the thing and the place, its causes, and a way out.
///
/// Build one with a kind's constructor and add to it: `Error::network("…").because(&e).help("…")`.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    /// Reports with spans on the profile, shown instead of the plain message.
    reports: Vec<miette::Report>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(pub fn $name(message: impl Into<String>) -> Self { Self::new(Kind::$kind, message) })*
    };
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: plain::lines(message.into()),
            causes: Vec::new(),
            help: None,
            reports: Vec::new(),
        }))
    }

    constructors! {
        input => Input, usage => Usage, host => Host, network => Network, differs => Differs,
        package => Package, boot => Boot, internal => Internal, interrupted => Interrupted,
    }

    /// Adds what lay beneath, with its own chain of sources.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.0.causes.push(plain::lines(error.to_string()));
            next = error.source();
        }
        self
    }

    /// Adds a cause given as text: a tool's last lines, say.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.0.causes.push(plain::lines(text.into()));
        self
    }

    /// Says what the reader can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(plain::lines(help.into()));
        self
    }

    /// Attaches reports with labelled spans, which are shown in full.
    #[must_use]
    pub fn reports(mut self, reports: Vec<miette::Report>) -> Self {
        self.0.reports = reports;
        self
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    pub fn span_reports(&self) -> &[miette::Report] {
        &self.0.reports
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
}

/// Gives an I/O error the path and the deed it belongs to.
pub trait IoContext<T> {
    /// `deed` is an infinitive: "read", "create".
    fn at(self, deed: &str, path: &std::path::Path) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, deed: &str, path: &std::path::Path) -> Result<T> {
        self.map_err(|e| {
            let error = Error::host(format!("cannot {deed} {}", path.display())).because(&e);
            if e.kind() == std::io::ErrorKind::StorageFull {
                error.help("free some space on that file system, or set BORG_STORE to another one")
            } else {
                error
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exit_status_stands_for_one_kind() {
        let known: Vec<u8> = (1..=255).filter(|code| Kind::from_exit_code(*code).exit_code() == *code).collect();
        assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 70, 130]);
        assert_eq!(Kind::from_exit_code(9), Kind::Internal);
    }
}
