//! Walking a document by JSON pointer, and collecting faults with their places.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use crate::profile::fault::Fault;
use crate::profile::mask;
use crate::profile::yaml::{SpanMap, child};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    pub pointer: String,
    pub value: &'a Value,
}

impl<'a> Node<'a> {
    pub fn root(value: &'a Value) -> Self {
        Node { pointer: String::new(), value }
    }

    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.value.as_object()?.get(key)?;
        Some(Node { pointer: child(&self.pointer, key), value })
    }

    /// The text under a key, if it is text.
    pub fn text(&self, key: &str) -> Option<(Node<'a>, &'a str)> {
        let node = self.get(key)?;
        let text = node.value.as_str()?;
        Some((node, text))
    }

    /// The entries of the list under a key; none if it is no list.
    pub fn list(&self, key: &str) -> Vec<Node<'a>> {
        self.get(key).map(|node| node.items()).unwrap_or_default()
    }

    pub fn items(&self) -> Vec<Node<'a>> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let node = |(i, value)| Node { pointer: child(&self.pointer, &format!("{i}")), value };
        items.iter().enumerate().map(node).collect()
    }

    /// The texts of the list under a key.
    pub fn texts(&self, key: &str) -> Vec<(Node<'a>, &'a str)> {
        let text = |node: Node<'a>| node.value.as_str().map(|text| (node, text));
        self.list(key).into_iter().filter_map(text).collect()
    }
}

/// The faults found so far.
pub struct Faults<'s> {
    pub spans: &'s SpanMap,
    list: Vec<Fault>,
}

impl<'s> Faults<'s> {
    pub fn new(spans: &'s SpanMap) -> Self {
        Faults { spans, list: Vec::new() }
    }

    pub fn push(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub fn into_list(self) -> Vec<Fault> {
        self.list
    }

    /// A fault at a node's value.
    pub fn at(&mut self, node: &Node<'_>, message: impl Into<String>, label: &str, help: &str) {
        let fault = Fault::new(message).at(self.place(node), label);
        self.push(fault.help(help));
    }

    pub fn place(&self, node: &Node<'_>) -> Range<usize> {
        self.spans.value(&node.pointer)
    }

    /// Reports each value that was there before, with both places.
    pub fn duplicates<'n, K>(&mut self, what: &str, values: impl IntoIterator<Item = (&'n Node<'n>, K)>)
    where
        K: std::hash::Hash + Eq + std::fmt::Display,
    {
        let mut seen: HashMap<K, Range<usize>> = HashMap::new();
        for (node, key) in values {
            let place = self.place(node);
            if let Some(first) = seen.get(&key) {
                let fault = Fault::new(format!("{what} `{}` is given twice", brief(&key.to_string())))
                    .at(place, "given again")
                    .at(first.clone(), "first given here");
                self.push(fault.help("keep one of them"));
            } else {
                seen.insert(key, place);
            }
        }
    }
}

/// Text from a profile, made fit for a message: short, and without control characters or credentials.
pub fn brief(text: &str) -> String {
    let text = mask::without_credentials(text);
    let clean: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    let clean = clean.replace("\\'", "'").replace("\\\"", "\"");
    if text.chars().count() > 60 { format!("{clean}…") } else { clean }
}
