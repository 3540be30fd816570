//! The store's clock, behind a proxy that makes the server's clock another one.

use std::time::Duration;

use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::ports::Clock;
use dakghar_testkit::require_services;
use dakghar_testkit::servers::{Mongo, direct_uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const SHIFT_MS: i64 = 90 * 60 * 1000;
/// How far the two clocks may be apart for other reasons; far less than the shift, far more than a busy machine needs.
const TOLERANCE_MS: i64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_the_servers_and_not_the_machines() {
    require_services!(Mongo);
    let server = Mongo::shared().await;
    let port = shifting_proxy(server.port()).await;
    let options = MongoOptions {
        database: server.database().to_owned(),
        ..MongoOptions::default()
    };
    let store = MongoStore::connect(&direct_uri(port), options)
        .await
        .expect("the server answers");
    let clock = store.clock();

    let ahead = || clock.now().as_millis() - jiff::Timestamp::now().as_millisecond();
    assert!((ahead() - SHIFT_MS).abs() < TOLERANCE_MS, "{}", ahead());

    // It goes on by itself, also when nobody is asked any more.
    drop(store);
    let before = clock.now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(clock.now() > before);
}

/// A proxy that adds [`SHIFT_MS`] to every `localTime` the server tells. Answers its port.
async fn shifting_proxy(upstream: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", upstream))
                .await
                .expect("the server listens");
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) = server.into_split();
            tokio::spawn(forward(client_read, server_write, |_| {}));
            tokio::spawn(forward(server_read, client_write, shift));
        }
    });
    port
}

/// Passes on whole messages of the wire protocol: each starts with its length.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, change: fn(&mut [u8])) {
    while let Ok(length) = from.read_i32_le().await {
        let mut message = length.to_le_bytes().to_vec();
        message.resize(usize::try_from(length).expect("a length"), 0);
        if from.read_exact(&mut message[4..]).await.is_err() {
            return;
        }
        change(&mut message);
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

fn shift(message: &mut [u8]) {
    const FIELD: &[u8] = b"\x09localTime\0";
    let Some(at) = message.windows(FIELD.len()).position(|window| window == FIELD) else {
        return;
    };
    let value = &mut message[at + FIELD.len()..][..8];
    let local_time = i64::from_le_bytes(value.try_into().expect("eight bytes"));
    value.copy_from_slice(&(local_time + SHIFT_MS).to_le_bytes());
}
