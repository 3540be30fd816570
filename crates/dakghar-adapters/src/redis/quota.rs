//! The requests and calls of tenants, counted for all processes in Redis, over the connection of the pacer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::quota::{CALLS_TOLD_MAX, SECOND, TOGETHER};
use dakghar_core::ports::{CallAsk, Grant, QueueError, QuotaAsk, TenantQuota};
use futures_util::future::try_join_all;
use redis::RedisError;

use super::pacer::RedisPacer;

/// Tenants in one call of the script; the nodes of a cluster share the tenants, so there each is a call of its own.
const TENANTS_PER_CALL: usize = 128;
/// The time that a request waits to be counted. Then its process counts by itself.
const PATIENCE: Duration = Duration::from_millis(250);
/// The time after a loss of Redis's memory in which each process says how many calls it has, as it does every second, and
/// none begins another.
const LOSS_PATIENCE: Duration = Duration::from_millis(1_500);
/// The time for which it is remembered that nothing was lost, from the last look on.
const SINCE_KEPT: Duration = Duration::from_hours(30 * 24);

impl RedisPacer {
    async fn count(&self, asks: &[QuotaAsk]) -> Result<Vec<i64>, Option<RedisError>> {
        let mut connection = self.connection().ok_or(None)?;
        let mut invocation = self.quota.prepare_invoke();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        invocation.arg(micros(SECOND)).arg(micros(TOGETHER));
        for ask in asks {
            // Earlier versions count under `dakghar:requests`, in another form.
            invocation.key(format!("dakghar:second:{{{}}}", ask.tenant_id));
            invocation.arg(ask.per_second).arg(ask.requests);
        }
        invocation.invoke_async(&mut connection).await.map_err(Some)
    }
}

impl RedisPacer {
    async fn count_calls(&self, process: &str, asks: &[CallAsk]) -> Result<Vec<i64>, Option<RedisError>> {
        let mut connection = self.connection().ok_or(None)?;
        let mut invocation = self.calls.prepare_invoke();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // The nodes of a cluster lose their memory each by itself.
        match asks {
            [ask] if self.is_cluster() => invocation.key(format!("dakghar:calls-since:{{{}}}", ask.tenant_id)),
            _ => invocation.key("dakghar:calls-since"),
        };
        invocation.arg(process).arg(millis(CALLS_TOLD_MAX));
        invocation.arg(millis(LOSS_PATIENCE)).arg(millis(SINCE_KEPT));
        for ask in asks {
            invocation.key(format!("dakghar:calls:{{{}}}", ask.tenant_id));
            invocation.arg(ask.max).arg(ask.under_way).arg(ask.wanted);
        }
        invocation.invoke_async(&mut connection).await.map_err(Some)
    }
}

#[async_trait]
impl TenantQuota for RedisPacer {
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

    async fn take_calls(&self, process: &Arc<str>, asks: &[CallAsk]) -> Result<Vec<u32>, QueueError> {
        let per_call = if self.is_cluster() { 1 } else { TENANTS_PER_CALL };
        let calls = try_join_all(asks.chunks(per_call).map(|asks| self.count_calls(process, asks)));
        let granted = self.within_budget(calls).await?.concat();
        let number = |value: i64| u32::try_from(value).unwrap_or(0);
        Ok(granted.into_iter().map(number).collect())
    }
}
