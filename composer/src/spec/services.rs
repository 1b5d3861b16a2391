//! The services of the image, decided.

use std::collections::BTreeMap;

use super::types::{Health, Origin, Port, ServiceSpec, Wanted};
use crate::catalogue::types::HealthRule;
use crate::catalogue::{self, Catalogue, Chosen, Service, options};
use crate::error::{Error, Result};
use crate::profile::Checked;
use crate::profile::types::ServiceEntry;

/// The services sorted by name, and the packages that they bring.
pub fn services(checked: &Checked, catalogue: &Catalogue) -> Result<(Vec<ServiceSpec>, Vec<Wanted>)> {
    let entries = &checked.profile.services;
    for entry in entries {
        if !catalogue.0.contains_key(entry.name()) {
            return Err(Error::internal(format!(
                "service `{}` vanished from the catalogue after the check",
                entry.name()
            )));
        }
    }
    let mut specs = Vec::new();
    let mut wanted = Vec::new();
    let chosen = catalogue::chosen(catalogue, entries.iter().map(ServiceEntry::name));
    for Chosen { service, brought_by } in chosen.values() {
        let by = Origin::Service(service.name.clone(), pointer(&service.name, entries, &chosen));
        wanted.extend(service.packages.iter().map(|name| Wanted { name: name.clone(), by: by.clone() }));
        let own = place(&service.name, entries).and_then(|pointer| checked.document.value.pointer(&pointer));
        let spec = service_spec(service, own.and_then(|entry| entry.get(&service.name)?.as_object()));
        specs.push(ServiceSpec { brought_by: brought_by.map(str::to_owned), ..spec });
    }
    Ok((specs, wanted))
}

/// Where the profile names the service, or else the one that brought it.
fn pointer(name: &str, entries: &[ServiceEntry], chosen: &BTreeMap<&str, Chosen<'_>>) -> Option<String> {
    match chosen.get(name)?.brought_by {
        Some(by) => pointer(by, entries, chosen),
        None => place(name, entries),
    }
}

fn place(name: &str, entries: &[ServiceEntry]) -> Option<String> {
    entries.iter().position(|entry| entry.name() == name).map(|i| format!("/services/{i}"))
}

fn service_spec(service: &Service, given: Option<&serde_json::Map<String, serde_json::Value>>) -> ServiceSpec {
    let options = options::decide(service, given);
    let mut ports: Vec<Port> = options::ports(service, &options).into_iter().map(|(port, _)| port).collect();
    ports.sort();
    let health = service.health.iter().filter_map(|rule| match rule {
        HealthRule::Unit(unit) => Some(Health::Unit(unit.clone())),
        // A port that the options close has no health.
        HealthRule::Http { port, path } => {
            options::port_number(port, &options).map(|port| Health::Http { port, path: path.clone() })
        }
        HealthRule::Tcp(port) => options::port_number(port, &options).map(Health::Tcp),
        HealthRule::Exec(arguments) => Some(Health::Exec(arguments.clone())),
    });
    ServiceSpec {
        name: service.name.clone(),
        brought_by: None,
        runtime: service.runtime.clone(),
        units: service.units.clone(),
        enable: service.enable.clone(),
        files: service.files.clone(),
        health: health.collect(),
        ports,
        options,
    }
}

impl ServiceEntry {
    /// The service's name.
    pub fn name(&self) -> &str {
        match self {
            ServiceEntry::Name(name) => name,
            ServiceEntry::WithOptions(map) => map.keys().next().map_or("", String::as_str),
        }
    }
}
