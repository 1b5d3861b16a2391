//! Debian's archive: signed indices, mirrors, the solver, downloads.

pub mod control;
pub mod deb;
pub mod host;
pub mod index;
pub mod net;
pub mod relation;
pub mod solve;
pub mod sources;
pub mod trust;
pub mod version;

pub use solve::Unsolvable;
pub use sources::Sources;
