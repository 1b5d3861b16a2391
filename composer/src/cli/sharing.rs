//! What a build does with a store that is shared: whom it believes, and what it pushes.

use crate::archive::Sources;
use crate::cli::args::{Build, Engine};
use crate::cli::workbench::tools_of;
use crate::engine::job::PULLED;
use crate::engine::parcel::Parcel;
use crate::engine::system::System;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::lock::types::Made;
use crate::progress::Progress;
use crate::shared::record::Statement;
use crate::shared::{Shared, SignKey, Trust};
use crate::store::Store;
use crate::{Digest, parallel};

/// How many objects go at a time.
const AT_ONCE: usize = 4;

#[derive(Debug)]
pub struct Sharing {
    pub trust: Trust,
    push: bool,
    sign_key: Option<SignKey>,
}

impl Sharing {
    /// Reads the keys before anything is built, and refuses a push that leads nowhere.
    pub fn open(args: &Build, sources: &Sources) -> Result<Self> {
        let given = &args.sharing;
        if given.push && sources.shared.is_none() {
            let hint = if args.offline { "an address is left alone with --offline" } else { "there is none" };
            return Err(Error::usage(format!("--push takes a shared store, and {hint}"))
                .help("give one with --store URL or BORG_STORE"));
        }
        if given.push && args.engine == Engine::LiveBuild {
            return Err(Error::usage("the live-build engine makes no layers that could be pushed")
                .help("leave --push out, or build with the native engine"));
        }
        if let Some(shared) = sources.shared.as_ref().filter(|_| given.push) {
            shared.make()?;
        }
        Ok(Sharing {
            trust: given.trust.as_deref().map(Trust::read).transpose()?.unwrap_or_default(),
            push: given.push,
            sign_key: given.sign_key.as_deref().filter(|_| given.push).map(SignKey::read).transpose()?,
        })
    }

    /// Gives the shared store what the build used, if that was asked for. Objects go first: a record never names what is not
    /// there. The files layer stays here: it is made in a moment, and the profile's password hashes are in it.
    pub fn push(
        &self,
        system: &System,
        lock: &Lock,
        sources: &Sources,
        store: &Store,
        progress: &Progress,
    ) -> Result<()> {
        let Some(shared) = sources.shared.as_ref().filter(|_| self.push) else { return Ok(()) };
        let System { base, packages, boot, made } = system;
        let layers = [base.objects(), packages.objects(), boot.objects()].concat();
        let debs = lock.packages.iter().chain(tools_of(lock, &["build"])).map(|p| p.sha256);
        let objects: Vec<Digest> = layers.into_iter().chain(debs).collect();
        // Packages of a layer that was pulled never came here.
        let put = parallel::map(&objects, AT_ONCE, |digest| {
            if store.intact(digest)? { shared.push(digest, &store.object(digest)) } else { Ok(false) }
        })?;
        for record in [base.wrap(store)?, packages.wrap(store)?, boot.wrap(store)?] {
            shared.push_bytes(&record)?;
        }
        let signed = self.sign(made, shared, store)?;
        let put = put.into_iter().filter(|put| *put).count();
        progress.say("shared", &format!("{put} objects and {signed} signed records pushed to {}", shared.place()));
        Ok(())
    }

    /// Signs for the layers that this machine made, and for no others.
    fn sign(&self, made: &[Made; 3], shared: &Shared, store: &Store) -> Result<usize> {
        let Some(key) = &self.sign_key else { return Ok(0) };
        let mut signed = 0;
        for (kind, made) in ["base", "packages", "initrd"].into_iter().zip(made) {
            if store.record::<serde_json::Value>(PULLED, &made.key.to_string())?.is_none() {
                let statement = Statement { kind: kind.to_owned(), key: made.key, record: made.record };
                shared.push_record(&statement, key)?;
                signed += 1;
            }
        }
        Ok(signed)
    }
}
