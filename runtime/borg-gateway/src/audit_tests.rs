use std::path::Path;

use super::*;

fn audit(folder: &Path) -> Audit {
    let files = LineFiles { folder: folder.to_owned(), max_size: 1_000_000, keep: 1 };
    Audit::new(Some(&files), Stop::never()).unwrap()
}

fn text(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(FILE)).unwrap()
}

/// The lines of a call.
async fn lines(arguments: Value, outcome: Result<CallToolResult, Fault>) -> [Value; 2] {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path());
    let source = Source::Plugin("p".into());
    let call = audit.begin(Caller::Token, "write\nfile", Some(&source), arguments.as_object()).await;
    assert_eq!(text(folder.path()).matches('\n').count(), 1, "it is written down before anything is done");
    call.end(&outcome).await;
    let text = text(folder.path());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.len() <= 4096), "{text}");
    [lines[0], lines[1]].map(|line| serde_json::from_str(line).unwrap())
}

#[tokio::test]
async fn a_call_is_a_line_when_it_begins_and_one_when_it_ends() {
    let result = CallToolResult::success(vec![ContentBlock::text("done\n{\"ok\":false}")]);
    let [begin, end] = lines(json!({"text": "a\n{}", "password": "hunter2"}), Ok(result)).await;
    for (line, event) in [(&begin, "begin"), (&end, "end")] {
        assert_eq!(
            (&line["event"], &line["id"], &line["caller"]),
            (&json!(event), &begin["id"], &json!({"by": "token"}))
        );
        assert_eq!((&line["tool"], &line["source"]), (&json!("write\nfile"), &json!("plugin p")));
        line["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    assert_eq!(begin["arguments"], json!({"text": "a\n{}", "password": "[redacted]"}));
    assert_eq!((&end["ok"], &end["result"]), (&json!(true), &json!(["done\n{\"ok\":false}"])));
    assert!(begin.get("ok").is_none() && end["milliseconds"].is_u64() && end.get("error").is_none(), "{end}");
}

#[tokio::test]
async fn a_fault_is_told_without_its_secrets() {
    for outcome in
        [Err(Fault::Source("Bearer abcdefgh0123 is wrong".into())), Ok(borg_mcp::fault("Bearer abcdefgh0123 is wrong"))]
    {
        let [begin, end] = lines(Value::Null, outcome).await;
        assert_eq!((&end["ok"], &end["error"]), (&json!(false), &json!("Bearer [redacted] is wrong")));
        assert!(end.get("result").is_none() && begin.get("arguments").is_none(), "{begin} {end}");
    }
}

#[tokio::test]
async fn without_text_the_structure_is_kept() {
    let mut result = CallToolResult::structured(json!({"n": 1, "token": "x"}));
    result.content.clear();
    assert_eq!(lines(json!({}), Ok(result)).await[1]["result"], json!({"n": 1, "token": "[redacted]"}));
}

#[tokio::test]
async fn no_call_makes_a_long_line() {
    let controls = "\u{1}".repeat(10_000);
    let many: JsonObject = (0..1000).map(|n| (format!("{n}{controls}"), json!(controls))).collect();
    let deep = (0..50).fold(json!(controls), |inner, _| json!([inner, [1.5, 2]]));
    let long = json!({"content": "x".repeat(1_000_000)});
    for arguments in [Value::Object(many), json!({"deep": deep, "list": vec![controls.clone(); 100]}), long.clone()] {
        let bytes = arguments.to_string().len();
        let result = CallToolResult::success(vec![ContentBlock::text(&*controls); 100]);
        let length = serde_json::to_string(&result.content).unwrap().len();
        let [begin, end] = lines(arguments.clone(), Ok(result)).await;
        let cut = if arguments == long { Value::Null } else { json!(bytes) };
        assert_eq!((&begin["arguments_bytes"], &end["result_bytes"]), (&cut, &json!(length)));
        let mut structured = CallToolResult::structured(arguments);
        structured.content.clear();
        assert_eq!(lines(json!({}), Ok(structured)).await[1]["result_bytes"], cut);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_over() {
    let folder = tempfile::tempdir().unwrap();
    drop(audit(folder.path()).begin(Caller::Token, "x", None, None).await);
    let text = text(folder.path());
    let end: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&end["ok"], &end["error"]), (&json!(false), &json!("the caller left; it may have been done")));
}

#[tokio::test]
async fn each_call_has_a_number_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let audit = audit(folder.path());
        for _ in 0..2 {
            let call = audit.begin(Caller::Token, "x", None, None).await;
            call.end(&Err(Fault::Cancelled)).await;
        }
    }
    let text = text(folder.path());
    let ids = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string());
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn a_log_that_cannot_be_written_is_named() {
    let files = LineFiles { folder: "/none".into(), max_size: 1, keep: 1 };
    let fault = Audit::new(Some(&files), Stop::never()).unwrap_err().to_string();
    assert!(fault.starts_with("cannot write the audit log /none/audit.log: No such file"), "{fault}");
}
