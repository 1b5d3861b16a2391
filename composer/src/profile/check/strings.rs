//! No string that becomes a line of some file may bring a line of its own.

use serde_json::Value;

use super::node::{Faults, Node};
use super::ssh_key;
use crate::plain::is_unseen;
use crate::profile::fault::Fault;
use crate::profile::yaml::child;

/// Refuses control characters everywhere but in the text of files.
pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    walk(profile, faults);
}

fn walk(node: &Node<'_>, faults: &mut Faults<'_>) {
    match node.value {
        Value::String(text) if !is_file_text(&node.pointer) => line(node, text, faults),
        Value::Array(_) => node.items().iter().for_each(|item| walk(item, faults)),
        Value::Object(map) => {
            for (key, value) in map {
                walk(&Node { pointer: child(&node.pointer, key), value }, faults);
            }
        }
        _ => {}
    }
}

/// `/files/3/content`.
fn is_file_text(pointer: &str) -> bool {
    pointer.strip_prefix("/files/").is_some_and(|rest| rest.ends_with("/content"))
}

fn line(node: &Node<'_>, text: &str, faults: &mut Faults<'_>) {
    if ssh_key::is_private(text) {
        let help =
            "take it out; whoever has seen it has it, so make a new one. A public key is one line of a `.pub` file";
        return faults.at(node, "a private key", "not for anybody else", help);
    }
    let Some(control) = text.chars().find(|c| is_unseen(*c)) else { return };
    let (what, help) = match control {
        '\n' if text.ends_with('\n') && text.matches('\n').count() == 1 => {
            ("a newline at its end".to_owned(), "write it on the line of its key; a block (`|`) ends with a newline")
        }
        '\n' => ("a newline".to_owned(), "write one line; put each entry of a list after a `- ` of its own"),
        other if other.is_control() => (format!("the control character U+{:04X}", u32::from(other)), "remove it"),
        other => (format!("the invisible character U+{:04X}", u32::from(other)), "remove it"),
    };
    let fault = Fault::new(format!("a value of one line has {what}")).at(faults.place(node), "this value");
    faults.push(fault.help(help));
}
