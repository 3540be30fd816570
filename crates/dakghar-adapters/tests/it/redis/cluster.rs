//! The queue and the pacer on a Redis Cluster of two nodes.

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::redis::RedisPacer;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Disposition, Pacer, Queue, QueueEntry, SlotAsk};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::RedisCluster;

use super::{SystemClock, config, connect, entry, expect_loss, now, patient, phone, start_with, take};

#[tokio::test]
async fn shards_live_on_different_nodes_of_a_cluster() {
    require_services!(Redis);
    let cluster = RedisCluster::start(2).await;
    let queue = start_with(config(&cluster.url(), 4, 16)).await;
    expect_loss(&queue).await;
    let entries: Vec<_> = (1..=40_u64)
        .map(|number| QueueEntry {
            phone_number_id: phone(number),
            slot_at: now() + Duration::from_millis(number),
            ..entry(u128::from(number))
        })
        .collect();
    queue.enqueue(&entries).await.unwrap();
    let mut keys = Vec::new();
    while keys.len() < 40 {
        for job in take(&queue, 1).await {
            keys.push(job.key);
            job.finish(Disposition::Done);
        }
    }
    keys.sort();
    assert_eq!(keys, entries.iter().map(|entry| entry.key).collect::<Vec<_>>());
    for node in &cluster.nodes {
        let size: u64 = redis::cmd("DBSIZE")
            .query_async(&mut connect(&node.url()).await)
            .await
            .unwrap();
        assert!(size > 0, "a node without any data");
    }
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connect(&cluster.nodes[1].url()).await)
        .await
        .unwrap();
    expect_loss(&queue).await;
}

#[tokio::test]
async fn numbers_are_paced_on_all_nodes_of_a_cluster() {
    require_services!(Redis);
    let cluster = RedisCluster::start(2).await;
    let pacer = RedisPacer::start(patient(&cluster.url()), Arc::new(SystemClock)).await;
    let at = now();
    let ask = |number| SlotAsk {
        phone_number_id: phone(number),
        // Ten a second with the share that every number begins with.
        level: 10.0 / 0.65,
        priority: Priority::Normal,
        not_before: at,
    };
    let asks: Vec<_> = (0..20).chain(0..20).map(ask).collect();
    let slots = pacer.reserve(&asks).await.unwrap();
    assert!(slots[..20].iter().all(|slot| *slot == at));
    assert!(slots[20..].iter().all(|slot| *slot == at + Duration::from_millis(100)));
}
