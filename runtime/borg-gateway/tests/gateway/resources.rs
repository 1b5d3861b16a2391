use serde_json::json;

use crate::bench::Bench;

#[test]
fn resources_of_servers_are_behind_the_same_door_and_who_reads_them_is_written_down() {
    // The second server is down, and in nobody's way.
    let bench = Bench::new().start(&["files", "serial"], true);
    let listed = bench.ask("resources/list", json!({}));
    assert_eq!(listed["result"]["resources"], json!([{ "uri": "file:///srv", "name": "srv" }]), "{listed}");
    let templates = bench.ask("resources/templates/list", json!({}));
    assert_eq!(templates["result"]["resourceTemplates"][0]["uriTemplate"], "file://{+path}", "{templates}");
    let read = bench.ask("resources/read", json!({ "uri": "file:///srv/note" }));
    assert_eq!(read["result"]["contents"], json!([{ "uri": "file:///srv/note", "text": "what is there" }]), "{read}");
    let missing = bench.ask("resources/read", json!({ "uri": "web://x" }));
    assert!(missing["error"]["message"].as_str().unwrap().contains("no server has such a resource"), "{missing}");
    let (begun, ended) = bench.begun_and_ended();
    let of = |line: &serde_json::Value| [&line["tool"], &line["source"], &line["arguments"]["uri"]].map(Clone::clone);
    assert_eq!(of(&begun[0]), [json!("resources/read"), json!("server files"), json!("file:///srv/note")]);
    assert_eq!(of(&begun[1]), [json!("resources/read"), json!(null), json!("web://x")]);
    assert_eq!([&ended[0]["ok"], &ended[1]["ok"]], [true, false]);
}
