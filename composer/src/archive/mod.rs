//! Debian's archive: signed indices, mirrors, the solver, downloads.

pub mod control;
pub mod deb;
pub mod fetch;
pub mod host;
pub mod index;
pub mod net;
pub mod pin;
pub mod relation;
pub mod snapshot;
pub mod solve;
pub mod sources;
pub mod state;
pub mod tools;
pub mod trust;
pub mod vendor;
pub mod version;

pub use fetch::{fetch, supply};
pub use pin::{LocalDeb, PinError, Request, Update};
pub use solve::Unsolvable;
pub use sources::Sources;
pub use state::Edges;
pub use tools::TOOLS;
pub use vendor::Vendor;
