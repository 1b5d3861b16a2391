//! The spec, rendered: a live-build config tree in memory.
