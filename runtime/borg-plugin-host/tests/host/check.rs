use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::setup::{Host, Setup, dies};

fn check(name: &str, source: &str) -> Value {
    json!({"check": {"name": name, "source": source}})
}

/// A host whose Python runs `script` instead of the package.
fn host_with(setup: &Setup, script: &str) -> Host {
    let runner = setup.plugins().join("runner.py");
    std::fs::write(&runner, script).unwrap();
    let mut host = setup.host_with(&runner, &[]);
    host.ask(&check("a.py", "# source").to_string());
    host
}

fn fault(setup: &Setup, script: &str) -> String {
    let mut host = host_with(setup, script);
    let answer = host.answer();
    assert!(host.ends().success());
    answer["error"].as_str().unwrap().to_owned()
}

#[test]
fn the_tools_of_a_source_are_told() {
    let source = "from borg.plugin import Tool\n\n@Tool()\ndef add(a: int, b: int = 1) -> int:\n    return a + b\n";
    let answer = Setup::new(&[]).answer(&[], &check("add.py", source));
    assert_eq!(answer["tools"][0]["name"], "add", "{answer}");
    assert_eq!(answer["tools"][0]["inputSchema"]["required"], json!(["a"]), "{answer}");
}

#[test]
fn a_fault_has_pythons_traceback() {
    let answer = Setup::new(&[]).answer(&[], &check("add.py", "import os\n\nraise ValueError(os.sep)\n"));
    let told = answer["error"].as_str().unwrap();
    assert!(told.contains("File \"add.py\", line 3") && told.contains("ValueError: /"), "{told}");
}

#[test]
fn a_large_source_arrives_whole() {
    let source = format!("# {}\nraise ValueError('at the end')\n", "ü".repeat(250_000));
    let answer = Setup::new(&[]).answer(&[], &check("a.py", &source));
    let told = answer["error"].as_str().unwrap();
    assert!(told.contains("File \"a.py\", line 2") && told.contains("at the end"), "{told}");
}

#[test]
fn a_check_is_of_a_python_file_and_has_no_network() {
    let setup = Setup::new(&[]);
    for name in ["--help", "a", "../a.py", "A.py", "a\n.py"] {
        let answer = setup.answer(&[], &check(name, ""));
        assert!(answer["error"].as_str().unwrap().contains("cannot be a plugin's name"), "{answer}");
    }
    let answer = setup.answer(&["--network"], &check("a.py", ""));
    assert_eq!(answer["error"], "a.py: a check has no network; ask at host.sock");
}

#[test]
fn an_answer_that_is_none_is_a_fault() {
    let setup = Setup::new(&[]);
    let told = fault(&setup, "import os; os.kill(os.getpid(), 9)");
    assert!(told.starts_with("a.py: the check ended without an answer"), "{told}");
    let told = fault(&setup, "print('[1')");
    assert!(told.starts_with("a.py: the answer of the check cannot be read: "), "{told}");
}

#[test]
fn an_answer_without_end_fills_no_memory() {
    let setup = Setup::new(&[]);
    let mut host = host_with(&setup, "import sys\nwhile True: sys.stdout.write('x' * 65536)");
    let told = host.answer()["error"].as_str().unwrap().to_owned();
    assert_eq!(told, "a.py: its tools take more than 1048576 bytes to describe");
    assert!(host.ends().success());
}

#[test]
fn a_source_that_never_loads_is_ended() {
    let setup = Setup::new(&[]);
    let mark = setup.plugins().join("mark");
    let script = format!("import os, time\nopen({mark:?}, 'w').write(str(os.getpid()))\ntime.sleep(1000)\n");
    let start = Instant::now();
    let told = fault(&setup, &script);
    assert!(told.starts_with("a.py: does not load within 10 s; "), "{told}");
    assert!(start.elapsed() < Duration::from_secs(12));
    assert!(dies(std::fs::read_to_string(mark).unwrap().parse().unwrap()));
}

#[test]
fn a_client_that_leaves_ends_the_check() {
    let setup = Setup::new(&[]);
    let mark = setup.plugins().join("mark");
    let script = format!("import os, time\nopen({mark:?}, 'w').write(str(os.getpid()) + ' ')\ntime.sleep(1000)\n");
    let mut host = host_with(&setup, &script);
    let until = Instant::now() + Duration::from_secs(10);
    let process = loop {
        let written = std::fs::read_to_string(&mark).unwrap_or_default();
        if let Some(number) = written.strip_suffix(' ') {
            break number.parse().unwrap();
        }
        assert!(Instant::now() < until, "the check does not start");
        std::thread::sleep(Duration::from_millis(10));
    };
    host.leave();
    assert!(host.ends().success());
    assert!(dies(process));
}
