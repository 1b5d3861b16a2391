//! Whether the roots answer.

use std::sync::Arc;

use borg_mcp::Health;

use crate::roots::{Root, Roots};

/// Opens each root anew. Whoever asks may lack the token, so no path is named.
pub fn of(roots: Arc<Roots>) -> Health {
    Arc::new(move || {
        let roots = Arc::clone(&roots);
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                let fault = |(number, root): (usize, &Root)| {
                    let count = roots.iter().count();
                    root.dir.open(".").err().map(|e| format!("directory {} of {count}: {e}", number + 1))
                };
                roots.iter().enumerate().find_map(fault)
            });
            match asked.await {
                Ok(None) => Ok(()),
                Ok(Some(fault)) => Err(fault),
                Err(_) => Err("the file system does not answer".into()),
            }
        })
    })
}
