//! Which layers are made anew, and why.
