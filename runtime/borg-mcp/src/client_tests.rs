use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;

use rmcp::model::ListToolsResult;
use tempfile::TempDir;

use super::*;

/// A socket at which whoever asks gets `answer`, sent as it is.
fn server(answer: impl Into<Vec<u8>>) -> (TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = answer.into();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The question comes in one piece. A client that hung up is a case, too.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&answer));
        }
    });
    (folder, Client::new(path, Duration::from_secs(5)))
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn ask(answer: impl Into<Vec<u8>>) -> Result<ListToolsResult, ClientFault> {
    let (_folder, client) = server(answer);
    client.ask("tools/list", json!({})).await
}

#[tokio::test]
async fn an_answer_is_taken_apart() {
    let tools = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}}"#;
    assert_eq!(ask(http("200 OK", tools)).await.unwrap().tools[0].name, "x");
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such thing"}}"#;
    let fault = ask(http("200 OK", error)).await.unwrap_err();
    assert!(matches!(&fault, ClientFault::Answered(e) if e.message == "no such thing"), "{fault}");
}

#[tokio::test]
async fn whatever_else_comes_has_a_name() {
    let refused = ask(http("403 Forbidden", "this socket is for root")).await.unwrap_err();
    assert!(matches!(&refused, ClientFault::Refused(text) if text == "this socket is for root"), "{refused}");
    let cases = [
        (http("503 Service Unavailable", "too many"), "503 Service Unavailable: too many"),
        (http("200 OK", "hello"), "an answer that is not understood"),
        (http("200 OK", "{}"), "an answer with neither"),
        ("hello\n".into(), "broke off"),
        (String::new(), "broke off"),
    ];
    for (answer, part) in cases {
        let fault = ask(answer.clone()).await.unwrap_err();
        assert!(matches!(&fault, ClientFault::Broken(text) if text.contains(part)), "{answer}: {fault}");
    }
    let nobody = Client::new("/none/socket", Duration::from_secs(5)).get("/healthz").await.unwrap_err();
    assert!(
        matches!(&nobody, ClientFault::Unreachable(text) if text.starts_with("cannot reach /none/socket: No such"))
    );
}

#[tokio::test]
async fn the_longest_answer_that_a_service_gives_is_taken() {
    let [head, tail] = [r#"{"result":{"tools":[],"nextCursor":""#, r#""}}"#];
    let text = "x".repeat(ANSWER_LIMIT - head.len() - tail.len());
    let listed = ask(http("200 OK", &format!("{head}{text}{tail}"))).await.unwrap();
    assert_eq!(listed.next_cursor.map(|cursor| cursor.len()), Some(text.len()));
    let fault = ask(http("200 OK", &format!("{head}{text} {tail}"))).await.unwrap_err();
    assert!(matches!(&fault, ClientFault::Broken(text) if text.contains("length limit")), "{fault}");
}

#[tokio::test]
async fn only_long_answers_need_a_place() {
    let text = |length: usize| http("200 OK", &format!(r#"{{"result":{{"tools":[]}},"x":"{}"}}"#, "x".repeat(length)));
    let places = Arc::new(Semaphore::new(0));
    for (length, fits) in [(1000, true), (1 << 20, false)] {
        let (_folder, client) = server(text(length));
        let client = Client { time: Duration::from_millis(500), ..client.with_places(Arc::clone(&places)) };
        let answer = client.ask::<ListToolsResult>("tools/list", json!({})).await;
        assert_eq!((answer.is_ok(), matches!(answer, Err(ClientFault::Late(_)))), (fits, !fits));
    }
    places.add_permits(1);
    let (_folder, client) = server(text(1 << 20));
    assert!(client.with_places(Arc::clone(&places)).ask::<ListToolsResult>("tools/list", json!({})).await.is_ok());
    assert_eq!(places.available_permits(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(ANSWER_LIMIT + 4096, b' ');
    let fault = ask(endless).await.unwrap_err();
    assert!(matches!(&fault, ClientFault::Broken(text) if text.contains("length limit")), "{fault}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let client = Client::new(path, Duration::from_millis(50));
    assert!(matches!(client.get("/healthz").await.unwrap_err(), ClientFault::Late(_)));
}
