//! The profile: what a person wrote.

pub mod types;

pub use types::Profile;
