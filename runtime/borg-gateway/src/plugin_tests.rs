use std::path::PathBuf;
use std::time::Duration;

use borg_plugin::Fingerprint;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{Events, host};

const TIMES: Times = Times {
    start: Duration::from_millis(500),
    list: Duration::from_millis(300),
    renew: Duration::from_mins(1),
    turn: Duration::from_millis(100),
    call: Duration::from_millis(500),
    ping: Duration::from_millis(200),
    wait: Duration::from_millis(800),
};

fn is_unknown(plugin: &Plugin) -> bool {
    plugin.is_wanting(&mut plugin.state(), Instant::now())
}

struct Bench {
    folder: TempDir,
    events: Events,
    places: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events = host(&folder.path().join("host.sock"), folder.path());
        Bench { folder, events, places: Arc::new(Semaphore::new(8)) }
    }

    fn plugin(&self, name: &str, script: &str) -> Plugin {
        self.write(name, script);
        let standing = Standing::Runs(self.host());
        Plugin::new(Found { name: name.into(), fingerprint: Fingerprint::default(), standing }, TIMES)
    }

    fn write(&self, name: &str, script: &str) {
        std::fs::write(self.folder.path().join(format!("{name}.py")), script).unwrap();
    }

    fn host(&self) -> PathBuf {
        self.folder.path().join("host.sock")
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    async fn call(&self, plugin: &Plugin, tool: &str) -> Result<String, String> {
        self.call_for(plugin, tool, Duration::from_secs(55)).await
    }

    /// Calls, and waits no longer than so.
    async fn call_for(&self, plugin: &Plugin, tool: &str, time: Duration) -> Result<String, String> {
        let arguments = json!({"n": 1}).as_object().unwrap().clone();
        let called = plugin.call(|| self.place(), tool, arguments, None, Deadline::now() + time);
        let result = called.await.map_err(|fault| fault.to_string())?;
        Ok(result.content[0].as_text().unwrap().text.clone())
    }

    /// The fault of starting a plugin of this script.
    async fn fault(&self, script: &str) -> String {
        let plugin = self.plugin("bad", script);
        plugin.learn(|| self.place()).await;
        assert!(plugin.tools().is_none());
        plugin.fault().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_started_once_for_many_calls() {
    let bench = Bench::new();
    let plugin = bench.plugin("hello", "tools hello bye");
    assert!(is_unknown(&plugin));
    plugin.learn(|| bench.place()).await;
    let names: Vec<String> = plugin.tools().unwrap().iter().map(|tool| tool.name.to_string()).collect();
    assert_eq!((names.join(" "), is_unknown(&plugin)), ("hello bye".into(), false));
    for _ in 0..3 {
        assert_eq!(bench.call(&plugin, "bye").await, Ok(r#"hello "bye" {"n":1}"#.into()));
    }
    assert_eq!(bench.events.count("start hello"), 1);
    plugin.rest();
    bench.events.wait("end hello", 1);
    // Its tools are known while it rests.
    assert!(plugin.tools().is_some() && bench.call(&plugin, "bye").await.is_ok());
    assert_eq!(bench.events.count("start hello"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_the_start_is_said() {
    let bench = Bench::new();
    assert_eq!(bench.fault("broken SyntaxError: line 3").await, "SyntaxError: line 3");
    let garbage = bench.fault("garbage").await;
    assert!(garbage.contains("no message of JSON-RPC") && garbage.ends_with(r#""Hello, I am no JSON""#), "{garbage}");
    assert_eq!(bench.fault("mute").await, "it did not start in time");
    assert_eq!(bench.fault("tools a a").await, "it has two tools a");
    assert_eq!(bench.fault("many 300 1").await, "it has more than 256 tools");
    assert_eq!(bench.fault("many 40 100000").await, "its list of tools is longer than 256 KiB");
    assert_eq!(bench.places.available_permits(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_floods_is_cut_off_and_may_try_again() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools flood chatter hello");
    assert_eq!(bench.call(&plugin, "flood").await.unwrap_err(), "plugin p: it sent a line of more than 5 MiB");
    bench.events.wait("end p", 1);
    assert!(bench.call(&plugin, "hello").await.is_ok());
    let slow = Plugin { times: Times { call: Duration::from_secs(30), ..TIMES }, ..bench.plugin("q", "tools chatter") };
    assert_eq!(bench.call(&slow, "chatter").await.unwrap_err(), "plugin q: it sent 64 MiB that nobody asked for");
    bench.events.wait("end q", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_cancelled_and_ends_the_plugin() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools hang hello");
    assert_eq!(bench.call(&plugin, "hang").await.unwrap_err(), "plugin p: no answer within 0 s");
    bench.events.wait("end p", 1);
    assert_eq!(plugin.fault().unwrap(), "no answer within 0 s");
    assert!(bench.call(&plugin, "hello").await.is_ok());
    assert_eq!(plugin.fault(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_cancels_and_others_go_on() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools hello");
    assert!(bench.call(&plugin, "hello").await.is_ok());
    let hanging = Plugin { times: Times { call: Duration::from_secs(30), ..TIMES }, ..bench.plugin("q", "tools hang") };
    let given_up = timeout(Duration::from_millis(300), bench.call(&hanging, "hang")).await;
    assert!(given_up.is_err());
    bench.events.wait("cancelled q", 1);
    assert_eq!(bench.events.count("end q"), 0);
    // It does not answer to anything any more.
    hanging.prod().await;
    bench.events.wait("end q", 1);
    plugin.prod().await;
    assert_eq!((bench.events.count("end p"), plugin.fault()), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_faults_in_a_row_it_waits() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools die hello");
    for _ in 0..2 {
        assert_eq!(bench.call(&plugin, "die").await.unwrap_err(), "plugin p: it ended");
    }
    // A good answer between them, and it is not in a row.
    assert!(bench.call(&plugin, "hello").await.is_ok());
    for _ in 0..3 {
        assert_eq!(bench.call(&plugin, "die").await.unwrap_err(), "plugin p: it ended");
    }
    let fault = bench.call(&plugin, "hello").await.unwrap_err();
    assert!(
        fault.starts_with("plugin p: it failed 3 times in a row and is tried again in 0 s; the last: it ended"),
        "{fault}"
    );
    assert_eq!((bench.events.count("start p"), plugin.tools().is_none(), is_unknown(&plugin)), (5, true, false));
    tokio::time::sleep(TIMES.wait).await;
    assert!(is_unknown(&plugin) && bench.call(&plugin, "hello").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_for_one_link_count_one_fault() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools die hang hello");
    let (one, two, three) =
        tokio::join!(bench.call(&plugin, "hang"), bench.call(&plugin, "hang"), bench.call(&plugin, "die"));
    assert!(one.is_err() && two.is_err() && three.is_err());
    assert!(bench.call(&plugin, "hello").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_may_not_run_is_not_started() {
    let bench = Bench::new();
    let found = Found {
        name: "p".into(),
        fingerprint: Fingerprint::default(),
        standing: Standing::Refused("asks for network".into()),
    };
    let plugin = Plugin::new(found, TIMES);
    assert_eq!(bench.call(&plugin, "x").await.unwrap_err(), "plugin p: asks for network");
    assert!(!is_unknown(&plugin));
    assert_eq!(bench.events.count("start p"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_takes_few_callers_with_it() {
    let bench = Bench::new();
    let plugin = bench.plugin("p", "tools hang");
    plugin.learn(|| bench.place()).await;
    let all = futures_util::future::join_all((0..10).map(|_| bench.call(&plugin, "hang"))).await;
    let busy = "plugin p: it works on 4 other calls; try again later";
    assert_eq!(all.iter().filter(|fault| fault.as_ref().is_err_and(|fault| fault == busy)).count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_of_the_callers_time_and_the_plugin_is_not_blamed() {
    let bench = Bench::new();
    let times = Times { start: Duration::from_secs(30), call: Duration::from_secs(30), ..TIMES };
    let plugin = Plugin { times, ..bench.plugin("p", "lazy hang hello") };
    let fault = bench.call_for(&plugin, "hang", Duration::from_millis(2200)).await.unwrap_err();
    assert_eq!(fault, "plugin p: no answer within 2 s, 1 s of which it took to start");
    bench.events.wait("cancelled p", 1);
    assert_eq!((plugin.fault(), bench.events.count("end p")), (None, 0));
    let slower = Plugin { times, ..bench.plugin("q", "mute") };
    let fault = bench.call_for(&slower, "hello", Duration::from_millis(1200)).await.unwrap_err();
    assert_eq!(fault, "plugin q: no answer within 1 s, 1 s of which it took to start");
}
