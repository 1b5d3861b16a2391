//! Reads the catalogue from the assets.

use super::options::names_are_known;
use super::types::{Catalogue, HealthRule, PortNumber, Service};
use crate::assets::Assets;
use crate::error::{Error, Result};
use crate::profile::fault::Shown;
use crate::profile::yaml;
use crate::suggest;

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
    brought_are_there(&catalogue)?;
    Ok(catalogue)
}

fn brought_are_there(catalogue: &Catalogue) -> Result<()> {
    for service in catalogue.0.values() {
        if let Some(name) = service.brings.iter().find(|name| !catalogue.0.contains_key(*name)) {
            let known = catalogue.0.keys().map(String::as_str);
            let way = suggest::help(name, known).unwrap_or_else(|| format!("add the folder `units/{name}`"));
            let message =
                format!("units/{}/service.yaml: it brings the service `{name}`, which there is not", service.name);
            return Err(Error::input(message).help(way));
        }
    }
    Ok(())
}

fn service(name: &str, path: &str, bytes: &[u8]) -> Result<Service> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Error::input(format!("{path} is not UTF-8 text")).because(&e).help("save it as UTF-8"))?;
    let document = yaml::parse(text).map_err(|faults| Shown::new(path, text, None).error("service", faults))?;
    let mut service: Service = serde_json::from_value(document.value).map_err(|e| {
        Error::input(format!("{path} does not describe a service"))
            .because(&e)
            .help("see the other folders in `units/`")
    })?;
    name.clone_into(&mut service.name);
    sound_options(&service, path)?;
    Ok(service)
}

/// An option that is something else than a schema.
pub fn no_schema(path: &str, option: &str) -> Error {
    Error::input(format!("{path}: option `{option}` is not a JSON Schema"))
        .help("write a type and a default: `{ type: integer, default: 80 }`")
}

/// Options are objects, and the ports that name an option name one there is. Whether an object is a schema comes out when
/// the profile's schema is compiled, which has them all.
fn sound_options(service: &Service, path: &str) -> Result<()> {
    for (option, schema) in &service.options {
        if !schema.is_object() {
            return Err(no_schema(path, option));
        }
        if !names_are_known(schema) {
            return Err(Error::input(format!("{path}: option `{option}` names something unknown"))
                .help("write `names: file`, `names: folder`, `names: root` or `names: serial-port`"));
        }
    }
    let of_health = service.health.iter().filter_map(|rule| match rule {
        HealthRule::Http { port, .. } | HealthRule::Tcp(port) => Some(port),
        HealthRule::Unit(_) | HealthRule::Exec(_) => None,
    });
    for port in service.ports.iter().map(|rule| &rule.port).chain(of_health) {
        if let PortNumber::Option(name) = port
            && !service.options.contains_key(name)
        {
            return Err(Error::input(format!("{path}: a port names the option `{name}`, which there is not"))
                .help(format!("add `{name}` to `options:`, or write the port's number")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let assets = Assets::from_iter([("units/x/service.yaml".to_owned(), text.as_bytes().to_vec())]);
        load(&assets).unwrap_err().to_string()
    }

    #[test]
    fn the_file_is_named() {
        for (text, message) in [
            ("summary: [", "the service units/x/service.yaml has a fault"),
            ("summary: a\nports: [{ port: p, reach: public }]", "units/x/service.yaml: a port names the option `p`"),
            ("summary: a\nsumary: b", "units/x/service.yaml does not describe a service"),
            (
                "summary: a\noptions: { p: { items: { names: fil } } }",
                "units/x/service.yaml: option `p` names something unknown",
            ),
            ("summary: a\noptions: { p: 80 }", "units/x/service.yaml: option `p` is not a JSON Schema"),
            ("summary: a\nbrings: [y]", "units/x/service.yaml: it brings the service `y`, which there is not"),
            ("summary: a\nbrings: y", "units/x/service.yaml does not describe a service"),
        ] {
            assert!(error(text).starts_with(message), "{text}: {}", error(text));
        }
    }

    #[test]
    fn only_folders_of_units_are_services() {
        let file = |path: &str| (path.to_owned(), b"summary: a".to_vec());
        let assets = Assets::from_iter([
            file("units/a/service.yaml"),
            file("units/a/b/service.yaml"),
            file("units/a/a.service"),
        ]);
        assert_eq!(load(&assets).unwrap().0.keys().collect::<Vec<_>>(), ["a"]);
    }
}
