//! Meta's reports on messages at the far end of the wire.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::MessageKey;
use dakghar_core::domain::message::{Reported, Standing, StatusRecord};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::ports::{StatusStore, StoreError};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl StatusStore for Near {
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>> {
        let life = self.life;
        let record = move |shared: &Shared, status: StatusRecord| {
            let key = status.key;
            let before = shared.look(key);
            let recorded = at_once(shared.store.record_statuses(&[status])).pop();
            if let Some((before, after)) = before.zip(shared.look(key)) {
                shared.promises.reported(life, &before, &after);
            }
            recorded.expect("an answer").expect("no outage")
        };
        self.batch(Call::RecordStatuses, batch.to_vec(), record).await
    }

    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError> {
        let keys = keys.to_vec();
        let read = move |shared: &Shared| at_once(shared.store.reports_of(&keys));
        self.once(Call::Query, read).await
    }

    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>> {
        let wanted = wanted.to_vec();
        let read = move |shared: &Shared| Ok(at_once(shared.store.find_reports(&wanted)));
        self.once(Call::Query, read)
            .await
            .unwrap_or_else(|_: StoreError| Vec::new())
    }

    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError> {
        let key = *key;
        let read = move |shared: &Shared| at_once(shared.store.statuses_of(&key, limit));
        self.once(Call::Query, read).await
    }
}
