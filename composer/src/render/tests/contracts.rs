//! The real tools read what was rendered; a tool that the machine lacks is an error that names its package.
