//! The lines of messages to one person, shared by all processes through Redis, over the connection of the pacer.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::pacing::SLOT_TOLERANCE;
use dakghar_core::domain::pair_line::{
    PAIR_AHEAD_MAX, PAIR_FORGOTTEN_AFTER, PAIR_INTERVAL, PAIR_LINE_MAX, PAIR_LINES_MAX, PAIR_STALLED_AFTER,
};
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{PairAsk, PairLines, QueueError};
use futures_util::future::try_join_all;
use redis::RedisError;
use tracing::debug;

use super::pacer::RedisPacer;

/// Numbers in one call of the script; the nodes of a cluster share the numbers, so there each is a call of its own.
const NUMBERS_PER_CALL: usize = 128;

/// The asks of one number, and their places among all.
type OfNumber<'a> = (&'a PhoneNumberId, Vec<(usize, &'a PairAsk)>);

impl RedisPacer {
    async fn call_lines(
        &self,
        operation: &str,
        numbers: &[OfNumber<'_>],
        until: Timestamp,
    ) -> Result<Vec<i64>, Option<RedisError>> {
        let mut connection = self.connection().ok_or(None)?;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut invocation = self.lines.prepare_invoke();
        invocation.arg(operation).arg(millis(PAIR_INTERVAL));
        invocation.arg(PAIR_LINE_MAX).arg(PAIR_LINES_MAX);
        invocation
            .arg(millis(PAIR_STALLED_AFTER))
            .arg(millis(PAIR_FORGOTTEN_AFTER));
        invocation.arg(millis(PAIR_AHEAD_MAX)).arg(millis(SLOT_TOLERANCE));
        for (number, asks) in numbers {
            invocation.key(format!("dakghar:pairs:{{{number}}}")).arg(asks.len());
            for (_, ask) in asks {
                invocation.arg(ask.conversation_id.to_string());
                invocation.arg(ask.message_id.to_string());
                invocation.arg(ask.now.as_millis()).arg(until.as_millis());
            }
        }
        invocation.invoke_async(&mut connection).await.map_err(Some)
    }

    async fn run_lines(&self, operation: &str, numbers: &[OfNumber<'_>]) -> Result<Vec<i64>, QueueError> {
        let per_call = if self.is_cluster() { 1 } else { NUMBERS_PER_CALL };
        let now = Timestamp::from_millis(0);
        let calls = numbers
            .chunks(per_call)
            .map(|numbers| self.call_lines(operation, numbers, now));
        Ok(self.within_budget(try_join_all(calls)).await?.concat())
    }

    async fn put(&self, operation: &str, ask: &PairAsk, until: Timestamp) {
        let numbers = [(&ask.phone_number_id, vec![(0, ask)])];
        if let Err(error) = self.within_budget(self.call_lines(operation, &numbers, until)).await {
            debug!(message_id = %ask.message_id, operation, %error, "a message has no place in the line to its person");
        }
    }
}

#[async_trait]
impl PairLines for RedisPacer {
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError> {
        let numbers: Vec<OfNumber<'_>> = numbers.iter().map(|number| (number, Vec::new())).collect();
        let have = self.run_lines("have", &numbers).await?;
        Ok(have.into_iter().map(|has| has == 1).collect())
    }

    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError> {
        let mut of_numbers: HashMap<&PhoneNumberId, Vec<(usize, &PairAsk)>> = HashMap::new();
        for (place, ask) in asks.iter().enumerate() {
            of_numbers.entry(&ask.phone_number_id).or_default().push((place, ask));
        }
        let of_numbers: Vec<OfNumber<'_>> = of_numbers.into_iter().collect();
        let answers = self.run_lines("turn", &of_numbers).await?;
        let mut turns = vec![None; asks.len()];
        let places = of_numbers.iter().flat_map(|(_, asks)| asks);
        for ((place, _), answer) in places.zip(answers) {
            turns[*place] = (answer >= 0).then(|| Timestamp::from_millis(answer));
        }
        Ok(turns)
    }

    async fn put_first(&self, ask: &PairAsk, until: Timestamp) {
        self.put("first", ask, until).await;
    }

    async fn put_back(&self, ask: &PairAsk, until: Timestamp) {
        self.put("back", ask, until).await;
    }
}
