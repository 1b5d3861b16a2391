use serde_json::{Value, json};

use crate::setup::Setup;

const HELLO: &str = "\
from borg.plugin import Tool

@Tool(name=\"hello\", desc=\"Say hi\")
async def hello(name: str = \"world\"):
    return f\"Hello {name}!\"
";

fn run(name: &str) -> Value {
    json!({"run": {"name": name}})
}

/// Why the plugin was not started.
fn fault(setup: &Setup, args: &[&str], name: &str) -> String {
    let answer = setup.answer(args, &run(name));
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32000)), "{answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_python_plugin_speaks_mcp_on_the_connection() {
    let setup = Setup::new(&[("hello.py", HELLO)]);
    let mut host = setup.host(&[]);
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params":
        {"name": "hello", "arguments": {"name": "you"}}});
    // In one piece: the host must leave what is not its own in the socket.
    host.ask(&format!("{}\n{initialize}\n{initialized}\n{call}", run("hello")));
    assert_eq!(host.answer()["id"], 1);
    let answer = host.answer();
    assert_eq!(answer["result"]["content"][0]["text"], "Hello you!", "{answer}");
}

#[test]
fn a_program_has_its_folder_its_arguments_and_little_else() {
    let setup = Setup::new(&[]);
    let script = "#!/usr/bin/python3 -I\nimport json, os, sys\n\
        print(json.dumps([os.getcwd(), sys.argv[1:], dict(os.environ), os.getpgid(0) == os.getpid(), input()]))\n";
    setup.program("clock", script);
    let mut host = setup.host(&[]);
    host.ask(&format!("{}\nthe next line", run("clock")));
    let (answer, folder) = (host.answer(), setup.plugins().join("clock"));
    let environment = json!({"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1"});
    assert_eq!(answer, json!([folder, ["-x"], environment, true, "the next line"]));
    assert!(host.ends().success());
    assert_eq!(host.complaints(), "borg-plugin-host: plugin clock: ended by itself, exit status 0\n");
}

#[test]
fn the_systems_programs_are_found_by_name() {
    let setup = Setup::new(&[("echo/plugin.json", r#"{"command": ["echo", "a b", "c"]}"#)]);
    let mut host = setup.host(&[]);
    host.ask(&run("echo").to_string());
    assert_eq!(host.line(), "a b c\n");
}

#[test]
fn what_cannot_be_started_is_told_with_the_way_out() {
    let setup = Setup::new(&[("loose.py", ""), ("gone/plugin.json", r#"{"command": ["no-such-program"]}"#)]);
    let loose = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(setup.plugins().join("loose.py"), loose).unwrap();
    let told = |name: &str| fault(&setup, &[], name);
    assert!(told("none").starts_with("plugin none: there is no plugin none: "), "{}", told("none"));
    assert_eq!(told("loose"), "plugin loose: loose.py: can be changed by others than its owner; `chmod go-w` it");
    assert!(told("gone").starts_with("plugin gone: cannot start no-such-program: No such file"), "{}", told("gone"));
    std::fs::remove_dir_all(setup.plugins()).unwrap();
    assert!(told("none").starts_with("the plugins' folder "), "{}", told("none"));
}

#[test]
fn what_is_not_granted_is_refused() {
    let setup = Setup::new(&[("weather.py", HELLO), ("weather.json", r#"{"permissions": ["network"]}"#)]);
    for args in [&[][..], &["--network"]] {
        let told = fault(&setup, args, "weather");
        assert!(told.starts_with("plugin weather: asks for network, which the profile does not grant: "), "{told}");
    }
}

#[test]
fn the_network_is_for_those_that_ask_for_it_and_for_no_others() {
    let setup = Setup::new(&[("hello.py", HELLO)]);
    setup.write("weather/plugin.json", r#"{"command": ["echo", "connected"], "permissions": ["network"]}"#);
    setup.grant(&json!({"weather": ["network"], "hello": ["network"]}));
    let told = fault(&setup, &[], "weather");
    assert_eq!(told, "plugin weather: needs the network, which this socket's plugins have not; ask at network.sock");
    let told = fault(&setup, &["--network"], "hello");
    assert_eq!(told, "plugin hello: does not ask for the network in its manifest; ask at host.sock");
    let mut host = setup.host(&["--network"]);
    host.ask(&run("weather").to_string());
    assert_eq!(host.line(), "connected\n");
}

#[test]
fn a_line_that_is_no_request_is_answered() {
    let setup = Setup::new(&[]);
    for (request, fault) in [
        (json!({"run": {"name": "../x"}}), "\"../x\" cannot be a plugin's name"),
        (
            json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
            "the first line is no request: unknown variant `jsonrpc`",
        ),
        (json!(1), "the first line is no request: "),
    ] {
        let answer = setup.answer(&[], &request);
        assert!(answer["error"]["message"].as_str().unwrap().contains(fault), "{answer}");
    }
}

#[test]
fn a_missing_configuration_is_named() {
    let setup = Setup::new(&[]);
    let told = fault(&setup, &["--plugins-config", "/none/plugins.json"], "hello");
    assert!(told.starts_with("cannot read /none/plugins.json: No such file"), "{told}");
}
