//! The profile reference for people, made from the schema that the check uses.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::schema::schema;
use crate::catalogue::{Catalogue, Service};

/// A Markdown reference of every key and every service option.
pub fn reference(catalogue: &Catalogue) -> String {
    let schema = schema(catalogue);
    let mut text = String::from(
        "# Profile reference\n\nGenerated from the schema; do not edit. A profile is one YAML file. Unknown keys are errors.\n\n\
         ## Keys\n",
    );
    table(&mut text, &schema, false);
    for (key, property) in properties(&schema) {
        let inner = property.get("items").filter(|_| key != "services").unwrap_or(property);
        if properties(inner).next().is_some() {
            let each = if property.get("items").is_some() { " (each entry)" } else { "" };
            let _ = write!(text, "\n## `{key}`{each}\n");
            table(&mut text, inner, false);
        }
    }
    text.push_str("\n## Services\n");
    for service in catalogue.0.values() {
        section(&mut text, service);
    }
    text
}

fn section(text: &mut String, service: &Service) {
    let _ = write!(text, "\n### `{}`\n\n{}", service.name, service.summary);
    if (service.always || !service.brings.is_empty()) && !text.ends_with('.') {
        text.push('.');
    }
    if service.always {
        text.push_str(" Part of every image; name it only to give options.");
    }
    if let [rest @ .., last] = service.brings.as_slice() {
        let rest: Vec<String> = rest.iter().map(|name| format!("`{name}`")).collect();
        let (and, those) = if rest.is_empty() { ("", "it") } else { (" and ", "those") };
        let _ = write!(text, " Brings {}{and}`{last}`; name {those} only to give options.", rest.join(", "));
    }
    text.push('\n');
    let options: Map<String, Value> = service.options.clone().into_iter().collect();
    if !options.is_empty() {
        table(text, &serde_json::json!({ "properties": options }), true);
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// `deep` also shows the keys of entries, which have no section of their own.
fn table(text: &mut String, schema: &Value, deep: bool) {
    text.push_str("\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    rows(text, schema, "", deep);
}

fn rows(text: &mut String, schema: &Value, prefix: &str, deep: bool) {
    let required = |key: &str| {
        let list = schema.get("required").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|name| name == key))
    };
    for (key, property) in properties(schema) {
        let default = match property.get("default") {
            _ if required(key) => "required".to_owned(),
            Some(Value::Array(list)) if list.is_empty() => String::new(),
            Some(Value::String(word)) => format!("`{word}`"),
            Some(value) => format!("`{value}`"),
            None => String::new(),
        };
        let meaning = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let meaning = format!("{meaning}{}", limits(property));
        let _ = writeln!(text, "| `{prefix}{key}` | {} | {default} | {} |", kind(property), cell(&meaning));
        if let Some(items) = property.get("items").filter(|_| deep) {
            rows(text, items, &format!("{prefix}{key}[]."), deep);
        }
    }
}

fn kind(schema: &Value) -> String {
    if let Some(choices) = choices(schema) {
        return choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    }
    if schema.get("anyOf").is_some() {
        return "name, or name with options".to_owned();
    }
    let name = |value: &Value| match value.as_str() {
        Some("array") => match schema.get("items") {
            Some(items) => format!("list of {}", kind(items)),
            None => "list".to_owned(),
        },
        Some("object") => "mapping".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    };
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        Some(one) => name(one),
        None => String::new(),
    }
}

/// The values of an enumeration.
fn choices(schema: &Value) -> Option<Vec<String>> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return Some(list.iter().map(plain).collect());
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    branches.iter().map(|branch| branch.get("const").map(plain)).collect()
}

/// Ranges and what each choice means.
fn limits(schema: &Value) -> String {
    let mut text = String::new();
    if let (Some(least), Some(most)) = (schema.get("minimum"), schema.get("maximum")) {
        let _ = write!(text, " From {least} to {most}.");
    }
    for branch in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(meaning)) = (branch.get("const"), branch.get("description").and_then(Value::as_str)) {
            let _ = write!(text, " `{}`: {meaning}", name.as_str().unwrap_or_default());
        }
    }
    text
}

/// Text that stays inside its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
