//! borg-compose: a YAML profile becomes a bootable, reproducible Debian image.
//!
//! The way through is `Profile -> ImageSpec -> Lock -> Tree -> layers -> ISO`; each stage takes a value and returns
//! a value, and only the edges (`store`, `archive::net`, `workshop`, `cli`) touch files, processes or the network.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests make and start what they like")
)]

pub mod archive;
pub mod assets;
pub mod boot;
pub mod catalogue;
pub mod cli;
pub mod digest;
pub mod engine;
pub mod error;
pub mod image;
pub mod interrupt;
pub mod lock;
pub mod parallel;
pub mod plain;
pub mod profile;
pub mod progress;
pub mod regular;
pub mod render;
pub mod runtime;
pub mod shared;
pub mod spec;
pub mod store;
pub mod suggest;
pub mod tree;
pub mod workshop;

pub use digest::Digest;
pub use error::{Error, Kind, Result};
