//! The message store. This file is the port; the work behind it is in `write`, `read`, `list` and `erase`.

/// The condition of the index `messages_open`, word for word: SQLite uses that only for a query that says the same.
macro_rules! is_open {
    () => {
        "status <> 'sent' AND status <> 'delivered' AND status <> 'read' AND status <> 'received'"
    };
}

pub(super) mod erase;
pub(super) mod list;
pub(super) mod read;
pub(super) mod write;

use async_trait::async_trait;
use dakghar_core::domain::conversation::{Conversation, ConversationTouch};
use dakghar_core::domain::ids::{
    ConversationId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid,
};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Acceptance, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError};

use super::rows::NewRow;
use super::{SqliteStore, conversations};

/// Sorts behind every id: where a list without a cursor starts.
const BEHIND_ALL: &str = "~";

/// The text for "only older than this id".
pub(super) fn before_text(before: Option<impl ToString>) -> String {
    before.map_or_else(|| BEHIND_ALL.to_owned(), |id| id.to_string())
}

fn one_each<T>(result: Result<Vec<Result<T, StoreError>>, StoreError>, count: usize) -> Vec<Result<T, StoreError>> {
    result.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}

#[async_trait]
impl MessageStore for SqliteStore {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        let count = batch.len();
        let rows: Vec<_> = batch.into_iter().map(NewRow::of).collect();
        let written = self.writer.run(move |conn| write::accept(conn, &rows)).await;
        one_each(written, count)
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        let count = batch.len();
        let rows: Vec<_> = batch
            .into_iter()
            .map(|received| (NewRow::of(received.message), received.touch))
            .collect();
        let written = self.writer.run(move |conn| write::receive(conn, &rows)).await;
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

    async fn touch_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        self.writer.run(move |conn| conversations::touch(conn, &batch)).await
    }

    async fn find_by_wamid(
        &self,
        refs: &[(TenantId, PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError> {
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
    }

    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.delivery
            .run(move |conn| read::due(conn, until, status, limit))
            .await
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut woken = 0;
        let mut after = None;
        loop {
            let (tenant_id, number) = (*tenant_id, phone_number_id.cloned());
            let chunk = self
                .writer
                .run(move |conn| write::wake_held(conn, tenant_id, number.as_ref(), at, after))
                .await?;
            woken += chunk.count;
            after = chunk.last;
            if after.is_none() {
                return Ok(woken);
            }
        }
    }

    async fn statuses_flow(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError> {
        let (message, number) = (*message, phone_number_id.clone());
        self.delivery
            .run(move |conn| read::statuses_flow(conn, &message, &number, called_after))
            .await
    }

    async fn list(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        let (tenant_id, query) = (*tenant_id, query.clone());
        let listed = self.lists.run(move |conn| list::list(conn, tenant_id, &query)).await?;
        listed.ok_or_else(|| {
            StoreError::Unavailable("the filters match so few messages that the search was ended".into())
        })
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.lists
            .run(move |conn| list::dead_letters(conn, tenant_id, before, limit))
            .await
    }

    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError> {
        let tenant_id = *tenant_id;
        self.lists
            .run(move |conn| read::count_unsettled(conn, tenant_id, limit))
            .await
    }

    async fn conversations(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        let tenant_id = *tenant_id;
        self.lists
            .run(move |conn| conversations::list(conn, tenant_id, before, limit))
            .await
    }

    async fn conversation(
        &self,
        tenant_id: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.lists
            .run(move |conn| conversations::find(conn, tenant_id, id))
            .await
    }

    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        let tenant_id = *tenant_id;
        self.writer.run(move |conn| erase::erase(conn, tenant_id, limit)).await
    }
}
