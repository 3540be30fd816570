//! The suites that every queue and every pacer passes.

use std::sync::Arc;

use dakghar_adapters::redis::RedisPacer;
use dakghar_core::ports::{Pacer, TenantQuota};
use dakghar_testkit::conformance::queue::QueueUnderTest;
use dakghar_testkit::servers::{Redis, Server, SharedRedis, are_installed};

use super::{SystemClock, config, patient, start_with};

async fn queue() -> Option<(QueueUnderTest, SharedRedis)> {
    if !are_installed(&[Server::Redis]) {
        return None;
    }
    let redis = Redis::shared().await;
    let port = QueueUnderTest {
        queue: Arc::new(start_with(config(&redis.url(), 1, 64)).await),
        messages: None,
    };
    Some((port, redis))
}

async fn pacer() -> Option<(Arc<dyn Pacer>, SharedRedis)> {
    if !are_installed(&[Server::Redis]) {
        return None;
    }
    let redis = Redis::shared().await;
    let pacer = RedisPacer::start(patient(&redis.url()), Arc::new(SystemClock)).await;
    Some((Arc::new(pacer), redis))
}

async fn quota() -> Option<(Arc<dyn TenantQuota>, SharedRedis)> {
    if !are_installed(&[Server::Redis]) {
        return None;
    }
    let redis = Redis::shared().await;
    let pacer = RedisPacer::start(patient(&redis.url()), Arc::new(SystemClock)).await;
    super::until_calls_are_counted(&pacer).await;
    Some((Arc::new(pacer), redis))
}

dakghar_testkit::queue_suite!(queue);
dakghar_testkit::pacer_suite!(pacer);
dakghar_testkit::pair_lines_suite!(pacer);
dakghar_testkit::quota_suite!(quota);
