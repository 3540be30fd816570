//! Redis over TLS, with a certificate authority of one's own.

use std::sync::Arc;

use dakghar_adapters::redis::{BullmqConfig, RedisConfig, RedisPacer};
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Pacer, Queue, SlotAsk};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::TlsRedis;

use super::{SystemClock, config, entry, finish_one, key, now, phone, start_with};

#[tokio::test]
async fn speaks_tls_with_servers_of_a_known_authority_only() {
    require_services!(Redis);
    let server = TlsRedis::start().await;
    let url = server.url();
    let stranger = start_with(config(&url, 1, 1)).await;
    assert!(stranger.ping().await.is_err());

    let authority = std::fs::read(server.authority_file()).unwrap();
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
        level: 1.0,
        priority: Priority::Normal,
        not_before: now(),
    };
    RedisPacer::start(redis, Arc::new(SystemClock))
        .await
        .reserve(&[ask])
        .await
        .unwrap();
}
