//! The runtime crates, built and packed as .deb.
