//! The requests of tenants, counted for all processes in Redis, over the connection of the pacer.

use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::ports::{Grant, QueueError, QuotaAsk, RequestQuota};
use futures_util::future::try_join_all;
use redis::RedisError;

use super::pacer::RedisPacer;

/// Tenants in one call of the script; the nodes of a cluster share the tenants, so there each is a call of its own.
const TENANTS_PER_CALL: usize = 128;
/// The time that a request waits to be counted. Then its process counts by itself.
const PATIENCE: Duration = Duration::from_millis(250);

impl RedisPacer {
    async fn count(&self, asks: &[QuotaAsk]) -> Result<Vec<i64>, Option<RedisError>> {
        let mut connection = self.connection().ok_or(None)?;
        let mut invocation = self.quota.prepare_invoke();
        for ask in asks {
            invocation.key(format!("dakghar:requests:{{{}}}", ask.tenant_id));
            invocation.arg(ask.per_second).arg(ask.requests);
        }
        invocation.invoke_async(&mut connection).await.map_err(Some)
    }
}

#[async_trait]
impl RequestQuota for RedisPacer {
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
        let per_call = if self.is_cluster() { 1 } else { TENANTS_PER_CALL };
        let calls = try_join_all(asks.chunks(per_call).map(|asks| self.count(asks)));
        let answers = tokio::time::timeout(PATIENCE, self.within_budget(calls)).await;
        let answers = answers.map_err(|_| QueueError("Redis is slow".into()))??.concat();
        let number = |value: i64| u32::try_from(value).unwrap_or(0);
        let grants = answers.chunks_exact(3).map(|answer| Grant {
            granted: number(answer[0]),
            remaining: number(answer[1]),
            resets_in_ms: number(answer[2]),
        });
        Ok(grants.collect())
    }
}
