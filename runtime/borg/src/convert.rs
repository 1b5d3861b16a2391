//! From `NAME=VALUE` on the command line to a tool's arguments, by the types of its schema.

use std::collections::BTreeSet;

use rmcp::model::{JsonObject, Tool};
use serde_json::{Map, Number, Value};

/// What a tool is given. The error names the argument and the tool's parameters.
pub fn arguments(tool: &Tool, pairs: &[String]) -> Result<JsonObject, String> {
    let schema = &tool.input_schema;
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut arguments = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(format!("--arg {pair}: write it as NAME=VALUE; {}", parameters_of(tool)));
        };
        let property = properties.and_then(|properties| properties.get(name));
        if property.is_none() && !is_open(schema, properties) {
            return Err(format!(
                "--arg {pair}: {} has no {name}{}; {}",
                tool.name,
                near(tool, name),
                parameters_of(tool)
            ));
        }
        let value = value(text, &types(property, schema)).map_err(|fault| format!("--arg {pair}: {fault}"))?;
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(format!("--arg {pair}: {name} is given twice"));
        }
    }
    match required(schema).find(|name| !arguments.contains_key(*name)) {
        Some(missing) => Err(format!("{} needs {missing}: add --arg {missing}=…; {}", tool.name, parameters_of(tool))),
        None => Ok(arguments),
    }
}

/// Whether a tool takes parameters that its schema does not name.
fn is_open(schema: &JsonObject, properties: Option<&JsonObject>) -> bool {
    let more = schema.get("additionalProperties");
    more.is_some_and(|more| *more == Value::Bool(true) || more.is_object()) || (more.is_none() && properties.is_none())
}

fn required(schema: &JsonObject) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Each parameter's name, with a mark where it may be left out.
pub fn parameters(tool: &Tool) -> Vec<String> {
    let required: BTreeSet<&str> = required(&tool.input_schema).collect();
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    let names = properties.into_iter().flat_map(|properties| properties.keys());
    names.map(|name| if required.contains(name.as_str()) { name.clone() } else { format!("{name}?") }).collect()
}

fn parameters_of(tool: &Tool) -> String {
    let all = parameters(tool);
    if all.is_empty() { "it takes no arguments".into() } else { format!("its parameters: {}", all.join(", ")) }
}

fn near(tool: &Tool, name: &str) -> String {
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    let names = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    suggestion(name, names)
}

/// Asks whether one of these was meant, if one is near.
pub fn suggestion<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let rated = names.map(|near| (strsim::jaro_winkler(name, near), near));
    let best = rated.filter(|(rate, _)| *rate > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, near)| format!(" (did you mean {near}?)")).unwrap_or_default()
}

/// The types that a schema allows by name; none means any.
fn types<'a>(schema: Option<&'a Value>, root: &'a JsonObject) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    if let Some(schema) = schema {
        collect(schema, root, 8, &mut found);
    }
    found
}

fn collect<'a>(schema: &'a Value, root: &'a JsonObject, depth: usize, found: &mut BTreeSet<&'a str>) {
    if depth == 0 {
        return;
    }
    match &schema["type"] {
        Value::String(name) => drop(found.insert(name)),
        Value::Array(names) => found.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for option in schema[key].as_array().into_iter().flatten() {
            collect(option, root, depth - 1, found);
        }
    }
    let values = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    for value in values {
        found.insert(kind(value));
    }
    let definition = |path: &str| {
        let (place, name) = path.strip_prefix("#/")?.split_once('/')?;
        root.get(place)?.get(name)
    };
    if let Some(definition) = schema["$ref"].as_str().and_then(definition) {
        collect(definition, root, depth - 1, found);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn value(text: &str, types: &BTreeSet<&str>) -> Result<Value, String> {
    if types.contains("string") {
        return Ok(Value::String(text.to_owned()));
    }
    let read = serde_json::from_str::<Value>(text).ok().or_else(|| number(text));
    if types.is_empty() {
        return Ok(read.unwrap_or_else(|| Value::String(text.to_owned())));
    }
    let fits = |value: &Value| {
        let kind = kind(value);
        types.contains(kind) || (kind == "integer" && types.contains("number"))
    };
    read.filter(fits).ok_or_else(|| {
        let wanted: Vec<&str> = types.iter().copied().collect();
        format!("{text:?} is not of the type {}", wanted.join(" or "))
    })
}

/// Numbers as people write them and JSON does not: `+5`, `.5`, `007`.
fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<i64>().map(Value::from).ok();
    whole.or_else(|| text.parse().ok().and_then(Number::from_f64).map(Value::Number))
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
