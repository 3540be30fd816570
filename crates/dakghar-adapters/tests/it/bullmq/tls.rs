//! Redis over TLS, with a certificate authority of one's own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use dakghar_adapters::bullmq::{BullmqConfig, RedisConfig, RedisPacer};
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Pacer, SendQueue, SlotAsk};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::Redis;

use super::{config, entry, finish_one, key, now, phone, start_with};

/// An authority and a certificate for this machine, signed by it.
const CERTIFICATES: &str = r"
    set -e
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=test -days 2
    openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
    printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
        -out server.pem
";

fn make_certificates(folder: &Path) {
    let made = Command::new("sh")
        .args(["-c", CERTIFICATES])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn speaks_tls_with_servers_of_a_known_authority_only() {
    require_services!(Redis);
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _redis = Redis::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("server.pem"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let stranger = start_with(config(&url, 1, 1)).await;
    assert!(stranger.ping().await.is_err());

    let authority = std::fs::read(path("ca.pem")).unwrap();
    let redis = RedisConfig::from_url(&url).unwrap().with_authority(authority).unwrap();
    let queue = start_with(BullmqConfig {
        redis: redis.clone(),
        ..config(&url, 1, 1)
    })
    .await;
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
    let ask = SlotAsk {
        phone_number_id: phone(1),
        per_second: 1.0,
        priority: Priority::Normal,
        not_before: now(),
    };
    RedisPacer::start(redis).await.reserve(&[ask]).await.unwrap();
}
