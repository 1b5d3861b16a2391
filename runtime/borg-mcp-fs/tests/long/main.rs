//! What takes long or asks the network: the reference server side by side, and clients that do not read.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

mod client;
mod patience;
mod reference;
