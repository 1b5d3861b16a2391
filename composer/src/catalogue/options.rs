//! A service's options with their defaults applied.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::types::{PortNumber, Service};
use crate::spec::types::Port;

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
