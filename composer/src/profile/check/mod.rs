//! The check: everything that is wrong with a profile, at once.
//!
//! The schema says what a value may look like; the rules here say what the values mean together. The rules read the
//! YAML value rather than the typed profile, so that one fault does not hide another.

mod crypt;
pub(crate) mod files;
mod kernel;
mod known;
mod network;
pub(crate) mod node;
mod packages;
mod places;
mod repositories;
mod schema_faults;
mod services;
mod shells;
mod ssh_key;
mod strings;
mod system;
mod users;

pub use crypt::is_hash as is_password_hash;
pub use packages::is_live_config;

use std::collections::HashSet;

use jsonschema::{Draft, PatternOptions, ValidationError};
use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, Shown};
use super::schema;
use super::types::Profile;
use super::yaml::{self, Document};
use crate::catalogue::{Catalogue, no_schema};
use crate::error::{Error, Result};
use node::{Faults, Node};

/// A profile that holds to every rule that can be checked without touching a file.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the profile's file is called in messages.
    pub name: String,
    pub text: String,
    pub profile: Profile,
    pub document: Document,
}

impl Checked {
    /// The text to point into.
    pub fn shown(&self) -> Shown {
        Shown::new(&self.name, &self.text, Some(&self.document.spans))
    }
}

/// What a first look at a profile gave: all of it is there only when nothing is wrong.
#[derive(Debug)]
pub struct Inspection {
    pub document: Option<Document>,
    pub profile: Option<Profile>,
    pub faults: Vec<Fault>,
}

/// What profiles are held to: a catalogue's schema, compiled.
#[derive(Debug)]
pub struct Rules {
    pub catalogue: Catalogue,
    schema: Value,
    validator: jsonschema::Validator,
}

impl Rules {
    pub fn new(catalogue: Catalogue) -> Result<Self> {
        let schema = schema::schema(&catalogue);
        let validator = compile(&schema).map_err(|e| bad_schema(&catalogue, &e))?;
        Ok(Rules { catalogue, schema, validator })
    }
}

/// What the profile's schema, or a part of it, holds to; with patterns of linear time, whatever a profile's text is.
pub(super) fn compile(schema: &Value) -> Result<jsonschema::Validator, ValidationError<'static>> {
    jsonschema::options().with_draft(Draft::Draft7).with_pattern_options(PatternOptions::regex()).build(schema)
}

/// Checks the profile's text; `name` is what the file is called in messages.
pub fn check(name: &str, text: &str, rules: &Rules) -> Result<Checked> {
    conclude(name, text, inspect(text, rules))
}

/// Finds all faults.
pub fn inspect(text: &str, rules: &Rules) -> Inspection {
    let (document, mut faults) = yaml::read(text);
    let Some(document) = document else { return Inspection { document: None, profile: None, faults } };
    // A fault of a value's characters explains more than one of its form, and that more than what it would mean.
    add_news(&mut faults, control_characters(&document));
    add_news(&mut faults, schema_faults::find(&document, rules));
    add_news(&mut faults, meaning(&document, &rules.catalogue));
    let profile = if faults.is_empty() { typed(&document.value, &mut faults) } else { None };
    Inspection { document: Some(document), profile, faults }
}

/// Adds the faults whose places had none before.
pub(crate) fn add_news(faults: &mut Vec<Fault>, more: Vec<Fault>) {
    let known: HashSet<_> = faults.iter().filter_map(|fault| fault.place().cloned()).collect();
    faults.extend(more.into_iter().filter(|fault| fault.place().is_none_or(|place| !known.contains(place))));
}

fn control_characters(document: &Document) -> Vec<Fault> {
    let mut faults = Faults::new(&document.spans);
    strings::check(&Node::root(&document.value), &mut faults);
    faults.into_list()
}

/// A checked profile, or all its faults as one error.
pub fn conclude(name: &str, text: &str, found: Inspection) -> Result<Checked> {
    let Inspection { document, profile, faults } = found;
    match (document, profile) {
        (Some(document), Some(profile)) if faults.is_empty() => {
            Ok(Checked { name: name.to_owned(), text: text.to_owned(), profile, document })
        }
        (document, _) => Err(Shown::new(name, text, document.as_ref().map(|d| &d.spans)).error("profile", faults)),
    }
}

fn meaning(document: &Document, catalogue: &Catalogue) -> Vec<Fault> {
    let mut faults = Faults::new(&document.spans);
    let profile = Node::root(&document.value);
    let services = services::check(&profile, catalogue, &mut faults);
    system::check(&profile, &mut faults);
    network::check(&profile, &mut faults);
    packages::check(&profile, &services, &mut faults);
    users::check(&profile, &services, &mut faults);
    files::check(&profile, &services, &mut faults);
    places::check(&profile, &services, &mut faults);
    kernel::check(&profile, &mut faults);
    repositories::check(&profile, &mut faults);
    faults.into_list()
}

fn typed(value: &Value, faults: &mut Vec<Fault>) -> Option<Profile> {
    match Profile::deserialize(value) {
        Ok(profile) => Some(profile),
        Err(e) => {
            faults.push(Fault::new(format!("not a profile: {e}")).at(0..0, "in here"));
            None
        }
    }
}

/// An internal error: the schema that we made ourselves is none.
/// Names the option; each by itself is compiled only now, because that takes as long as the whole.
fn bad_schema(catalogue: &Catalogue, e: &dyn std::error::Error) -> Error {
    for service in catalogue.0.values() {
        let wrong = service.options.iter().find(|(_, schema)| compile(schema).is_err());
        if let Some((option, _)) = wrong {
            return no_schema(&format!("units/{}/service.yaml", service.name), option).because(e);
        }
    }
    Error::internal("the profile's schema does not compile").because(e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Assets;
    use crate::catalogue;

    #[test]
    fn an_option_that_is_no_schema_is_named() {
        // The second has a pattern that no engine matches in linear time.
        for wrong in ["type: number, minimum: low", "type: string, pattern: '(?=a)b'"] {
            let text = format!("summary: a\noptions: {{ p: {{ type: integer }}, q: {{ {wrong} }} }}");
            let assets = Assets::from_iter([("units/x/service.yaml".to_owned(), text.into_bytes())]);
            let error = Rules::new(catalogue::load(&assets).unwrap()).unwrap_err();
            assert_eq!(error.to_string(), "units/x/service.yaml: option `q` is not a JSON Schema");
            assert!(error.help_text().unwrap().contains("default: 80"));
        }
    }
    #[test]
    fn files_of_services_are_no_folders() {
        let rules = Rules::new(catalogue::load(&Assets::embedded()).unwrap()).unwrap();
        let faults = |path: &str| {
            let text = format!("profile: a\nservices: [nginx]\nfiles: [{{path: {path}, content: x}}]\n");
            inspect(&text, &rules).faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>()
        };
        assert!(faults("/etc/nginx/nginx.conf").is_empty() && faults("/etc/nginx/conf.d/x.conf").is_empty());
        for path in ["/etc/nginx", "/etc/nginx/nginx.conf/x", "/etc/systemd/system/borg-nginx-certificate.service/x"] {
            assert!(faults(path).concat().contains("of the service `nginx`"), "{path}");
        }
    }
}
