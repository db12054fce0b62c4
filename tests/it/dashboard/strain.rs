//! Whoever means ill, or only very much: what a stranger can hold is bounded, and nobody else waits for it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::server::{Server, sandbox_with_a_failed_run};
use crate::support::Sandbox;

/// So many connections of strangers are open at most.
const STRANGERS: usize = 256;

async fn connect(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.base()["http://".len()..]).await.unwrap();
    // The server may have closed it while it was written to.
    let _ = stream.write_all(text.as_bytes()).await;
    stream
}

/// What is answered, until the connection is closed.
async fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut text))
        .await
        .expect("an answer");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn slow_strangers_make_room_for_each_other_and_nobody_else_waits_for_them() {
    let server = Server::start(sandbox_with_a_failed_run());
    let before = server.resident();
    let mut slow = Vec::new();
    for _ in 0..3 * STRANGERS {
        slow.push(connect(&server, "GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await);
    }
    assert!(server.html("/").await.contains(">review</a>"), "who is let in is answered");
    let mut buffer = [0; 1];
    let mut closed = 0;
    for stream in &mut slow[..2 * STRANGERS] {
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut buffer)).await;
        assert!(matches!(read.expect("the oldest ones were closed"), Ok(0) | Err(_)));
        closed += 1;
    }
    assert_eq!(closed, 2 * STRANGERS);
    // The last one is still heard.
    let last = slow.last_mut().unwrap();
    last.write_all(b"x\r\n\r\n").await.unwrap();
    assert_eq!(last.read(&mut buffer).await.unwrap(), 1);
    let more = server.resident().saturating_sub(before);
    assert!(more < 100 << 10, "{more} KiB more in memory");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(Sandbox::new());
    let large = "x".repeat(64 << 10);
    let many = "x-many: 1\r\n".repeat(200);
    for head in [format!("x-large: {large}\r\n"), many] {
        let text =
            answer(connect(&server, &format!("GET / HTTP/1.1\r\nhost: localhost\r\n{head}\r\n")).await).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 431 "), "{text}");
    }
    let long =
        answer(connect(&server, &format!("GET /{large} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await).await;
    assert!(long.is_empty() || long.starts_with("HTTP/1.1 4"), "{long}");
    assert!(server.html("/").await.contains("No job has run here yet"));
}

#[tokio::test]
async fn many_who_listen_from_one_address_cost_little_and_delay_nobody() {
    let server = Server::start(sandbox_with_a_failed_run());
    let events = format!("/api/v1{}/runs/1/events", server.only_job().await);
    let before = server.resident();
    let mut listening = Vec::new();
    for _ in 0..300 {
        let mut stream = server.get(&events).send().await.unwrap();
        let first = stream.chunk().await.unwrap().unwrap();
        assert!(std::str::from_utf8(&first).unwrap().contains("event: run"));
        listening.push(stream);
    }
    let each = server.resident().saturating_sub(before) / 300;
    // A build with debug assertions needs more than the one that is measured by `make bench`.
    assert!(each < 32, "{each} KiB for each of them");
    assert!(server.html("/").await.contains(">review</a>"));
}
