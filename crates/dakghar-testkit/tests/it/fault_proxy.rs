//! Each fault of the proxy is what a client sees.

use std::io::ErrorKind;
use std::time::Duration;

use dakghar_testkit::fault_proxy::{FaultProxy, Flow, Hold, Toward};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Answers every byte with the same byte.
async fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    port
}

async fn start() -> (FaultProxy, TcpStream) {
    let proxy = FaultProxy::start(echo_server().await).await;
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    (proxy, client)
}

/// What comes back for `text`: as much as there is, or the error.
async fn say(client: &mut TcpStream, text: &str) -> Result<String, ErrorKind> {
    client.write_all(text.as_bytes()).await.map_err(|error| error.kind())?;
    let mut reply = vec![0; text.len()];
    client.read_exact(&mut reply).await.map_err(|error| error.kind())?;
    Ok(String::from_utf8(reply).unwrap())
}

/// Whether nothing at all comes in a while that is long for this machine.
async fn is_silent(client: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(Duration::from_millis(300), client.read(&mut byte))
        .await
        .is_err()
}

#[tokio::test]
async fn without_a_fault_everything_passes() {
    let (proxy, mut client) = start().await;
    let long = "x".repeat(1_000_000);
    let (mut read, mut write) = client.split();
    let mut back = vec![0; long.len()];
    let (sent, received) = tokio::join!(write.write_all(long.as_bytes()), read.read_exact(&mut back));
    sent.unwrap();
    received.unwrap();
    assert_eq!(back, long.as_bytes());
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the end passes as well");
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn a_delay_holds_requests_and_replies_back() {
    let (proxy, mut client) = start().await;
    proxy.set_delay(Duration::from_millis(50));
    let begun = Instant::now();
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn stalled_bytes_arrive_once_the_network_heals() {
    let (proxy, mut client) = start().await;
    proxy.set_flow(Toward::Client, Flow::Stall);
    client.write_all(b"a").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.heal().await;
    assert_eq!(client.read_u8().await.unwrap(), b'a');
}

#[tokio::test]
async fn swallowed_bytes_never_arrive_but_new_connections_work() {
    let (proxy, mut client) = start().await;
    proxy.drop_replies();
    client.write_all(b"a").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.heal().await;
    client.write_all(b"b").await.unwrap();
    assert!(
        is_silent(&mut client).await,
        "the rest would make no sense without what was lost"
    );
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "c").await.unwrap(), "c");
}

#[tokio::test]
async fn a_black_hole_takes_new_connections_too() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.blackhole();
    client.write_all(b"b").await.unwrap();
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    next.write_all(b"c").await.unwrap();
    assert!(is_silent(&mut client).await);
    assert!(is_silent(&mut next).await);
}

#[tokio::test]
async fn a_cut_connection_gets_the_bytes_before_it() {
    let (proxy, mut client) = start().await;
    proxy.set_flow(Toward::Client, Flow::CutAfter(3));
    client.write_all(b"abcde").await.unwrap();
    let mut reply = Vec::new();
    let error = client.read_to_end(&mut reply).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(b"abc".starts_with(&reply), "{reply:?}");
}

#[tokio::test]
async fn cut_connections_are_reset_and_new_ones_work() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.cut();
    assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "b").await.unwrap(), "b");
}

#[tokio::test]
async fn a_half_closed_connection_ends_in_good_order() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.half_close();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    client.write_all(b"b").await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_works_again_after_healing() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.refuse().await;
    assert!(client.read_u8().await.is_err());
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.heal().await;
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "b").await.unwrap(), "b");
}

#[tokio::test]
async fn a_trap_holds_the_request_it_looks_for_until_it_is_released() {
    let (proxy, mut client) = start().await;
    proxy.trap(b"bcd", Hold::Request);
    assert_eq!(say(&mut client, "ab").await.unwrap(), "ab");
    // The bytes come in two pieces.
    client.write_all(b"cde").await.unwrap();
    proxy.until_caught(1).await;
    assert!(is_silent(&mut client).await, "the server did not get it");
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "x").await.unwrap(), "x", "others pass");
    proxy.release();
    let mut reply = [0; 3];
    client.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"cde");
    assert_eq!(say(&mut client, "bcd").await.unwrap(), "bcd", "the trap is gone");
    assert_eq!(proxy.caught(), 1);
}

#[tokio::test]
async fn a_trap_for_replies_lets_the_request_through() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap().port()).await;
    proxy.trap(b"a", Hold::Reply);
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"a").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'a');
    server.write_all(b"b").await.unwrap();
    proxy.until_caught(1).await;
    assert!(is_silent(&mut client).await);
    // Without the trap the connection stays caught; a cut ends it.
    proxy.disarm();
    assert!(is_silent(&mut client).await);
    proxy.cut();
    assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn silenced_connections_stay_open_and_new_ones_work() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.silence_present();
    client.write_all(b"b").await.unwrap();
    assert!(is_silent(&mut client).await);
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "c").await.unwrap(), "c");
}

#[tokio::test]
async fn new_connections_can_lead_elsewhere() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.lead_to(elsewhere.local_addr().unwrap().port());
    let _next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    elsewhere.accept().await.unwrap();
    assert_eq!(say(&mut client, "b").await.unwrap(), "b");
}

#[tokio::test]
async fn a_process_can_be_shut_out() {
    let (proxy, mut client) = start().await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    // Nobody's process.
    proxy.shut_out(&[u32::MAX]);
    assert_eq!(say(&mut client, "b").await.unwrap(), "b");
    proxy.shut_out(&[std::process::id()]);
    assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert!(say(&mut next, "c").await.is_err());
    proxy.shut_out(&[]);
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(say(&mut next, "d").await.unwrap(), "d");
}
