//! The engines: a tree and a lock become layers.
