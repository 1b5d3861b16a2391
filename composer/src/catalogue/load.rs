//! Reads the catalogue from the assets.

use super::types::{Catalogue, Service};
use crate::assets::Assets;
use crate::error::{Error, Result};
use crate::profile::fault::Shown;
use crate::profile::yaml;

/// Reads every `units/<name>/service.yaml`.
pub fn load(assets: &Assets) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for (path, bytes) in assets.below("units/") {
        let Some(name) = path.strip_prefix("units/").and_then(|rest| rest.strip_suffix("/service.yaml")) else {
            continue;
        };
        if name.contains('/') {
            continue;
        }
        catalogue.0.insert(name.to_owned(), service(name, path, bytes)?);
    }
    Ok(catalogue)
}

fn service(name: &str, path: &str, bytes: &[u8]) -> Result<Service> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Error::input(format!("{path} is not UTF-8 text")).because(&e).help("save it as UTF-8"))?;
    let document = yaml::parse(text).map_err(|faults| Shown::new(path, text, None).error("service", faults))?;
    let mut service: Service = serde_json::from_value(document.value).map_err(|e| {
        Error::input(format!("{path} does not describe a service")).because(&e).help("see the other folders in `units/`")
    })?;
    name.clone_into(&mut service.name);
    for (option, schema) in &service.options {
        if !schema.is_object() || jsonschema::validator_for(schema).is_err() {
            return Err(Error::input(format!("{path}: option `{option}` is not a JSON Schema"))
                .help("write a type and a default: `{ type: integer, default: 80 }`"));
        }
    }
    Ok(service)
}
