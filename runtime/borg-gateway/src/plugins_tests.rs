use std::fs;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::testing::{Events, host};

struct Bench {
    folder: TempDir,
    events: Events,
    plugins: Arc<Plugins>,
}

impl Bench {
    fn new() -> Self {
        Bench::with(Times::default())
    }

    fn with(times: Times) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let plugins = place("plugins");
        fs::create_dir(&plugins).unwrap();
        let events = host(&place("host.sock"), &plugins);
        let config = format!(r#"{{"folder": {:?}, "grants": {{}}}}"#, plugins.display().to_string());
        fs::write(place("plugins.json"), config).unwrap();
        let hosts =
            PluginHosts { host: place("host.sock"), network: place("none.sock"), config: place("plugins.json") };
        Bench { plugins: Plugins::new(Some(hosts), times), folder, events }
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join("plugins").join(file), text).unwrap();
    }

    /// Each plugin that has tools, with them.
    async fn known(&self) -> String {
        self.plugins.refresh().await;
        let one = |plugged: Plugged| {
            let names: Vec<&str> = plugged.tools.iter().map(|tool| tool.name.as_ref()).collect();
            format!("{}: {}", plugged.plugin, names.join(" "))
        };
        self.plugins.plugged().into_iter().map(one).collect::<Vec<_>>().join(", ")
    }

    async fn call(&self, plugin: &str, tool: &str) -> Result<CallToolResult, Fault> {
        let until = tokio::time::Instant::now() + Duration::from_secs(55);
        self.plugins.call(plugin, tool, JsonObject::new(), None, until).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_known_at_once_and_what_is_gone_is_not() {
    let bench = Bench::new();
    let mut changes = bench.plugins.changes();
    assert_eq!(bench.known().await, "");
    bench.write("a.py", "tools one");
    assert_eq!(bench.known().await, "a: one");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(bench.known().await, "a: one");
    assert!(!changes.has_changed().unwrap());
    bench.write("a.py", "tools one two");
    bench.write("b.py", "broken x");
    assert_eq!(bench.known().await, "a: one two");
    bench.events.wait("end a", 1);
    fs::remove_file(bench.folder.path().join("plugins/a.py")).unwrap();
    assert_eq!(bench.known().await, "");
    bench.events.wait("end a", 2);
    assert!(matches!(bench.call("a", "one").await, Err(Fault::Source(why)) if why == "there is no plugin a any more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_missing_is_said() {
    let bench = Bench::new();
    bench.write("a.py", "tools one");
    bench.write("a.json", r#"{"permissions": ["network"]}"#);
    bench.write("Bad Name.py", "tools one");
    assert_eq!(bench.known().await, "");
    let standings: Vec<_> = bench.plugins.all().iter().map(|plugin| plugin.found.standing.clone()).collect();
    assert!(matches!(&standings[0], folder::Standing::Broken(why) if why.contains("cannot be a plugin's name")));
    assert!(matches!(&standings[1], folder::Standing::Refused(why) if why.starts_with("asks for network")));
    // Granted, it goes to the other host, which nobody runs here.
    let config = bench.folder.path().join("plugins.json");
    let text = fs::read_to_string(&config).unwrap().replace("{}", r#"{"a": ["network"]}"#);
    fs::write(config, text).unwrap();
    assert_eq!(bench.known().await, "");
    let fault = bench.plugins.all()[1].fault().unwrap();
    assert!(fault.starts_with("cannot reach the plugin host at ") && fault.contains("none.sock"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ninth_plugin_takes_the_place_of_the_one_that_rests_longest() {
    let bench = Bench::new();
    for number in 0..8 {
        bench.write(&format!("p{number}.py"), "tools x");
    }
    bench.known().await;
    assert!(bench.call("p0", "x").await.is_ok());
    bench.write("q.py", "tools y");
    assert!(bench.known().await.ends_with("q: y"));
    assert_eq!(bench.events.count("end p0"), 0);
    let ended = || (1..8).map(|number| bench.events.count(&format!("end p{number}"))).sum::<usize>();
    let begin = Instant::now();
    while ended() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "none made room");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ended(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_read_has_no_plugins() {
    let bench = Bench::new();
    bench.write("a.py", "tools one");
    assert_eq!(bench.known().await, "a: one");
    fs::write(bench.folder.path().join("plugins.json"), "{").unwrap();
    assert_eq!(bench.known().await, "");
    assert!(bench.plugins.fault().unwrap().contains("plugins.json"));
}

/// No list waits so long.
const SLOW: Duration = Duration::from_secs(2);

fn slow() -> Times {
    Times { list: SLOW, start: Duration::from_mins(1), ..Times::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_names_its_tools_is_waited_for_once() {
    let bench = Bench::with(slow());
    bench.write("a.py", "mute");
    bench.write("b.py", "tools one");
    let begin = Instant::now();
    assert_eq!(bench.known().await, "b: one");
    assert!(begin.elapsed() >= SLOW);
    let begin = Instant::now();
    for _ in 0..5 {
        assert_eq!(bench.known().await, "b: one");
    }
    assert!(begin.elapsed() < SLOW, "{:?}", begin.elapsed());
    assert_eq!(bench.events.count("start a"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_asked_again_keeps_its_tools_meanwhile() {
    let bench = Bench::with(slow());
    bench.write("a.py", "tools sulk");
    assert_eq!(bench.known().await, "a: sulk");
    assert!(bench.call("a", "sulk").await.is_ok());
    let begin = Instant::now();
    for _ in 0..5 {
        assert_eq!(bench.known().await, "a: sulk");
    }
    bench.events.wait("list a", 2);
    assert!(begin.elapsed() < SLOW, "{:?}", begin.elapsed());
    assert_eq!(bench.known().await, "a: sulk");
    assert_eq!(bench.events.count("list a"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_always_says_that_it_has_changed_is_asked_again_once() {
    let bench = Bench::new();
    bench.write("a.py", "tools fickle");
    assert_eq!(bench.known().await, "a: fickle");
    let changes = bench.plugins.changes();
    for _ in 0..10 {
        assert!(bench.call("a", "fickle").await.is_ok());
        assert_eq!(bench.known().await, "a: fickle");
    }
    bench.events.wait("list a", 2);
    assert_eq!(bench.events.count("list a"), 2);
    // It says so, and it is not so.
    assert!(!changes.has_changed().unwrap());
}
