//! A service's options with their defaults applied.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::types::{PortNumber, Service};
use crate::profile::yaml::child;
use crate::spec::types::Port;

/// What the text of an option names in the image: the keyword `names` of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// A file that the profile's `files:` must bring.
    File,
    /// A folder for data; none of the system's own.
    Folder,
    /// A folder that tools work in: for data, and nothing that a service executes or is configured by.
    Root,
    /// A serial port; none that is a console of the kernel.
    SerialPort,
}

/// A text that names something, and where it stands below the service's options: `/ports/0/device`.
pub struct Named<'a> {
    pub names: Names,
    pub text: &'a str,
    pub pointer: String,
}

/// Every text among the options whose schema says what it names.
pub fn named<'a>(service: &Service, options: &'a IndexMap<String, Value>) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    for (name, schema) in &service.options {
        if let Some(value) = options.get(name) {
            collect_named(value, schema, child("", name), &mut found);
        }
    }
    found
}

fn collect_named<'a>(value: &'a Value, schema: &Value, pointer: String, found: &mut Vec<Named<'a>>) {
    match value {
        Value::String(text) => {
            let names = schema.get("names").and_then(|names| Names::deserialize(names).ok());
            found.extend(names.map(|names| Named { names, text, pointer }));
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                collect_named(item, schema, child(&pointer, &i.to_string()), found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let schema = schema.get("properties").and_then(|schemas| schemas.get(key)).unwrap_or(&Value::Null);
                collect_named(value, schema, child(&pointer, key), found);
            }
        }
        _ => {}
    }
}

/// Whether every `names` of an option's schema is one there is.
pub fn names_are_known(schema: &Value) -> bool {
    let own = schema.get("names").is_none_or(|names| Names::deserialize(names).is_ok());
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values);
    own && schema.get("items").into_iter().chain(properties).all(names_are_known)
}

/// Every option of the service in the catalogue's order: the given value, or the schema's default, or null.
pub fn decide(service: &Service, given: Option<&Map<String, Value>>) -> IndexMap<String, Value> {
    let value = |name: &str, schema: &Value| match given.and_then(|given| given.get(name)) {
        Some(value) => with_defaults(value, schema),
        None => schema.get("default").cloned().unwrap_or(Value::Null),
    };
    service.options.iter().map(|(name, schema)| (name.clone(), value(name, schema))).collect()
}

/// Fills the defaults of objects inside a value.
fn with_defaults(value: &Value, schema: &Value) -> Value {
    match (value, schema.get("items"), schema.get("properties").and_then(Value::as_object)) {
        (Value::Array(items), Some(schema), _) => items.iter().map(|item| with_defaults(item, schema)).collect(),
        (Value::Object(map), _, Some(properties)) => {
            let mut full = map.clone();
            for (name, schema) in properties {
                let filled = match map.get(name) {
                    Some(value) => with_defaults(value, schema),
                    None => schema.get("default").cloned().unwrap_or(Value::Null),
                };
                full.insert(name.clone(), filled);
            }
            Value::Object(full)
        }
        _ => value.clone(),
    }
}

/// A port's number under these options; nothing when it does not listen.
pub fn port_number(port: &PortNumber, options: &IndexMap<String, Value>) -> Option<u16> {
    match port {
        PortNumber::Number(number) => Some(*number),
        PortNumber::Option(name) => options.get(name)?.as_u64()?.try_into().ok(),
    }
}

/// What the service listens on, with the option that says so.
pub fn ports<'a>(service: &'a Service, options: &IndexMap<String, Value>) -> Vec<(Port, Option<&'a str>)> {
    let decided = |rule: &'a super::types::PortRule| {
        let port = port_number(&rule.port, options)?;
        let option = match &rule.port {
            PortNumber::Option(name) => Some(name.as_str()),
            PortNumber::Number(_) => None,
        };
        Some((Port { port, protocol: rule.protocol, reach: rule.reach }, option))
    };
    service.ports.iter().filter_map(decided).collect()
}
