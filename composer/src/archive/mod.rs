//! Debian's archive: signed indices, mirrors, the solver, downloads.
