//! The service catalogue: one folder in `units/` a service.

pub mod types;

pub use types::{Catalogue, Service};
