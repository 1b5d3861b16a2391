//! How plugins are, for people: `GET /plugins`.

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use serde::Serialize;

use crate::folder::Standing;
use crate::names::Names;
use crate::plugin::Plugin;
use crate::plugins::Plugins;
use crate::tools::Tools;

#[derive(Debug, Serialize)]
struct Report {
    plugins: Vec<Entry>,
    /// Why there may be more of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    state: State,
    /// As they are called at the gateway.
    tools: Vec<String>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ready,
    Broken,
    Refused,
}

pub fn router(plugins: Arc<Plugins>, tools: Tools) -> Router {
    let report = move || {
        let (plugins, tools) = (Arc::clone(&plugins), tools.clone());
        async move {
            let names = tools.fresh_names().await;
            Json(report(&plugins, &names))
        }
    };
    Router::new().route("/plugins", get(report))
}

fn report(plugins: &Plugins, names: &Names) -> Report {
    let entries = plugins.all().into_iter().map(|plugin| entry(&plugin, names));
    Report { plugins: entries.collect(), error: plugins.fault() }
}

fn entry(plugin: &Plugin, names: &Names) -> Entry {
    let name = plugin.found.name.clone();
    let (tools, nameless) = names.of_plugin(&name);
    let (state, error) = match (&plugin.found.standing, plugin.fault()) {
        (Standing::Refused(why), _) => (State::Refused, Some(why.clone())),
        (Standing::Broken(why), _) => (State::Broken, Some(why.clone())),
        (Standing::Runs(_), Some(why)) => (State::Broken, Some(why)),
        (Standing::Runs(_), None) if plugin.tools().is_none() => (State::Broken, Some("it has not started yet".into())),
        (Standing::Runs(_), None) if nameless.is_empty() => (State::Ready, None),
        (Standing::Runs(_), None) => {
            let all = nameless.join(", ");
            (State::Ready, Some(format!("others have the names of these tools, which are left out: {all}")))
        }
    };
    Entry { name, state, tools: tools.into_iter().map(str::to_owned).collect(), error }
}
