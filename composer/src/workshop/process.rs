//! Running one tool: fixed environment, output to a log, and a failure that can be pasted to replay it.

#![allow(clippy::disallowed_types, reason = "starts every tool")]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::workshop::{clock, host};
use crate::{Error, Kind};

/// How many of a tool's last lines an error shows.
const TAIL: usize = 15;
/// Bytes that a log needs to take what a failing tool says.
const LAST_WORDS: u64 = 64 << 10;

/// The whole environment of a tool. Locale and time zone are fixed because tools sort and print by them: by bytes and in
/// English, of text that is UTF-8. To name `C.UTF-8` for every category as `LC_ALL` does would be the same, but each of the
/// thousands of small programs would open a dozen files for it.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("LC_CTYPE", "C.UTF-8"),
    ("TZ", "UTC"),
    ("HOME", "/root"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    ("PYTHONHASHSEED", "0"),
];

/// One tool to run inside a worker; output goes to the log, stdin is empty unless given.
#[derive(Debug)]
pub struct Run {
    argv: Vec<OsString>,
    env: Vec<(String, String)>,
    log: Option<PathBuf>,
    kind: Kind,
}

impl Run {
    pub fn new(program: &str) -> Self {
        Run { argv: vec![program.into()], env: Vec::new(), log: None, kind: Kind::Internal }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.argv.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Appends stdout and stderr to this file.
    #[must_use]
    pub fn log(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// The kind of error that a failure is.
    #[must_use]
    pub fn failing_as(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    fn expression(&self) -> duct::Expression {
        let (program, args) = self.argv.split_first().map_or((OsString::new(), &[][..]), |(p, a)| (p.clone(), a));
        let env = ENVIRONMENT
            .iter()
            .chain(clock::environment())
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .chain(self.env.iter().cloned());
        duct::cmd(program, args).full_env(env)
    }

    /// A line for a shell that runs the same again.
    pub fn replay(&self) -> String {
        let words = self.argv.iter().map(|a| a.to_string_lossy().into_owned());
        let env = self.env.iter().map(|(k, v)| format!("{k}={v}"));
        let line: Vec<String> = env.chain(words).collect();
        shlex::try_join(line.iter().map(String::as_str)).unwrap_or_else(|_| line.join(" "))
    }

    /// Runs to the end; anything but exit status 0 is an error with the last lines of output.
    pub fn run(&self) -> Result<()> {
        self.finish(self.expression().stdin_null())
    }

    /// Runs with a file as stdin.
    pub fn run_with_stdin(&self, stdin: File) -> Result<()> {
        self.finish(self.expression().stdin_file(stdin))
    }

    /// Starts it with the worker's own stdin and with its output on stderr: for a person at the terminal. The caller
    /// waits for the handle.
    pub fn start_interactive(&self) -> Result<duct::Handle> {
        self.expression().stdout_to_stderr().unchecked().start().map_err(|e| self.cannot_start(&e))
    }

    /// Starts it in the background with its output in the log; the caller waits for the handle or kills it.
    pub fn start(&self) -> Result<duct::Handle> {
        let (file, _) = self.log_file()?;
        let expression = self.expression().stdin_null().stderr_to_stdout().stdout_file(file);
        expression.unchecked().start().map_err(|e| self.cannot_start(&e))
    }

    /// Runs to the end and returns stdout; stderr goes to the log.
    pub fn read(&self) -> Result<String> {
        let (file, path) = self.log_file()?;
        let start = file.metadata().at("read", &path)?.len();
        match self.expression().stdin_null().stderr_file(file).stdout_capture().unchecked().run() {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => Err(self.failure(&output.status.to_string(), &path, start)),
            Err(e) => Err(self.cannot_start(&e)),
        }
    }

    /// Runs to the end while `take` reads its stdout; stderr goes to the log.
    pub fn run_into<T>(&self, take: impl FnOnce(std::io::PipeReader) -> Result<T>) -> Result<T> {
        let (file, path) = self.log_file()?;
        let start = file.metadata().at("read", &path)?.len();
        let (reader, writer) = std::io::pipe().at("make", Path::new("a pipe"))?;
        let expression = self.expression().stdin_null().stderr_file(file).stdout_file(writer).unchecked();
        let handle = expression.start().map_err(|e| self.cannot_start(&e))?;
        // It holds the pipe's other end, and the reader waits until nobody does.
        drop(expression);
        let taken = take(reader);
        match handle.wait() {
            Ok(output) if output.status.success() => taken,
            // When the reader failed first, the program only saw a broken pipe.
            Ok(output) => Err(taken.err().unwrap_or_else(|| self.failure(&output.status.to_string(), &path, start))),
            Err(e) => Err(self.cannot_start(&e)),
        }
    }

    fn finish(&self, expression: duct::Expression) -> Result<()> {
        let (file, path) = self.log_file()?;
        let start = file.metadata().at("read", &path)?.len();
        match expression.stderr_to_stdout().stdout_file(file).unchecked().run() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(self.failure(&output.status.to_string(), &path, start)),
            Err(e) => Err(self.cannot_start(&e)),
        }
    }

    fn log_file(&self) -> Result<(File, PathBuf)> {
        let path = self.log.clone().unwrap_or_else(|| PathBuf::from("/dev/null"));
        let mut file = File::options().create(true).append(true).open(&path).at("open", &path)?;
        file.seek(SeekFrom::End(0)).at("read", &path)?;
        Ok((file, path))
    }

    fn name(&self) -> String {
        self.argv.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn cannot_start(&self, cause: &std::io::Error) -> Error {
        Error::internal(format!("cannot start {}", self.name())).because(cause)
    }

    fn failure(&self, status: &str, log: &Path, start: u64) -> Error {
        let lines = tail(log, start);
        // Each tool has its own words around the C library's for ENOSPC.
        let said = lines.iter().any(|line| line.contains("No space left on device"));
        // On a full disk the log takes no last words either, and a tool may end of that alone.
        let full = said || host::free_bytes(log).is_some_and(|free| free < LAST_WORDS);
        let kind = if full { Kind::Host } else { self.kind };
        let mut error = Error::new(kind, format!("{} failed: {status}", self.name()));
        if full {
            error = error.help(
                "free some space on the store's and the ISO's file systems, or choose others with --store and --out",
            );
        }
        if !lines.is_empty() {
            error = error.detail(format!("its last lines:\n{}", lines.join("\n")));
        }
        error.detail(format!("the command was: {}", self.replay()))
    }
}

fn tail(path: &Path, start: u64) -> Vec<String> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    if file.seek(SeekFrom::Start(start)).is_err() {
        return Vec::new();
    }
    let mut lines = VecDeque::with_capacity(TAIL + 1);
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        if lines.len() > TAIL {
            lines.pop_front();
        }
    }
    lines.into()
}
