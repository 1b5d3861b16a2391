//! The service catalogue: one folder in `units/` a service.

mod chosen;
mod load;
pub mod options;
pub mod types;

pub use chosen::{Chosen, chosen};
pub use load::{load, no_schema};
pub use types::{Catalogue, Service};
