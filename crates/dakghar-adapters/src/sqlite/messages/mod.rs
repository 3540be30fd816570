//! Messages. This file is the port; the work behind it is in `write` and `read`.

pub(super) mod read;
pub(super) mod write;

use async_trait::async_trait;
use dakghar_core::domain::ids::{IdempotencyKey, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::message::Message;
use dakghar_core::domain::page::Paged;
use dakghar_core::ports::{Acceptance, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError};
use rusqlite::Connection;

use super::SqliteStore;
use super::failure::Outcome;
use super::rows::NewRow;

fn one_each<T>(result: Result<Vec<Result<T, StoreError>>, StoreError>, count: usize) -> Vec<Result<T, StoreError>> {
    result.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}

/// Saves one message, with its entry in the feed.
pub(super) fn save_one(conn: &Connection, save: &Save) -> Outcome<Saved> {
    write::save_one(conn, &write::SavedRow::of(save))
}

#[async_trait]
impl MessageStore for SqliteStore {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        let count = batch.len();
        let bytes = batch.iter().map(Paged::bytes).sum();
        let rows: Vec<_> = batch.into_iter().map(NewRow::of).collect();
        let written = self
            .writer
            .run_sized(bytes, move |conn| write::accept(conn, &rows))
            .await;
        one_each(written, count)
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        let count = batch.len();
        let bytes = batch.iter().map(|received| received.message.bytes()).sum();
        let rows: Vec<_> = batch
            .into_iter()
            .map(|received| (NewRow::of(received.message), received.touch))
            .collect();
        let written = self
            .writer
            .run_sized(bytes, move |conn| write::receive(conn, &rows))
            .await;
        one_each(written, count)
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        let (count, keys) = (keys.len(), keys.to_vec());
        let loaded = self.delivery.run(move |conn| read::load(conn, &keys)).await;
        one_each(loaded, count)
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        let rows: Vec<_> = batch.iter().map(write::SavedRow::of).collect();
        let written = self.writer.run(move |conn| write::save(conn, &rows)).await;
        one_each(written.map(|saved| saved.into_iter().map(Ok).collect()), batch.len())
    }

    async fn know_by_gateway_id(&self, key: &MessageKey) -> Result<bool, StoreError> {
        let key = *key;
        self.writer.run(move |conn| write::know_by_gateway_id(conn, &key)).await
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        let refs = refs.to_vec();
        self.delivery.run(move |conn| read::find_by_wamid(conn, &refs)).await
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        let (tenant_id, key) = (*tenant_id, key.clone());
        self.delivery
            .run(move |conn| read::find_by_idempotency_key(conn, tenant_id, &key))
            .await
            .flatten()
    }

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        let (message, number) = (*message, phone_number_id.clone());
        self.delivery
            .run(move |conn| read::statuses_arrived(conn, &message, &number, calls))
            .await
    }
}
