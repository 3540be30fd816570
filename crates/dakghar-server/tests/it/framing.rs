//! Requests whose end two readers may see in different places.

use dakghar_server::http::HttpConfig;
use tokio::io::AsyncWriteExt as _;

use crate::harness::Service;
use crate::sockets::{read_to_end, start};

#[tokio::test]
async fn what_may_be_smuggled_behind_a_request_is_not_carried_out() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let server = start(service.router.clone(), HttpConfig::default()).await;
    let path = format!("/tenants/{}/send", tenant.id);
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    let body = r#"{"to":"+919111111111","text":"x"}"#;
    let hidden = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let long = "x".repeat(1024 * 1024);
    let cases = [
        (
            "two framings",
            format!("{head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "two framings, swapped",
            format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        ),
        (
            "two lengths",
            format!("{head}Content-Length: 0\r\nContent-Length: 4\r\n\r\n"),
        ),
        ("a list of lengths", format!("{head}Content-Length: 0, 4\r\n\r\n")),
        ("a length with a sign", format!("{head}Content-Length: +0\r\n\r\n")),
        (
            "an unknown framing",
            format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a framing that is not last",
            format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a line that goes on",
            format!("{head}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a space before the colon",
            format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "an odd size of a piece",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"),
        ),
        (
            "a size beyond all numbers",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{}\r\n", "f".repeat(17)),
        ),
        (
            "a piece with a megabyte about it",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0;{long}\r\n\r\n"),
        ),
    ];
    for (what, request) in cases {
        let mut stream = server.connect().await;
        // The server may close before all of it is written.
        let _ = stream.write_all(format!("{request}{hidden}").as_bytes()).await;
        let answer = read_to_end(&mut stream).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{what}: {answer}");
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{what}: {answer}"
        );
        let list = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
        assert_eq!(list.json["data"], serde_json::json!([]), "{what}");
    }
    assert!(
        server.exchange_half(hidden).await.starts_with("HTTP/1.1 202"),
        "it is whole by itself"
    );
}
