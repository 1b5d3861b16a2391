//! What the JSON Schema refuses, in our words.

use std::collections::HashSet;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::Rules;
use super::node::brief;
use crate::profile::fault::Fault;
use crate::profile::forms;
use crate::profile::yaml::{Document, child};
use crate::suggest;

/// All faults by the schema, at most one a place.
pub fn find(document: &Document, rules: &Rules) -> Vec<Fault> {
    let translator = Translator { document, schema: &rules.schema };
    let mut places = HashSet::new();
    let faults = rules.validator.iter_errors(&document.value).flat_map(|error| translator.faults(&error));
    faults.filter(|fault| places.insert(fault.place().cloned())).collect()
}

struct Translator<'a> {
    document: &'a Document,
    schema: &'a Value,
}

impl Translator<'_> {
    fn faults(&self, error: &ValidationError<'_>) -> Vec<Fault> {
        let pointer = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                unexpected.iter().map(|key| self.unknown_key(error, pointer, key)).collect()
            }
            ValidationErrorKind::AnyOf { context } => self.any_of(pointer, context),
            ValidationErrorKind::Required { property } => vec![self.missing(pointer, property)],
            _ => vec![self.simple(error, pointer)],
        }
    }

    /// The schema that holds the keyword which failed.
    fn holder(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(&path[..path.rfind('/')?])
    }

    fn here(&self, pointer: &str, message: String, label: &str) -> Fault {
        Fault::new(message).at(self.document.spans.value(pointer), label)
    }

    fn unknown_key(&self, error: &ValidationError<'_>, pointer: &str, key: &str) -> Fault {
        let known = self.holder(error).and_then(|holder| holder.get("properties")).and_then(Value::as_object);
        let known: Vec<&str> = known.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        let key_place = self.document.spans.key(&child(pointer, key));
        if is_service_entry(pointer) {
            return unknown_service(key, &known).at(key_place, "not in the catalogue");
        }
        let (what, label) = match service_of(pointer) {
            Some(service) if pointer.matches('/').count() == 3 => {
                ("option", format!("the service `{service}` has no such option"))
            }
            None if pointer.is_empty() => ("key", "not a key of a profile".to_owned()),
            _ => ("key", format!("not a key of {}", subject(pointer))),
        };
        if key == "<<" {
            let help = "YAML 1.2 has no merge keys: write the keys out";
            return Fault::new("a merge key `<<`").at(key_place, label).help(help);
        }
        let fault = Fault::new(format!("unknown {what} `{}`", brief(key))).at(key_place, label);
        fault.maybe_help(suggest::help(key, known))
    }

    /// Picks the branch that was meant: a name, or a name with options.
    fn any_of(&self, pointer: &str, context: &[Vec<ValidationError<'static>>]) -> Vec<Fault> {
        let value = self.document.value.pointer(pointer);
        match (value, context) {
            (Some(Value::String(name)), [..]) if is_service_entry(pointer) => {
                let known = self.services();
                vec![unknown_service(name, &known).at(self.document.spans.value(pointer), "not in the catalogue")]
            }
            (Some(Value::Object(_)), [.., object]) => object.iter().flat_map(|error| self.faults(error)).collect(),
            (Some(value), _) => {
                let message = format!("{} must be a service's name, or its name with options", subject(pointer));
                vec![self.here(pointer, message, &format!("found {}", kind(value))).help("write `- nginx`")]
            }
            _ => Vec::new(),
        }
    }

    fn services(&self) -> Vec<&str> {
        let known = self.schema.pointer("/properties/services/items/anyOf/1/properties").and_then(Value::as_object);
        known.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn missing(&self, pointer: &str, property: &Value) -> Fault {
        let name = property.as_str().unwrap_or_default();
        let (label, help) = if pointer.is_empty() {
            ("the profile has no such key".to_owned(), format!("add a line `{name}: …`"))
        } else {
            (format!("{} has no `{name}`", subject(pointer)), format!("add `{name}: …`"))
        };
        self.here(pointer, format!("`{name}` is missing"), &label).help(help)
    }

    fn simple(&self, error: &ValidationError<'_>, pointer: &str) -> Fault {
        let subject = subject(pointer);
        let value = self.document.value.pointer(pointer).unwrap_or(&Value::Null);
        match error.kind() {
            ValidationErrorKind::Type { .. } => self.wrong_type(error, pointer, value),
            ValidationErrorKind::Enum { options } => self.not_one_of(pointer, value, options.as_array()),
            ValidationErrorKind::OneOfNotValid { .. } => {
                let branches = self.holder(error).and_then(|holder| holder.get("oneOf")).and_then(Value::as_array);
                let constants = branches.map(|list| list.iter().filter_map(|b| b.get("const").cloned()).collect());
                self.not_one_of(pointer, value, constants.as_ref())
            }
            ValidationErrorKind::Pattern { pattern } => {
                let described = self.holder(error).and_then(|holder| holder.get("description")).and_then(Value::as_str);
                let help = match (forms::of_pointer(pointer).filter(|_| service_of(pointer).is_none()), described) {
                    (Some(form), _) => format!("write {form}"),
                    (None, Some(text)) => format!("write {} (the form is `{pattern}`)", decapitalised(text)),
                    (None, None) => format!("the form is `{pattern}`"),
                };
                self.here(pointer, format!("{subject} has the wrong form"), "not in the form that is needed").help(help)
            }
            ValidationErrorKind::Minimum { limit } => {
                self.here(pointer, format!("{subject} is too small"), &format!("the least is {limit}"))
            }
            ValidationErrorKind::Maximum { limit } => {
                self.here(pointer, format!("{subject} is too large"), &format!("the most is {limit}"))
            }
            ValidationErrorKind::MinLength { limit } => {
                self.here(pointer, format!("{subject} is too short"), &format!("at least {limit} characters"))
            }
            ValidationErrorKind::MaxLength { limit } => {
                self.here(pointer, format!("{subject} is too long"), &format!("at most {limit} characters"))
            }
            ValidationErrorKind::MaxProperties { .. } | ValidationErrorKind::MinProperties { .. }
                if is_service_entry(pointer) =>
            {
                let help = "write each service as an entry of its own, its options indented below its name";
                self.here(pointer, format!("{subject} must name one service"), "this entry").help(help)
            }
            // The library's own words, without the value: it may be a secret.
            _ => self.here(pointer, format!("{subject}: {}", error.masked()), "this value"),
        }
    }

    fn wrong_type(&self, error: &ValidationError<'_>, pointer: &str, value: &Value) -> Fault {
        let expected = self.holder(error).and_then(|holder| holder.get("type")).cloned().unwrap_or(Value::Null);
        let names: Vec<&str> = match &expected {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            name => name.as_str().into_iter().collect(),
        };
        let wanted = names.iter().map(|name| type_name(name)).collect::<Vec<_>>().join(" or ");
        let help = match (names.first().copied(), value) {
            (_, Value::Null) => Some("write a value, or remove the key to keep the default"),
            (Some("string"), Value::Number(_) | Value::Bool(_)) => Some("put it in quotes"),
            (Some("boolean"), Value::String(_)) => Some("write `true` or `false`; YAML knows no other words for it"),
            (Some("array"), _) => Some("write each entry on a line of its own, after `- `"),
            (Some("integer"), Value::Number(_)) => Some("write it without a fraction"),
            (Some("integer" | "number"), Value::String(_)) => Some("write the number without quotes"),
            (Some("object"), _) => Some("write `key: value` lines, indented below it"),
            _ => None,
        };
        let found = format!("found {}", kind(value));
        let own = self.document.spans.value(pointer);
        let place = if own.is_empty() { self.document.spans.key(pointer) } else { own };
        let fault = Fault::new(format!("{} must be {wanted}", subject(pointer))).at(place, found);
        fault.maybe_help(help.map(str::to_owned))
    }

    fn not_one_of(&self, pointer: &str, value: &Value, options: Option<&Vec<Value>>) -> Fault {
        let options = options.map(Vec::as_slice).unwrap_or_default();
        let words: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
        let listed: Vec<String> =
            options.iter().map(|o| format!("`{}`", o.as_str().map_or(o.to_string(), str::to_owned))).collect();
        let message = match listed.as_slice() {
            [only] => format!("{} can only be {only}", subject(pointer)),
            _ => format!("{} must be one of {}", subject(pointer), listed.join(", ")),
        };
        match value {
            Value::String(text) => {
                let close = suggest::closest(text, words).map(|close| format!("did you mean `{close}`?"));
                self.here(pointer, message, "not one of them").maybe_help(close)
            }
            other if options.iter().any(|option| kind(option) == kind(other)) => {
                self.here(pointer, message, "not one of them")
            }
            other => self.here(pointer, message, &format!("found {}", kind(other))),
        }
    }
}

fn unknown_service(name: &str, known: &[&str]) -> Fault {
    Fault::new(format!("unknown service `{}`", brief(name))).maybe_help(suggest::help(name, known.iter().copied()))
}

/// `/services/3`.
fn is_service_entry(pointer: &str) -> bool {
    pointer.strip_prefix("/services/").is_some_and(|rest| !rest.contains('/'))
}

/// The service whose options `pointer` is in.
fn service_of(pointer: &str) -> Option<&str> {
    pointer.strip_prefix("/services/")?.split('/').nth(1)
}

/// What stands at a pointer, for a person.
fn subject(pointer: &str) -> String {
    let mut steps = pointer.rsplit('/');
    match steps.next() {
        None | Some("") => "the profile".to_owned(),
        Some(step) if step.parse::<usize>().is_ok() => {
            format!("an entry of `{}`", brief(steps.next().unwrap_or_default()))
        }
        Some(step) => format!("`{}`", brief(&step.replace("~1", "/").replace("~0", "~"))),
    }
}

/// A description as the middle of a sentence.
fn decapitalised(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain([second]).chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(true) => "`true`",
        Value::Bool(false) => "`false`",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn type_name(name: &str) -> &'static str {
    match name {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "null",
        _ => "something else",
    }
}
