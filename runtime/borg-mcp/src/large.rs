//! Answers with a large text in them, which would be copied and escaped again and again on their way out.
//!
//! A request carries a [`Slot`]. The tool leaves its text there, and rmcp makes the message with a name in its place; where
//! the message is written, the text stands in for the name, as often as that occurs.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::request::Parts;
use rmcp::model::Extensions;

use crate::escape;

/// Where a request's answer may leave its text.
#[derive(Debug, Clone)]
pub struct Slot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    text: Mutex<Option<Bytes>>,
}

impl Slot {
    /// The name is random: nobody can ask for it to be written elsewhere in the answer. Nothing if there is no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut random = [0; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).ok()?;
        Some(Slot(Arc::new(Inner { name: format!("large-{}", hex::encode(random)), text: Mutex::new(None) })))
    }

    /// The slot of a request, over whichever transport it came.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let over_http = || extensions.get::<Parts>()?.extensions.get::<Slot>();
        extensions.get::<Slot>().or_else(over_http).cloned()
    }

    /// Keeps `text` and gives what stands for it in the answer. A slot has room for one.
    pub fn keep(&self, text: String) -> String {
        *self.text() = Some(Bytes::from(escape::json(text)));
        self.0.name.clone()
    }

    /// What is to be written for a message, in pieces.
    pub(crate) fn fill(&self, message: Bytes) -> Vec<Bytes> {
        // It stays: in a stream this may be a message before the one that has its name.
        let Some(text) = self.text().clone() else { return vec![message] };
        let name = self.0.name.as_bytes();
        let (mut pieces, mut rest) = (Vec::new(), message);
        while let Some(at) = memchr::memmem::find(&rest, name) {
            pieces.extend([rest.split_to(at), text.clone()]);
            let _ = rest.split_to(name.len());
        }
        pieces.push(rest);
        pieces
    }

    fn text(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_in_for_its_name_wherever_that_is() {
        let slot = Slot::new().unwrap();
        let name = slot.keep("a\n\"b\"".into());
        let message = format!(r#"{{"a":"{name}","b":["{name}"]}}"#);
        let written = slot.fill(message.into()).concat();
        assert_eq!(String::from_utf8(written).unwrap(), r#"{"a":"a\n\"b\"","b":["a\n\"b\""]}"#);
    }

    #[test]
    fn a_message_without_a_text_stays_as_it_is() {
        let slot = Slot::new().unwrap();
        assert_eq!(slot.fill(Bytes::from_static(b"{}")), [Bytes::from_static(b"{}")]);
    }
}
