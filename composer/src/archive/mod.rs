//! Debian's archive: signed indices, mirrors, the solver, downloads.

pub mod control;
pub mod deb;
pub mod index;
pub mod relation;
pub mod solve;
pub mod trust;
pub mod version;
