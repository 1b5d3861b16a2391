//! What a plugin is: its name, its manifest, the folder it lies in, what the profile grants it, and how it is asked for.
//!
//! The gateway finds plugins with this crate, `borg-plugin-host` starts them, and `borg` has them checked.
#![forbid(unsafe_code)]

mod folder;
mod guard;
mod manifest;
mod name;
mod request;
mod scan;
mod stamp;
mod standing;

pub use folder::Folder;
pub use manifest::{Command, Manifest, Program};
pub use name::{Name, NameError};
pub use request::{Checked, FAILED, MAX_REQUEST, Request, failure};
pub use scan::Found;
pub use stamp::Fingerprint;
pub use standing::{Standing, refusal};

/// The two forms of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `NAME.py`, and perhaps `NAME.json`.
    Python,
    /// A folder `NAME` with `plugin.json`.
    Program,
}
