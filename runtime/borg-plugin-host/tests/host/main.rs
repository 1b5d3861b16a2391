//! The program as systemd starts it: a socket as standard input and output.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

mod check;
mod endings;
mod run;
mod setup;
