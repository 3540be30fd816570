//! The queue split into several.

use std::collections::HashMap;

use dakghar_core::ports::{Disposition, Queue, QueueEntry};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::Redis;
use redis::AsyncCommands;

use super::{config, connect, entry, expect_loss, key, phone, start_with, take};

fn spread(count: u64) -> Vec<QueueEntry> {
    (1..=count)
        .map(|number| QueueEntry {
            phone_number_id: phone(number % 17),
            ..entry(u128::from(number))
        })
        .collect()
}

#[tokio::test]
async fn every_message_of_every_shard_arrives_once() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let queue = start_with(config(&redis.url(), 4, 16)).await;
    let mut connection = connect(&redis.url()).await;
    queue.enqueue(&spread(400)).await.unwrap();
    let mut times: HashMap<_, u32> = HashMap::new();
    while times.len() < 400 {
        for job in take(&queue, 1).await {
            *times.entry(job.key).or_default() += 1;
            job.finish(Disposition::Done);
        }
    }
    assert!(times.values().all(|times| *times == 1));
    for shard in 0..4 {
        let used: bool = connection
            .exists(format!("bull:{{whatsapp-send-queue-{shard}}}:completed"))
            .await
            .unwrap();
        assert!(used, "nothing went through shard {shard}");
    }
}

#[tokio::test]
async fn losing_the_mark_of_one_shard_is_a_loss() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let queue = start_with(config(&redis.url(), 4, 16)).await;
    expect_loss(&queue).await;
    let mut connection = connect(&redis.url()).await;
    let _: () = connection.del("dakghar:epoch:{whatsapp-send-queue-2}").await.unwrap();
    expect_loss(&queue).await;
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(take(&queue, 1).await[0].key, key(1));
}
