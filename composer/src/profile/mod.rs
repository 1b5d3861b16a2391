//! The profile: what a person wrote.

pub mod check;
pub mod docs;
pub mod fault;
pub mod forms;
pub mod mask;
pub mod overrides;
pub mod schema;
pub mod size;
pub mod source;
pub mod types;
pub mod yaml;

pub use check::{Checked, check};
pub use types::Profile;
