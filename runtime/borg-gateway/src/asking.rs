//! A plugin that is asked for its tools, by one at a time.

use std::sync::Arc;

use crate::plugin::Plugin;

#[derive(Debug)]
pub struct Asking(Arc<Plugin>);

impl Asking {
    /// Begins, if its tools are wanted and nobody asks for them yet.
    pub fn begin(plugin: Arc<Plugin>) -> Option<Self> {
        plugin.begin_asking().then(|| Asking(plugin))
    }

    pub fn plugin(&self) -> &Plugin {
        &self.0
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.end_asking();
    }
}
