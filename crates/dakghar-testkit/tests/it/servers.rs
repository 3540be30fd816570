//! Servers start, die, come back with their data, and leave nothing behind.

use std::path::Path;
use std::time::Duration;

use dakghar_testkit::require_services;
use dakghar_testkit::servers::{Mongo, Redis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn redis_says(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut reply = [0; 256];
    let length = stream.read(&mut reply).await.unwrap();
    String::from_utf8_lossy(&reply[..length]).into_owned()
}

#[tokio::test]
async fn a_killed_redis_comes_back_with_what_it_fsynced() {
    require_services!(Redis);
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    assert_eq!(redis_says(redis.port(), "SET k v").await, "+OK\r\n");
    let (port, pid) = (redis.port(), redis.pid());
    redis.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    redis.restart().await;
    assert_eq!(redis.port(), port);
    assert_ne!(redis.pid(), pid);
    assert_eq!(redis_says(port, "GET k").await, "$1\r\nv\r\n");
}

#[tokio::test]
async fn a_stopped_redis_answers_only_after_it_goes_on() {
    require_services!(Redis);
    let redis = Redis::start().await;
    redis.stop();
    while !std::fs::read_to_string(format!("/proc/{}/stat", redis.pid()))
        .unwrap()
        .contains(") T ")
    {
        tokio::task::yield_now().await;
    }
    redis.cont();
    assert_eq!(redis_says(redis.port(), "PING").await, "+PONG\r\n");
}

#[tokio::test]
async fn a_dropped_server_leaves_nothing() {
    require_services!(Mongo);
    let mongo = Mongo::start().await;
    let pid = mongo.pid();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    drop(mongo);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_killed_mongo_can_be_written_again() {
    require_services!(Mongo);
    let mut mongo = Mongo::start().await;
    mongo.kill();
    mongo.restart().await;
    mongo.writable().await;
}

#[tokio::test]
async fn a_replica_set_elects_another_primary() {
    require_services!(Mongo);
    let mut set = Mongo::start_replica_set(3).await;
    let first = set.primary().await;
    set.members[first].kill();
    let second = set.primary().await;
    assert_ne!(first, second);
    set.members[first].restart().await;
    set.step_down(30).await;
    assert_ne!(set.primary().await, second);
}

#[tokio::test]
async fn tests_share_a_server_but_no_database() {
    require_services!(Mongo, Redis);
    let (one, two) = tokio::join!(Mongo::shared(), Mongo::shared());
    assert_eq!(one.uri(), two.uri());
    assert_ne!(one.database(), two.database());
    let (one, two) = tokio::join!(Redis::shared(), Redis::shared());
    assert_eq!(one.port(), two.port());
    assert_ne!(one.url(), two.url());
    tokio::time::timeout(Duration::from_secs(30), redis_says(one.port(), "PING"))
        .await
        .unwrap();
}
