//! Roots for tests.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use borg_mcp::http::routers;
use borg_mcp::testing::door;
use borg_mcp::{Service, Sessions};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::health;
use crate::roots::{Roots, Wanted};
use crate::tools::Tools;

pub fn wanted(path: &Path) -> Wanted {
    Wanted { path: path.to_owned(), writable: true, max: None }
}

/// A folder, filled, and it alone as a writable root.
pub fn root(fill: impl Fn(&Path)) -> (TempDir, Roots) {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let roots = Roots::open(&[wanted(folder.path())], None).unwrap();
    (folder, roots)
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub fn fault<T: std::fmt::Debug>(result: Result<T, crate::fault::Fault>) -> String {
    result.unwrap_err().to_string()
}

/// The service with this folder as its writable root, behind the door that the tests' token opens.
pub fn app(root: &Path) -> Router {
    let tools = Tools::new(Arc::new(Roots::open(&[wanted(root)], None).unwrap()), false).unwrap();
    let health = health::of(Arc::clone(tools.roots()));
    let (name, more, limits, sessions) = ("borg-mcp-fs", Router::new(), crate::LIMITS, Sessions::None);
    routers(Service { name, tools, health, more, limits, sessions }, door(), CancellationToken::new()).token
}
