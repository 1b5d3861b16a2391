//! Services: named once, and no two on one port.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use super::node::{Faults, Node};
use crate::catalogue::types::Protocol;
use crate::catalogue::{self, Catalogue, Chosen, Service, options};
use crate::profile::fault::Fault;
use crate::profile::yaml::child;

/// A service of the image, as the profile names it.
pub struct Used<'a> {
    pub service: &'a Service,
    pub given: Option<&'a Map<String, Value>>,
    /// The entry that names it, or the one of the service that brings it; none for those of every image.
    pub pointer: Option<String>,
    pub brought_by: Option<&'a str>,
}

impl Used<'_> {
    /// Where something stands below its options, or what stands for that.
    pub fn below(&self, pointer: &str) -> Option<String> {
        let own = self.pointer.clone()?;
        Some(if self.brought_by.is_some() { own } else { own + pointer })
    }
}

/// An entry of the list.
struct Entry<'a> {
    node: Node<'a>,
    name: &'a str,
    given: Option<&'a Map<String, Value>>,
}

/// Checks the list of services and returns those that the image will have.
pub fn check<'a>(profile: &Node<'a>, catalogue: &'a Catalogue, faults: &mut Faults<'_>) -> Vec<Used<'a>> {
    let entries: Vec<Entry<'a>> = profile.list("services").into_iter().filter_map(Entry::new).collect();
    faults.duplicates("the service", entries.iter().map(|entry| (&entry.node, entry.name)));
    let used = used(&entries, catalogue);
    ports(&used, faults);
    for user in &used {
        requires(user, faults);
    }
    used
}

impl<'a> Entry<'a> {
    /// Nothing if it has not the shape of one: the schema has reported that.
    fn new(node: Node<'a>) -> Option<Self> {
        match node.value {
            Value::String(name) => Some(Entry { node, name, given: None }),
            Value::Object(map) if map.len() == 1 => {
                let (name, given) = map.iter().next()?;
                let pointer = child(&node.pointer, name);
                Some(Entry { node: Node { pointer, value: node.value }, name, given: given.as_object() })
            }
            _ => None,
        }
    }
}

fn used<'a>(entries: &[Entry<'a>], catalogue: &'a Catalogue) -> Vec<Used<'a>> {
    let chosen = catalogue::chosen(catalogue, entries.iter().map(|entry| entry.name));
    let one = |one: &Chosen<'a>| {
        let Chosen { service, brought_by } = *one;
        let entry = entry(&service.name, entries, &chosen);
        let given = entry.filter(|_| brought_by.is_none()).and_then(|entry| entry.given);
        let pointer = entry.map(|entry| entry.node.pointer.clone());
        Used { service, given, pointer, brought_by }
    };
    chosen.values().map(one).collect()
}

/// The entry of the service, or of the one that brought it. The last one counts where a service is given twice.
fn entry<'e, 'a>(name: &str, entries: &'e [Entry<'a>], chosen: &BTreeMap<&str, Chosen<'_>>) -> Option<&'e Entry<'a>> {
    match chosen.get(name)?.brought_by {
        Some(by) => entry(by, entries, chosen),
        None => entries.iter().rfind(|entry| entry.name == name),
    }
}

/// Options that make no sense alone. What an option has by default is there for the others.
fn requires(user: &Used<'_>, faults: &mut Faults<'_>) {
    let (Some(given), Some(pointer)) = (user.given, user.pointer.as_ref()) else { return };
    let decided = options::decide(user.service, user.given);
    let is_given = |option: &str| given.get(option).is_some_and(|value| !value.is_null());
    let has = |option: &str| decided.get(option).is_some_and(|value| !value.is_null());
    for (option, others) in user.service.requires.iter().filter(|(option, _)| is_given(option)) {
        let missing: Vec<String> =
            others.iter().filter(|other| !has(other)).map(|other| format!("`{other}`")).collect();
        if !missing.is_empty() {
            let missing = missing.join(" and ");
            let fault = Fault::new(format!("the option `{option}` needs {missing}"))
                .at(faults.spans.key(&child(pointer, option)), "alone it does nothing");
            faults.push(fault.help(format!("add {missing}, or remove `{option}`")));
        }
    }
}

struct Claim<'a> {
    service: &'a str,
    brought_by: Option<&'a str>,
    place: Option<Range<usize>>,
}

fn ports(used: &[Used<'_>], faults: &mut Faults<'_>) {
    let mut claims: BTreeMap<(u16, Protocol), Vec<Claim<'_>>> = BTreeMap::new();
    for user in used {
        let decided = options::decide(user.service, user.given);
        for (port, option) in options::ports(user.service, &decided) {
            let place = place(user, option, faults);
            let claim = Claim { service: &user.service.name, brought_by: user.brought_by, place };
            claims.entry((port.port, port.protocol)).or_default().push(claim);
        }
    }
    for ((port, protocol), claims) in claims {
        if claims.len() > 1 {
            faults.push(conflict(port, protocol, claims));
        }
    }
}

/// The option that chose the port, if it was given; else the service's entry.
fn place(user: &Used<'_>, option: Option<&str>, faults: &Faults<'_>) -> Option<Range<usize>> {
    let pointer = user.pointer.as_ref()?;
    let given = option.filter(|option| user.given.is_some_and(|given| given.contains_key(*option)));
    Some(match given {
        Some(option) => faults.spans.value(&child(pointer, option)),
        None => faults.spans.key(pointer),
    })
}

fn conflict(port: u16, protocol: Protocol, mut claims: Vec<Claim<'_>>) -> Fault {
    let protocol = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.place.as_ref().map(|place| place.start)));
    let mut names: Vec<String> = claims.iter().map(|claim| format!("`{}`", claim.service)).collect();
    names.sort();
    names.dedup();
    let message = match names.as_slice() {
        [only] => format!("{only} would listen twice on {protocol} port {port}"),
        _ => format!("{} would listen on the same {protocol} port {port}", names.join(" and ")),
    };
    let mut fault = Fault::new(message);
    for claim in claims {
        if let Some(place) = claim.place {
            let with = claim.brought_by.map_or_else(String::new, |by| format!(", which comes with `{by}`,"));
            fault = fault.at(place, format!("`{}`{with} takes port {port}", claim.service));
        }
    }
    fault.help("give one of them another port in its options")
}
