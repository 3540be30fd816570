//! The disk of the machine, at the far end of a wire. All processes share it, and each has a part of its own.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::ports::{OutcomeSpool, SpoolError, SpooledOutcome};

use super::Near;
use crate::world::executor::Life;
use crate::world::process::owner;
use crate::world::wire::Call;

impl Near {
    /// A disk that fails does so before or after the effect, like a store.
    async fn on_disk<T: Send + 'static>(
        &self,
        effect: impl FnOnce(&super::Shared) -> T + Send + 'static,
    ) -> Result<T, SpoolError> {
        let done = self.once(Call::Spool, |shared| Ok(effect(shared))).await;
        done.map_err(|error| SpoolError::Broken(error.to_string().into()))
    }
}

/// The life whose part this is.
fn life_of(part: &str) -> Option<Life> {
    let number = part.rsplit('-').next()?;
    Some(Life(number.parse().ok()?))
}

#[async_trait]
impl OutcomeSpool for Near {
    async fn keep(&self, outcomes: &[SpooledOutcome]) -> Result<(), SpoolError> {
        let (part, outcomes) = (owner(self.life), outcomes.to_vec());
        let life = self.life;
        self.on_disk(move |shared| {
            for outcome in &outcomes {
                shared.promises.kept(life, outcome.key, outcome.epoch);
            }
            shared.disk.keep(&part, &outcomes);
        })
        .await
    }

    async fn settle(&self, count: usize) {
        let part = owner(self.life);
        // What is not forgotten is replayed, which changes nothing.
        let _ = self.on_disk(move |shared| shared.disk.settle(&part, count)).await;
    }

    async fn left_behind(&self) -> Result<Vec<Arc<str>>, SpoolError> {
        self.on_disk(|shared| {
            let mut parts = shared.disk.parts();
            parts.retain(|part| life_of(part).is_some_and(|life| !shared.wire.executor.is_alive(life)));
            parts
        })
        .await
    }

    async fn read(&self, part: &str) -> Result<Vec<SpooledOutcome>, SpoolError> {
        let part = part.to_owned();
        self.on_disk(move |shared| shared.disk.read(&part)).await
    }

    async fn forget(&self, part: &str) -> Result<(), SpoolError> {
        let part = part.to_owned();
        self.on_disk(move |shared| shared.disk.forget(&part)).await
    }
}
