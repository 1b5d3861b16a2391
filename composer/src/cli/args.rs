//! The command line's grammar. Each flag has a `BORG_*` variable.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::boot::{Firmware, Media};

/// A declarative, reproducible image composer for Debian.
///
/// A YAML profile becomes a bootable hybrid ISO, the same bytes every time.
#[derive(Debug, Parser)]
#[command(name = "borg-compose", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// The grammar, with variables as continuous integration sets them: an empty one counts as not set, and a switch takes
    /// `1` and `yes` too.
    pub fn grammar() -> Command {
        lenient(Self::command())
    }
}

fn lenient(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        let arg = if empty { arg.env(None::<&'static str>) } else { arg };
        if matches!(arg.get_action(), ArgAction::SetTrue) { arg.value_parser(switch) } else { arg }
    });
    command.mut_subcommands(lenient)
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Where all that is kept between runs lies, or with a URL (s3, https, file) a store that is shared with others; once
    /// each. The variable may hold both: a folder, a comma, a URL.
    #[arg(long, global = true, env = "BORG_STORE", value_name = "DIR|URL")]
    pub store: Vec<OsString>,
    /// How to say what is going on.
    #[arg(long, global = true, env = "BORG_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// A folder with the runtime's .deb files, for use outside a checkout.
    #[arg(long, global = true, env = "BORG_RUNTIME", value_name = "DIR")]
    pub runtime: Option<PathBuf>,
    /// A vendor archive, or the folder that it was unpacked into: packages are looked up there before mirrors are asked.
    #[arg(long, global = true, env = "BORG_VENDOR", value_name = "FILE|DIR")]
    pub vendor: Option<PathBuf>,
    /// The snapshot server that is asked for Debian's packages that have left the mirrors; `none` for none.
    #[arg(
        long,
        global = true,
        env = "BORG_SNAPSHOT",
        value_name = "URL",
        default_value = "https://snapshot.debian.org"
    )]
    pub snapshot: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people, with bars on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check a profile and report every error in it.
    Check(Check),
    /// Write the JSON Schema that editors use.
    Schema(Schema),
    /// Write the live-build config tree that the engines build from.
    Render(Render),
    /// Make or update a profile's lock.
    Lock(Lock),
    /// Build the ISO.
    Build(Build),
    /// Build from the lock again, under other circumstances, and compare.
    Verify(Verify),
    /// Write one archive from which another machine builds the same image without a network.
    Vendor(Vendor),
    /// Boot the ISO in QEMU, with its serial console on the terminal, or judge its boot.
    Boot(Boot),
    /// Say what this host or container lacks.
    Doctor,
    /// Remove what is kept between runs.
    Clean(Clean),
    /// Write the reference of all profile keys, or of all commands, as Markdown.
    #[command(hide = true)]
    Docs(Docs),
}

#[derive(Debug, Clone, Args)]
pub struct ProfileArg {
    /// A profile's name in ./profiles, or a path.
    #[arg(long, env = "BORG_PROFILE", value_name = "NAME|PATH")]
    pub profile: String,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

#[derive(Debug, Clone, Args)]
pub struct Profiles {
    /// A profile's name in ./profiles, or a path.
    #[arg(long, env = "BORG_PROFILE", value_name = "NAME|PATH", required_unless_present = "all")]
    pub profile: Option<String>,
    /// Every profile in ./profiles.
    #[arg(long, env = "BORG_ALL")]
    pub all: bool,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

#[derive(Debug, Clone, Args)]
pub struct OverrideArgs {
    /// Replaces the profile's `offline_model`.
    #[arg(long, env = "BORG_OFFLINE_MODEL", value_name = "MODEL")]
    pub offline_model: Option<String>,
    /// Replaces the profile's `offline_only`.
    #[arg(long, env = "OFFLINE_ONLY", value_name = "BOOL", value_parser = switch)]
    pub offline_only: Option<bool>,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub profiles: Profiles,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// Where to write it; stdout by default.
    #[arg(long, env = "BORG_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Render {
    #[command(flatten)]
    pub profile: ProfileArg,
    /// The folder to write; it must be new or empty.
    #[arg(long, env = "BORG_TO", value_name = "DIR")]
    pub to: PathBuf,
    /// Use the lock as it is and touch no network.
    #[arg(long, env = "BORG_OFFLINE")]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct Lock {
    #[command(flatten)]
    pub profile: ProfileArg,
    /// Take the newest versions: of the packages named, or of all.
    #[arg(long, env = "BORG_UPDATE", value_name = "PACKAGE", num_args = 0.., value_delimiter = ',')]
    pub update: Option<Vec<String>>,
}

#[derive(Debug, Clone, Args)]
pub struct Build {
    #[command(flatten)]
    pub profiles: Profiles,
    /// Where the ISO goes.
    #[arg(long, env = "BORG_OUT", value_name = "DIR", default_value = "out/ISO")]
    pub out: PathBuf,
    /// Names the files; `borgos-<profile>-<date of the lock>` by default.
    #[arg(long, env = "ISO_TAG", value_name = "TAG", conflicts_with = "all")]
    pub tag: Option<String>,
    /// Refuse a lock that is missing or stale, and compare the result with the lock's outputs.
    #[arg(long, env = "BORG_LOCKED")]
    pub locked: bool,
    /// Touch no network.
    #[arg(long, env = "BORG_OFFLINE")]
    pub offline: bool,
    /// Who builds the layers.
    #[arg(long, env = "BORG_ENGINE", value_enum, default_value_t = Engine::Native)]
    pub engine: Engine,
    /// Compress less: for the edit loop. The result is not the one that the lock names.
    #[arg(long, env = "BORG_FAST")]
    pub fast: bool,
    /// Where packages are unpacked: in memory if there is enough, or on the store's disk.
    #[arg(long, env = "BORG_SCRATCH", value_enum, default_value_t = Scratch::Auto)]
    pub scratch: Scratch,
    /// Have tools see another time of day, as `verify` does.
    #[arg(long, hide = true)]
    pub other_clock: bool,
    /// Read the kernel's modules as they came, as `verify` does.
    #[arg(long, hide = true)]
    pub plain_modules: bool,
    #[command(flatten)]
    pub sharing: Sharing,
}

/// What is done with a store that is shared.
#[derive(Debug, Clone, Args)]
pub struct Sharing {
    /// Give the shared store what this build used: layers, kernel, initrd, packages, tools.
    #[arg(long, env = "BORG_PUSH")]
    pub push: bool,
    /// Sign records of the layers made here, with an OpenSSH Ed25519 key that has no passphrase.
    #[arg(long, env = "BORG_SIGN_KEY", value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
    /// Believe records of layers that these OpenSSH public keys signed: a file with one a line.
    #[arg(long, env = "BORG_TRUST", value_name = "FILE")]
    pub trust: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scratch {
    /// In memory if there is enough.
    Auto,
    /// On the store's disk.
    Disk,
}

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub profiles: Profiles,
    /// Touch no network.
    #[arg(long, env = "BORG_OFFLINE")]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct Vendor {
    #[command(flatten)]
    pub profile: ProfileArg,
    /// The archive to write; `out/<profile>.vendor.tar` by default.
    #[arg(long, env = "BORG_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Touch no network.
    #[arg(long, env = "BORG_OFFLINE")]
    pub offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The composer's own, in layers.
    Native,
    /// `lb build` on the same tree: the yardstick.
    LiveBuild,
}

#[derive(Debug, Args)]
pub struct Boot {
    #[command(flatten)]
    pub profile: ProfileArg,
    /// The ISO to boot; the profile's newest build by default.
    #[arg(long, env = "BORG_ISO", value_name = "FILE")]
    pub iso: Option<PathBuf>,
    /// Where builds go.
    #[arg(long, env = "BORG_OUT", value_name = "DIR", default_value = "out/ISO")]
    pub out: PathBuf,
    /// The build's tag.
    #[arg(long, env = "ISO_TAG", value_name = "TAG")]
    pub tag: Option<String>,
    /// Judge the boot from inside and answer by exit status.
    #[arg(long, env = "BORG_CHECK")]
    pub check: bool,
    /// The machine's firmware.
    #[arg(long, env = "BORG_FIRMWARE", value_enum, default_value_t = Firmware::Bios)]
    pub firmware: Firmware,
    /// What the machine takes the ISO for.
    #[arg(long, env = "BORG_MEDIA", value_enum, default_value_t = Media::Cd)]
    pub media: Media,
    /// Write the verdict as a `JUnit` report.
    #[arg(long, env = "BORG_JUNIT", value_name = "FILE", requires = "check")]
    pub junit: Option<PathBuf>,
    /// Write a picture of the machine's screen at the end of a check.
    #[arg(long, env = "BORG_SCREENSHOT", value_name = "FILE", requires = "check")]
    pub screenshot: Option<PathBuf>,
    /// Make a port of the machine reachable on this host's loopback address.
    #[arg(long, env = "BORG_FORWARD", value_name = "PORT", value_delimiter = ',')]
    pub forward: Vec<u16>,
    /// A disk image that the machine has beside the medium, on USB; it is written to.
    #[arg(long, env = "BORG_DISK", value_name = "FILE")]
    pub disk: Option<PathBuf>,
    /// Put the machine's second serial port, its /dev/ttyS1, at this Unix socket; one client at a time.
    #[arg(long, env = "BORG_SERIAL", value_name = "SOCKET", conflicts_with = "check")]
    pub serial: Option<PathBuf>,
    /// Megabytes of memory for the machine.
    #[arg(long, env = "BORG_MEMORY", value_name = "MB", default_value_t = 2048)]
    pub memory: u32,
    /// Seconds until a boot counts as failed.
    #[arg(long, env = "BORG_TIMEOUT", value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
}

#[derive(Debug, Args)]
pub struct Clean {
    #[command(flatten)]
    pub parts: Parts,
    /// Keep what the newest build of each profile used.
    #[arg(long, env = "BORG_CLEAN_KEEP_LATEST")]
    pub keep_latest: bool,
    /// Say what would be removed, and remove nothing.
    #[arg(long, env = "BORG_CLEAN_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Parts {
    /// Layers, kernels and initrds.
    #[arg(long, env = "BORG_CLEAN_LAYERS")]
    pub layers: bool,
    /// Packages and indices.
    #[arg(long, env = "BORG_CLEAN_DOWNLOADS")]
    pub downloads: bool,
    /// Unpacked tools.
    #[arg(long, env = "BORG_CLEAN_TOOLS")]
    pub tools: bool,
    /// The whole store.
    #[arg(long, env = "BORG_CLEAN_ALL")]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Docs {
    /// Which reference.
    #[arg(value_enum)]
    pub what: Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    Profile,
    Commands,
}
