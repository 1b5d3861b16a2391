//! Which services an image has: those that the profile names, those of every image, and those that come with others.

use std::collections::{BTreeMap, VecDeque};

use super::types::{Catalogue, Service};

/// A service of the image, and why it is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen<'c> {
    pub service: &'c Service,
    /// The service that it came with; nothing if the profile names it, or every image has it.
    pub brought_by: Option<&'c str>,
}

/// The services by name. A name that is not in the catalogue chooses nothing.
///
/// The order of `named` decides nothing. What several services bring is said to come with the first by name, at the
/// fewest steps from one that was named.
pub fn chosen<'c, 'n>(
    catalogue: &'c Catalogue,
    named: impl IntoIterator<Item = &'n str>,
) -> BTreeMap<&'c str, Chosen<'c>> {
    let asked = named.into_iter().filter_map(|name| catalogue.0.get(name));
    let always = catalogue.0.values().filter(|service| service.always);
    let first = asked.chain(always).map(|service| (service.name.as_str(), Chosen { service, brought_by: None }));
    let mut found: BTreeMap<&str, Chosen<'_>> = first.collect();
    let mut left: VecDeque<&Service> = found.values().map(|chosen| chosen.service).collect();
    while let Some(by) = left.pop_front() {
        for service in by.brings.iter().filter_map(|name| catalogue.0.get(name)) {
            // Two services may bring each other.
            found.entry(&service.name).or_insert_with(|| {
                left.push_back(service);
                Chosen { service, brought_by: Some(&by.name) }
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(services: &[(&str, &[&str])]) -> Catalogue {
        let service = |(name, brings): &(&str, &[&str])| {
            let value = serde_json::json!({ "summary": name, "brings": brings, "always": *name == "always" });
            let service = Service { name: (*name).to_owned(), ..serde_json::from_value(value).unwrap() };
            ((*name).to_owned(), service)
        };
        Catalogue(services.iter().map(service).collect())
    }

    fn reasons(services: &[(&str, &[&str])], named: &[&str]) -> Vec<String> {
        let catalogue = catalogue(services);
        let found = chosen(&catalogue, named.iter().copied());
        found.iter().map(|(name, chosen)| format!("{name} {}", chosen.brought_by.unwrap_or("-"))).collect()
    }

    #[test]
    fn what_is_brought_comes_once_and_what_it_brings_too() {
        let services: [(&str, &[&str]); 5] = [("always", &[]), ("a", &["c"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])];
        assert_eq!(reasons(&services, &["b", "a"]), ["a -", "always -", "b -", "c a", "d c"]);
        assert_eq!(reasons(&services, &["a", "b"]), reasons(&services, &["b", "a"]));
        assert_eq!(reasons(&services, &["c", "b"]), ["always -", "b -", "c -", "d c"]);
        assert_eq!(reasons(&services, &["unknown"]), ["always -"]);
    }

    #[test]
    fn a_circle_ends() {
        let services: [(&str, &[&str]); 2] = [("a", &["b", "a"]), ("b", &["a"])];
        assert_eq!(reasons(&services, &["a"]), ["a -", "b a"]);
    }
}
