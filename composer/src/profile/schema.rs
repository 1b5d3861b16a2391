//! The profile's JSON Schema: the types' own, with the services of the catalogue put in.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::types::Profile;
use crate::catalogue::{Catalogue, Service};

enum Preset {
    Text(&'static str),
    Flag(bool),
}

impl Preset {
    fn json(&self) -> Value {
        match self {
            Preset::Text(text) => json!(text),
            Preset::Flag(flag) => json!(flag),
        }
    }
}

/// What `spec` decides for keys that are left out, for editors and the reference.
const DEFAULTS: [(&str, Preset); 14] = [
    ("/properties/offline_only", Preset::Flag(false)),
    ("/properties/suite", Preset::Text("trixie")),
    ("/properties/arch", Preset::Text("amd64")),
    ("/properties/locale", Preset::Text("C.UTF-8")),
    ("/properties/timezone", Preset::Text("Etc/UTC")),
    ("/properties/network/properties/dhcp", Preset::Flag(true)),
    ("/properties/users/items/properties/shell", Preset::Text("/bin/bash")),
    ("/properties/users/items/properties/sudo", Preset::Flag(false)),
    ("/properties/files/items/properties/mode", Preset::Text("0644")),
    ("/properties/files/items/properties/owner", Preset::Text("root")),
    ("/properties/kernel/properties/flavour", Preset::Text("generic")),
    ("/properties/firmware", Preset::Text("common")),
    ("/properties/image/properties/size_limit", Preset::Text("2 GB")),
    ("/properties/image/properties/compression", Preset::Text("zstd")),
];

/// The JSON Schema of a profile, for the check and for editors. Draft 7: every editor knows it, and it says all that a
/// profile needs; that this schema is one is looked up in milliseconds less than with the later drafts.
pub fn schema(catalogue: &Catalogue) -> Value {
    // Inlined, so that a schema path in an error is a plain pointer into this value.
    let settings = SchemaSettings::draft07().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Profile>().to_value();
    flatten_null(&mut schema);
    for (pointer, default) in DEFAULTS {
        if let Some(Value::Object(property)) = schema.pointer_mut(pointer) {
            property.insert("default".into(), default.json());
        }
    }
    if let Some(items) = schema.pointer_mut("/properties/services/items") {
        *items = service_entry(catalogue);
    }
    schema
}

/// Removes the null of `Option<T>`: leaving a key out is the one way to leave it to the default.
fn flatten_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(flatten_null),
        Value::Object(map) => {
            drop_null_type(map);
            drop_null_branch(map);
            map.retain(|key, value| key != "default" || !value.is_null());
            map.values_mut().for_each(flatten_null);
        }
        _ => {}
    }
}

fn drop_null_type(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
}

fn drop_null_branch(schema: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = schema.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type") != Some(&json!("null")));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            // The field's own description says more than its type's.
            schema.entry(key).or_insert(value);
        }
    }
}

/// A service's name, or one key, the name, with that service's options.
fn service_entry(catalogue: &Catalogue) -> Value {
    let names = catalogue.0.values().map(|s| json!({ "const": s.name, "description": s.summary }));
    let names = names.collect::<Vec<_>>();
    let with_options = catalogue.0.values().map(|s| (s.name.clone(), options(s))).collect::<Map<_, _>>();
    let by_name = if names.is_empty() { json!({ "enum": [] }) } else { json!({ "type": "string", "oneOf": names }) };
    json!({
        "description": "A service: its name, or its name with options.",
        "anyOf": [
            by_name,
            {
                "type": "object",
                "properties": with_options,
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
    })
}

fn options(service: &Service) -> Value {
    json!({
        "description": service.summary,
        "type": ["object", "null"],
        "properties": service.options,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_has_its_property() {
        let schema = schema(&Catalogue::default());
        for (pointer, _) in DEFAULTS {
            assert!(schema.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn no_null_and_no_reference_is_left() {
        let text = schema(&Catalogue::default()).to_string();
        assert!(!text.contains("$ref") && !text.contains("\"null\""), "{text}");
    }
}
