//! The whole product with Redis as operators have it: with TLS and a password, and as a cluster.

use std::collections::BTreeSet;

use dakghar_testkit::servers::{Redis, RedisCluster, TlsRedis};

use crate::product::{Backend, Product, Setup, eventually};

/// Sends for so many numbers until every message was delivered; each was called once.
async fn send_for_numbers(product: &Product, numbers: u64) {
    let mut sent = Vec::new();
    for number in 0..numbers {
        let tenant = product.tenant(&format!("10{number}"), "EAAG-real").await;
        let id = product.send(&tenant, "+919111111111").await;
        sent.push((tenant, id));
    }
    for (tenant, id) in &sent {
        product.until_status(tenant, id, "delivered").await;
    }
    let calls = product.sim.call_counts();
    assert_eq!(calls.len(), sent.len());
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
}

/// The keys of a server that begin with `prefix`.
async fn keys(node: &Redis, prefix: &str) -> Vec<String> {
    let output = tokio::process::Command::new("redis-cli")
        .args([
            "-p",
            &node.port().to_string(),
            "--scan",
            "--pattern",
            &format!("{prefix}*"),
        ])
        .output()
        .await
        .expect("redis-cli runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_through_a_redis_with_tls_and_a_password() {
    const PASSWORD: &str = "redis-password-canary";
    let redis = TlsRedis::start().await;
    redis.redis.require_password(PASSWORD).await;
    let mut product = Setup::on(Backend::Distributed)
        .env("REDIS_URL", redis.url_with(PASSWORD))
        .env("REDIS_CA_FILE", redis.authority_file().display())
        .role("api")
        .start()
        .await;
    product.spawn("worker");
    send_for_numbers(&product, 2).await;
    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("queue is ready"), "{out}");
    for text in [&out, &err, &product.log()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }

    // Without the authority nobody would know whom they talk to.
    let doctor = product.command().arg("doctor").env("REDIS_CA_FILE", "").output();
    let doctor = doctor.expect("the program runs");
    let out = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{out}");
    assert!(out.contains("queue: ") && out.contains("rediss://127.0.0.1"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_through_every_shard_of_a_redis_cluster() {
    let cluster = RedisCluster::start(3).await;
    let product = Setup::on(Backend::Distributed)
        .env("REDIS_URL", cluster.url())
        .env("QUEUE_SHARDS", 3)
        .start()
        .await;
    // Enough numbers for each shard to get some.
    send_for_numbers(&product, 12).await;
    let mut shards = BTreeSet::new();
    for node in &cluster.nodes {
        for key in keys(node, "bull:").await {
            shards.extend(key.strip_suffix(":completed").map(str::to_owned));
        }
    }
    let expected = [0, 1, 2].map(|shard| format!("bull:{{whatsapp-send-queue-{shard}}}"));
    assert_eq!(shards.into_iter().collect::<Vec<_>>(), expected);

    // A node that lost everything is noticed, and filled again.
    let tenant = product.tenant("111", "EAAG-real").await;
    for node in &cluster.nodes {
        let port = node.port().to_string();
        let flushed = tokio::process::Command::new("redis-cli")
            .args(["-p", &port, "FLUSHALL"])
            .output()
            .await;
        assert!(flushed.expect("redis-cli runs").status.success());
    }
    let epoch_is_back = async || {
        let mut marks = 0;
        for node in &cluster.nodes {
            marks += keys(node, "dakghar:epoch").await.len();
        }
        marks == 3
    };
    assert!(eventually(epoch_is_back).await, "{}", product.log());
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
}
