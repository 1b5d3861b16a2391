//! `build`: from the profile to the ISO, one verb a line.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive::{self, Sources};
use crate::cli::args::{Build, Engine, Global, ProfileArg, Scratch};
use crate::cli::lock::{self, Strictness};
use crate::cli::project::{Project, open_store, utf8};
use crate::cli::render::with_runtime;
use crate::cli::sharing::Sharing;
use crate::cli::space::{self, Foreseen};
use crate::cli::workbench::{Log, Supply, Workbench, tools_of};
use crate::cli::worker::Job;
use crate::cli::{answer, boot, live_build, many, verify};
use crate::engine::live_build::LiveBuilt;
use crate::engine::ready::{self, Shelf};
use crate::engine::system::{Plan, System};
use crate::error::{IoContext, Result};
use crate::image::assemble::{self, Assembly};
use crate::image::{Manifest, Medium, manifest};
use crate::lock::Lock;
use crate::lock::types::{LockedPackage, Outputs};
use crate::profile::types::Compression;
use crate::spec::ImageSpec;
use crate::store::sweep::Used;
use crate::store::{Store, write_atomically};
use crate::tree::Tree;
use crate::workshop::{self, Tools};
use crate::{Error, engine, parallel, render};

/// Where the folder of finished images is seen from inside a worker.
const OUT: &str = "/out";

pub fn run(args: &Build, global: &Global) -> Result<()> {
    many::each(&args.profiles, global, |profile| one(profile, args, global))
}

fn one(profile: &ProfileArg, args: &Build, global: &Global) -> Result<()> {
    let project = Project::open(profile, global)?;
    workshop::ready()?;
    check_out(&args.out)?;
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    // A second build of the same profile waits here, and then reuses what the first one made.
    let _mine = project.alone(&store)?;
    let sources = project.sources(global, args.offline)?;
    let sharing = Sharing::open(args, &sources)?;
    let strictness = if args.locked { Strictness::Locked } else { Strictness::Mend };
    let lock = lock::obtain(&project, strictness, args.offline, &sources, &store, global)?;
    lock::not_too_early(&lock)?;
    let tag = tag(args, &project, &lock)?;
    let build = Run { args, project: &project, store: &store, lock: &lock, sources: &sources, sharing: &sharing };
    let log = Log::new(&format!("build-{}", project.spec().profile), &store)?;
    let iso = build.make(&tag, &log).map_err(|e| keep_log(e, &log))?;
    answer(&iso)
}

/// Refuses a place that cannot take the ISO before there is one.
fn check_out(out: &Path) -> Result<()> {
    utf8(out)?;
    let there = workshop::host::nearest(out);
    let fault = if !there.is_dir() {
        format!("{} is not a folder", there.display())
    } else if nix::unistd::access(there, nix::unistd::AccessFlags::W_OK).is_err() {
        format!("{} cannot be written to", there.display())
    } else {
        return Ok(());
    };
    Err(Error::input(format!("the ISO cannot go to {}: {fault}", out.display()))
        .help("choose another folder with --out"))
}

/// Errors of the build's own steps name the full log; those of the input have none worth reading.
fn keep_log(error: Error, log: &Log) -> Error {
    let worth_reading = std::fs::metadata(&log.host).is_ok_and(|m| m.len() > 0);
    if worth_reading { error.detail(format!("the full log is {}", log.host.display())) } else { error }
}

/// `--tag` or `ISO_TAG`, the profile's, or one made of the profile's name and the lock's date.
pub fn tag(args: &Build, project: &Project, lock: &Lock) -> Result<String> {
    let given = args
        .tag
        .clone()
        .filter(|tag| !tag.is_empty())
        .or_else(|| project.loaded.profile.image.as_ref().and_then(|i| i.tag.clone()));
    given.map_or_else(|| Ok(default_tag(&project.spec().profile, lock.epoch)), checked_tag)
}

/// A tag becomes file names: nothing of it may lead elsewhere.
pub fn checked_tag(tag: String) -> Result<String> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if tag.is_empty() || tag.len() > 100 || tag.starts_with('.') || !tag.chars().all(safe) {
        return Err(Error::usage(format!("the tag `{}` cannot name a file", tag.escape_debug()))
            .help("use at most 100 of A-Z a-z 0-9 . _ -"));
    }
    Ok(tag)
}

/// `borgos-<profile>-<YYYYMMDD of the epoch>`.
pub fn default_tag(profile: &str, epoch: u64) -> String {
    let time = Timestamp::from_second(i64::try_from(epoch).unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("borgos-{profile}-{}", time.strftime("%Y%m%d"))
}

struct Run<'a> {
    args: &'a Build,
    project: &'a Project,
    store: &'a Store,
    lock: &'a Lock,
    sources: &'a Sources,
    sharing: &'a Sharing,
}

/// The rendered tree, by what becomes of it.
struct Parts {
    units: Tree,
    files: Tree,
    commands: Vec<Vec<String>>,
}

impl Parts {
    fn of(tree: &Tree, spec: &ImageSpec) -> Self {
        let units = render::packages_part(tree, spec);
        let commands = render::locale_command(spec).into_iter().chain(render::sysusers::command(&units)).collect();
        Parts { files: render::files_part(tree, spec), units, commands }
    }
}

impl Run<'_> {
    fn make(&self, tag: &str, log: &Log) -> Result<PathBuf> {
        let spec = self.project.spec();
        let tree = render::config_tree(spec, Some(self.lock), &self.project.assets)?;
        let parts = Parts::of(&tree, spec);
        let plan = self.plan(&parts);
        let foreseen = self.foresee_space(&plan)?;
        if self.args.engine == Engine::LiveBuild {
            self.fetch(&self.lock.packages.iter().collect::<Vec<_>>())?;
            return self.with_live_build(tree, tag, log);
        }
        let (bench, system) = self.system(&plan, foreseen, log)?;
        let medium = self.medium(&parts.files, &system, &bench, tag, log)?;
        let outputs = manifest::outputs(&system, &medium);
        self.note_used(&outputs)?;
        let sizes = space::sizes(&plan, &system, medium.files.size, medium.size, self.store)?;
        space::remember(&spec.profile, sizes, self.store)?;
        let iso = self.publish(tag, &system, &outputs)?;
        self.compare(&outputs)?;
        self.sharing
            .push(&system, self.lock, self.sources, self.store, &self.project.progress)
            .map_err(|e| e.detail(format!("the image itself is finished: {}", iso.display())))?;
        Ok(iso)
    }

    /// So that `clean --keep-latest` keeps it.
    fn note_used(&self, outputs: &Outputs) -> Result<()> {
        let packages = self.lock.packages.iter().chain(&self.lock.tools).chain(&self.lock.sysroot).map(|p| p.sha256);
        let made = outputs.layers.iter().map(|l| l.sha256).chain([outputs.kernel, outputs.initrd]);
        let trees = [&["build"][..], &boot::GROUPS, &live_build::GROUPS];
        let tools = trees.iter().map(|groups| Tools::key(&tools_of(self.lock, groups)));
        let trees = tools.chain([Tools::key(&self.lock.sysroot.iter().collect::<Vec<_>>())]);
        let used = Used { objects: packages.chain(made).collect(), trees: trees.collect() };
        self.store.note_used(&self.project.spec().profile, &used)
    }

    fn foresee_space(&self, plan: &Plan<'_>) -> Result<Foreseen> {
        let aims = space::Aims {
            plan,
            out: &self.args.out,
            on_disk: self.args.scratch == Scratch::Disk,
            everything: self.args.engine == Engine::LiveBuild,
        };
        space::foresee(aims, self.store, &self.project.progress)
    }

    fn fetch(&self, packages: &[&LockedPackage]) -> Result<()> {
        let spec = self.project.spec();
        let progress = &self.project.progress;
        archive::fetch(packages, &spec.archives, self.sources, self.store, progress, self.args.offline)
    }

    fn bench(&self, groups: &[&str]) -> Result<Workbench<'_>> {
        let from =
            Supply { archives: &self.project.spec().archives, sources: self.sources, offline: self.args.offline };
        let mut bench = Workbench::open(groups, self.lock, from, self.store, &self.project.progress)?;
        bench.on_disk = self.args.scratch == Scratch::Disk;
        bench.other_clock = self.args.other_clock;
        Ok(bench)
    }

    /// The unfinished ISO's name. It is the profile's, whatever the tag, so that the next build finds what a killed one left.
    fn partial(&self) -> String {
        format!(".{}.iso.partial", self.project.spec().profile)
    }

    fn compression(&self) -> Compression {
        if self.args.fast { Compression::Fast } else { self.project.spec().image.compression }
    }

    /// Brings packages and makes them ready.
    fn prepare(&self, packages: &[&LockedPackage]) -> Result<Shelf> {
        self.fetch(packages)?;
        ready::prepare(packages, self.store, &self.project.progress, |package| self.fetch(&[package]))
    }

    /// What decides the system layers.
    fn plan<'p>(&'p self, parts: &'p Parts) -> Plan<'p> {
        Plan {
            profile: &self.project.spec().profile,
            lock: self.lock,
            shared: self.sources.shared.as_ref(),
            trust: &self.sharing.trust,
            compression: self.compression(),
            units: &parts.units,
            files: &parts.files,
            commands: &parts.commands,
        }
    }

    /// The tools, and the system layers. Packages are fetched for layers that have to be made, and for no others.
    fn system(&self, plan: &Plan<'_>, foreseen: Foreseen, log: &Log) -> Result<(Workbench<'_>, System)> {
        let find = || plan.find(self.store, &self.project.progress, |packages| self.prepare(packages));
        let groups: &[&str] = if self.args.other_clock { &verify::GROUPS } else { &verify::GROUPS[..1] };
        let (bench, found) = if plan.shared.is_some() {
            // Unpacking the tools takes processors and pulling layers the line: the tools come first, so that both are busy.
            self.fetch(&tools_of(self.lock, groups))?;
            parallel::both(|| self.bench(groups), find)?
        } else {
            (self.bench(groups)?, find()?)
        };
        foreseen.settle(found.lacks_boot(), &self.project.progress);
        let system = found.complete(self.store, &log.inside, |job, shelf| {
            if !ready::verify(job.debs().map(|d| &d.sha256), shelf, self.store)? {
                self.prepare(&self.lock.packages.iter().filter(|p| shelf.contains_key(&p.sha256)).collect::<Vec<_>>())?;
            }
            let mut job = job.clone();
            if self.args.plain_modules {
                // Those that are read fast are to make no difference: this build would show one.
                job.modules.clear();
            }
            bench.run(&Job::System(job), engine::scratch_bytes(self.lock), Vec::new())
        })?;
        Ok((bench, system))
    }

    fn medium(&self, files: &Tree, system: &System, bench: &Workbench<'_>, tag: &str, log: &Log) -> Result<Medium> {
        let spec = self.project.spec();
        std::fs::create_dir_all(&self.args.out).at("create", &self.args.out)?;
        let out = self.args.out.canonicalize().at("open", &self.args.out)?;
        let files = engine::files::compose(files, &system.packages.facts, &spec.users, self.lock.epoch)?;
        let assembly = Assembly {
            spec,
            system,
            files: &files,
            compression: self.compression(),
            largest: self.lock.largest(),
            lock: self.lock,
            grub_cfg: crate::image::menu::grub_cfg(spec, &self.project.assets)?,
            log: log.inside.clone(),
            partial: Path::new(OUT).join(self.partial()),
        };
        let place = assemble::Place { iso: out.join(format!("{tag}.iso")), partial: out.join(self.partial()) };
        assembly.realise(&place, self.store, &self.project.progress, |job| {
            bench.run(&Job::Medium(job.clone()), 200_000_000, vec![(out.clone(), OUT.into(), true)])
        })
    }

    /// With `--locked`, what came out must be what the lock names. It lies beside its own manifest by now, to be looked at.
    fn compare(&self, outputs: &Outputs) -> Result<()> {
        let Some(expected) = self.lock.outputs.as_ref().filter(|_| self.args.locked && !self.args.fast) else {
            return Ok(());
        };
        let differing: Vec<String> = manifest::differences(expected, outputs);
        if differing.is_empty() {
            return Ok(());
        }
        let error = Error::differs("the result is not the one that the lock names");
        Err(differing
            .into_iter()
            .fold(error, Error::detail)
            .help("look for an input that the lock does not hold, or run `lock --update`"))
    }

    fn publish(&self, tag: &str, system: &System, outputs: &Outputs) -> Result<PathBuf> {
        let iso = self.describe(tag, &system.boot.version, outputs)?;
        if !self.args.fast && !self.args.locked {
            self.remember(system, outputs)?;
        }
        Ok(iso)
    }

    /// Writes what lies beside the ISO.
    fn describe(&self, tag: &str, kernel: &str, outputs: &Outputs) -> Result<PathBuf> {
        let manifest = Manifest::new(self.project.spec(), self.lock, kernel, outputs);
        let mut json = serde_json::to_vec_pretty(&manifest)
            .map_err(|e| Error::internal("cannot write the manifest").because(&e))?;
        json.push(b'\n');
        write_atomically(&self.args.out.join(format!("{tag}.manifest.json")), &json)?;
        write_atomically(
            &self.args.out.join(format!("{tag}.sha256")),
            format!("{}  {tag}.iso\n", outputs.iso.sha256).as_bytes(),
        )?;
        self.project
            .progress
            .say("iso", &format!("{:.0} MB, sha256 {}", outputs.iso.size as f64 / 1e6, outputs.iso.sha256));
        Ok(self.args.out.join(format!("{tag}.iso")))
    }

    /// Writes outputs, and the users and groups that packages made, into the lock.
    fn remember(&self, system: &System, outputs: &Outputs) -> Result<()> {
        let mut lock = self.lock.clone();
        lock.outputs = Some(outputs.clone());
        lock.ids = system.packages.facts.accounts.ids();
        if lock != *self.lock {
            crate::lock::file::write(&self.project.lock_path(), &lock)?;
        }
        Ok(())
    }

    /// The same tree through Debian's live-build. Its ISO is another one each time, so the lock remembers nothing of it.
    fn with_live_build(&self, tree: Tree, tag: &str, log: &Log) -> Result<PathBuf> {
        live_build::fits(self.lock)?;
        let bench = self.bench(&live_build::GROUPS)?;
        std::fs::create_dir_all(&self.args.out).at("create", &self.args.out)?;
        let out = self.args.out.canonicalize().at("open", &self.args.out)?;
        let tree = with_runtime(tree, self.lock, self.store)?;
        let job = live_build::job(
            self.project.spec(),
            self.lock,
            tree,
            self.args.fast,
            log.inside.clone(),
            Path::new(OUT).join(self.partial()),
        );
        let place = assemble::Place { iso: out.join(format!("{tag}.iso")), partial: out.join(self.partial()) };
        let scratch = 3_000_000_000 + 20 * self.lock.deb_bytes();
        let built: Result<LiveBuilt> =
            bench.run(&Job::LiveBuild(Box::new(job)), scratch, vec![(out.clone(), OUT.into(), true)]);
        let checked = built.and_then(|built| live_build::same_packages(self.lock, &built).map(|()| built));
        let built = checked.inspect_err(|_| place.tidy())?;
        place.publish()?;
        self.describe(tag, &built.version, &live_build::outputs(&built))
    }
}
