//! Looking for layers that are made already: in the store, then in a store that is shared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::engine::job::{BootRecord, LAYERS, LayerRecord, PULLED};
use crate::engine::keys::Inputs;
use crate::engine::parcel::Parcel;
use crate::engine::system::Plan;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::lock::types::{Made, Output};
use crate::progress::Progress;
use crate::shared::keys;
use crate::store::{Guard, Store};

/// How many objects come at a time: one connection does not fill a fast line.
const AT_ONCE: usize = 6;

/// How a layer came that this machine did not make.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pulled {
    /// The digest of its record.
    record: Digest,
    /// Whose record vouches for it. None: a lock does, and then it counts for a lock that says the same, and no other.
    signer: Option<String>,
}

/// A layer that the shared store has, by a record that is believed.
#[derive(Debug)]
struct Offer<T> {
    record: T,
    objects: Vec<Output>,
    pulled: Pulled,
}

/// A layer that is in the store, on offer, or to be made.
#[derive(Debug)]
pub struct Slot<T> {
    layer: &'static str,
    inputs: Inputs,
    pub key: Digest,
    pub record: Option<T>,
    offer: Option<Offer<T>>,
    from: Option<String>,
    /// Only a lock vouches for what is here.
    pub by_lock: bool,
}

impl<T: Parcel> Slot<T> {
    /// What is known of the layer, whether or not its bytes are here yet.
    pub fn known(&self) -> Option<&T> {
        self.record.as_ref().or(self.offer.as_ref().map(|offer| &offer.record))
    }

    /// Notes, before it is made on layers that only a lock vouches for, that it is no better than those.
    pub fn doubt(&self, store: &Store) -> Result<()> {
        if self.record.is_some() {
            return Ok(());
        }
        // No lock names this record: one that was left by a killed run counts for nobody.
        store.put_record(PULLED, &self.key.to_string(), &Pulled { record: Digest::of(""), signer: None })
    }

    /// Remembers what it was made of, to say why the next one differs; it is there by now, or `made`, and then if `doubtful`
    /// it counts as little as the layers that it was made on.
    pub fn keep(self, profile: &str, made: Option<T>, doubtful: bool, store: &Store) -> Result<(T, Made)> {
        let (name, is_new) = (self.key.to_string(), made.is_some());
        let lacks = || Error::internal(format!("the layer {} was not made", self.layer));
        let record = made.or(self.record).ok_or_else(lacks)?;
        let digest = Digest::of(record.wrap(store)?);
        match (is_new, doubtful) {
            (false, _) => {}
            (true, false) => store.forget(PULLED, &name)?,
            (true, true) => store.put_record(PULLED, &name, &Pulled { record: digest, signer: None })?,
        }
        let latest = format!("{profile}-{}", self.layer);
        if store.record::<Inputs>("latest", &latest)?.as_ref() != Some(&self.inputs) {
            store.put_record("latest", &latest, &self.inputs)?;
        }
        Ok((record, Made { key: self.key, record: digest }))
    }
}

/// What looks for the layers of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    pub plan: &'a Plan<'a>,
    pub store: &'a Store,
    pub progress: &'a Progress,
}

impl Search<'_> {
    /// Looks in the store, and then for what the shared one offers. Whoever lacks it has the right to make it by then.
    pub fn look<T: Parcel>(
        &self,
        layer: &'static str,
        inputs: Inputs,
        fits: impl Fn(&T) -> bool,
        mine: &mut Vec<Guard>,
    ) -> Result<Slot<T>> {
        let key = inputs.key();
        let mut found = self.local(layer, &key, &fits)?;
        let mut offer = None;
        if found.is_none() {
            let name = format!("layer-{key}");
            mine.push(self.store.lock(&name, "another build that makes this layer", self.progress)?);
            found = self.local(layer, &key, &fits)?;
        }
        if found.is_none() {
            offer = self.offer(layer, &key, fits)?;
        }
        let (record, by_lock) = found.map_or((None, false), |(record, by_lock)| (Some(record), by_lock));
        Ok(Slot { layer, inputs, key, record, offer, from: None, by_lock })
    }

    /// What is in the store, and whether only the lock vouches for it.
    fn local<T: Parcel>(&self, layer: &str, key: &Digest, fits: impl Fn(&T) -> bool) -> Result<Option<(T, bool)>> {
        let Some((record, by_lock)) = known::<T>(self.store, self.plan.lock, layer, key)? else { return Ok(None) };
        if !fits(&record) {
            return Ok(None);
        }
        for object in record.objects() {
            if !self.store.intact(&object)? {
                return Ok(None);
            }
        }
        Ok(Some((record, by_lock)))
    }

    /// What the shared store has of this key, by the lock's word or that of a trusted signer.
    fn offer<T: Parcel>(&self, layer: &str, key: &Digest, fits: impl Fn(&T) -> bool) -> Result<Option<Offer<T>>> {
        let Some(shared) = self.plan.shared else { return Ok(None) };
        let open = |pulled: Pulled| -> Result<Option<Offer<T>>> {
            let Some(bytes) = shared.layer_record(&pulled.record)? else { return Ok(None) };
            let found = T::unwrap(&bytes).filter(|(record, _)| fits(record));
            Ok(found.map(|(record, objects)| Offer { record, objects, pulled }))
        };
        if let Some(record) = self.plan.lock.vouched(layer, key)
            && let Some(offer) = open(Pulled { record, signer: None })?
        {
            return Ok(Some(offer));
        }
        for signer in self.plan.trust.signers() {
            if let Some(record) = shared.signed(layer, key, signer)?
                && let Some(offer) = open(Pulled { record, signer: Some(keys::shown(signer)) })?
            {
                return Ok(Some(offer));
            }
        }
        Ok(None)
    }

    /// Brings what is on offer, all layers' objects side by side.
    pub fn pull(
        &self,
        base: &mut Slot<LayerRecord>,
        packages: &mut Slot<LayerRecord>,
        boot: &mut Slot<BootRecord>,
    ) -> Result<()> {
        let Some(shared) = self.plan.shared else { return Ok(()) };
        let offered = wanted(base).chain(wanted(packages)).chain(wanted(boot));
        let mut objects: Vec<Output> = Vec::new();
        for object in offered {
            if !objects.contains(object) && !self.store.intact(&object.sha256)? {
                objects.push(object.clone());
            }
        }
        // The largest first, so that no short one is left to wait for at the end.
        objects.sort_by_key(|object| std::cmp::Reverse(object.size));
        let pulled = shared.pull_all(&objects, AT_ONCE, self.store)?;
        let lacking: BTreeSet<Digest> =
            objects.iter().zip(pulled).filter(|(_, came)| !came).map(|(object, _)| object.sha256).collect();
        self.settle(base, &lacking, shared.place())?;
        self.settle(packages, &lacking, shared.place())?;
        self.settle(boot, &lacking, shared.place())
    }

    /// Keeps an offer whose objects all came.
    fn settle<T: Parcel>(&self, slot: &mut Slot<T>, lacking: &BTreeSet<Digest>, place: &str) -> Result<()> {
        let Some(offer) = slot.offer.take() else { return Ok(()) };
        if offer.objects.iter().any(|object| lacking.contains(&object.sha256)) {
            return Ok(());
        }
        let key = slot.key.to_string();
        // First that it was pulled: a run that ends in between must not leave it as if it had been made here.
        self.store.put_record(PULLED, &key, &offer.pulled)?;
        self.store.put_record(LAYERS, &key, &offer.record)?;
        slot.by_lock = offer.pulled.signer.is_none();
        slot.record = Some(offer.record);
        slot.from = Some(place.to_owned());
        Ok(())
    }

    /// Says what becomes of a layer.
    pub fn say<T>(&self, slot: &Slot<T>) -> Result<()> {
        let latest = format!("{}-{}", self.plan.profile, slot.layer);
        let text = match (&slot.record, &slot.from) {
            (Some(_), None) => "reused".to_owned(),
            (Some(_), Some(place)) => format!("pulled from {place}"),
            (None, _) => format!("rebuilt: {}", slot.inputs.why(self.store.record("latest", &latest)?.as_ref())),
        };
        self.progress.say("layer", &format!("{} {text}", slot.layer));
        Ok(())
    }
}

/// The record of a layer, and whether only the lock vouches for it; none that another lock vouched for.
pub fn known<T: Parcel>(store: &Store, lock: &Lock, layer: &str, key: &Digest) -> Result<Option<(T, bool)>> {
    let name = key.to_string();
    let Some(record) = store.record::<T>(LAYERS, &name)? else { return Ok(None) };
    let pulled: Option<Pulled> = store.record(PULLED, &name)?;
    let by_lock = pulled.as_ref().filter(|pulled| pulled.signer.is_none());
    if by_lock.is_some_and(|pulled| lock.vouched(layer, key) != Some(pulled.record)) {
        return Ok(None);
    }
    Ok(Some((record, by_lock.is_some())))
}

fn wanted<T>(slot: &Slot<T>) -> impl Iterator<Item = &Output> {
    slot.offer.iter().flat_map(|offer| &offer.objects)
}
