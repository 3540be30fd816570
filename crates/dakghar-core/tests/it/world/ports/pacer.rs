//! The pace at the far end of the wire, shared by all processes.

use async_trait::async_trait;
use dakghar_core::domain::pacing::Admission;
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Clock as _, Pacer, PairAsk, PairLines, QueueError, SlotAsk};

use super::{Near, at_once};
use crate::world::wire::{Call, Luck};

impl Near {
    async fn pace<T: Send + 'static>(
        &self,
        effect: impl FnOnce(&dyn Pacer) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (pacer, now) = (self.shared.pacer.clone(), self.clock.now());
        let travelling = move |luck: &mut Luck| {
            let (happens, is_told) = luck.draw();
            let done = happens.then(|| {
                pacer.look(now);
                effect(&*pacer)
            });
            done.filter(|_| is_told).unwrap_or_else(|| Err(away()))
        };
        self.shared.wire.call(self.life, Call::Pace, travelling).await
    }
}

pub(super) fn away() -> QueueError {
    QueueError("the simulated queue is away".into())
}

#[async_trait]
impl Pacer for Near {
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError> {
        let asks = asks.to_vec();
        self.pace(move |pacer| at_once(pacer.reserve(&asks))).await
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        let asks = asks.to_vec();
        // Best effort.
        let _ = self
            .pace(move |pacer| {
                at_once(pacer.refund(&asks));
                Ok(())
            })
            .await;
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        let asks = asks.to_vec();
        self.pace(move |pacer| at_once(pacer.admit(&asks))).await
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp) {
        let number = phone_number_id.clone();
        let _ = self
            .pace(move |pacer| {
                at_once(pacer.pause_until(&number, now, until));
                Ok(())
            })
            .await;
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        let number = phone_number_id.clone();
        let _ = self
            .pace(move |pacer| {
                at_once(pacer.forget_beyond(&number, limit));
                Ok(())
            })
            .await;
    }
}

#[async_trait]
impl PairLines for Near {
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError> {
        let numbers = numbers.to_vec();
        self.pace(move |pacer| at_once(pacer.have_lines(&numbers))).await
    }

    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError> {
        let asks = asks.to_vec();
        self.pace(move |pacer| at_once(pacer.turns(&asks))).await
    }

    async fn put_first(&self, ask: &PairAsk, until: Timestamp) {
        let ask = ask.clone();
        // Best effort.
        let _ = self
            .pace(move |pacer| {
                at_once(pacer.put_first(&ask, until));
                Ok(())
            })
            .await;
    }

    async fn put_back(&self, ask: &PairAsk, until: Timestamp) {
        let ask = ask.clone();
        let _ = self
            .pace(move |pacer| {
                at_once(pacer.put_back(&ask, until));
                Ok(())
            })
            .await;
    }
}
