//! The service catalogue: one folder in `units/` a service.

mod load;
pub mod options;
pub mod types;

pub use load::{load, no_schema};
pub use types::{Catalogue, Service};
