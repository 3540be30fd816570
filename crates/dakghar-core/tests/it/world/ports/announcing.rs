//! A save that tells something, in three writes at the far end of the wire, and what becomes of those that were left behind.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::Partitions;
use dakghar_core::domain::feed::Verdict;
use dakghar_core::ports::{Clock as _, Save, Saved, StoreError};

use super::{Near, Shared};
use crate::world::wire::Call;

/// So long after it was seen first, what is announced was left behind.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often one is looked at, each time after the version of its message was raised.
const ROUNDS_MAX: u32 = 3;

impl Near {
    /// Embedded it is one write.
    pub(super) async fn save_in_three_writes(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        let announcing = batch.to_vec();
        let has_news = self.shared.store.has_arrivals() && batch.iter().any(|save| save.entry.is_some());
        let announced: Vec<Option<Arc<str>>> = if has_news {
            let announce = move |shared: &Shared| {
                let announced = announcing.iter().map(|save| shared.store.announce(save));
                Ok(announced.collect())
            };
            match self.once(Call::Announce, announce).await {
                Ok(announced) => announced,
                Err(error) => return vec![Err(error); batch.len()],
            }
        } else {
            vec![None; batch.len()]
        };
        let life = self.life;
        let saves = batch.iter().cloned().zip(announced.clone()).collect();
        let save = move |shared: &Shared, (save, announced): (Save, Option<Arc<str>>)| {
            shared.save_as(life, Call::Save, save, announced.as_ref())
        };
        let saved = self.batch(Call::Save, saves, save).await;
        // What nobody knows is left to those who give places.
        let known: Vec<(Arc<str>, bool)> = (announced.into_iter().zip(&saved))
            .filter_map(|(id, saved)| Some((id?, *saved.as_ref().ok()? == Saved::Done)))
            .collect();
        if !known.is_empty() {
            let settle = move |shared: &Shared| {
                for (id, is_saved) in &known {
                    shared.store.settle(id, *is_saved);
                }
                Ok(())
            };
            let _ = self.once(Call::Settle, settle).await;
        }
        saved
    }

    /// Settles what was left behind in these partitions.
    pub(super) async fn settle_forgotten(&self, of: Partitions) {
        let (found, now) = (self.shared.store.announced(of), self.clock.uptime());
        let forgotten: Vec<Arc<str>> = {
            let mut seen = self.shared.announced.lock();
            seen.retain(|(life, id), _| *life != self.life || found.contains(id));
            let is_forgotten = |id: &Arc<str>| {
                let since = *seen.entry((self.life, id.clone())).or_insert(now);
                now.saturating_sub(since) >= PATIENCE
            };
            found.into_iter().filter(is_forgotten).collect()
        };
        for id in forgotten {
            if self.judge(id).await.is_err() {
                return;
            }
        }
    }

    async fn judge(&self, id: Arc<str>) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let looked_at = id.clone();
            let look = move |shared: &Shared| Ok(shared.store.verdict(&looked_at));
            let verdict = self.once(Call::Judge, look).await?;
            let judged = id.clone();
            match verdict {
                None => return Ok(()),
                Some(Verdict::Open) => {
                    let raise = move |shared: &Shared| {
                        shared.store.raise_version(&judged);
                        Ok(())
                    };
                    self.once(Call::Judge, raise).await?;
                }
                Some(verdict) => {
                    let settle = move |shared: &Shared| {
                        shared.store.settle(&judged, verdict == Verdict::Saved);
                        Ok(())
                    };
                    return self.once(Call::Settle, settle).await;
                }
            }
        }
        Ok(())
    }
}
