//! Conversations: one row for each, moved forward by every message in it.

use std::sync::LazyLock;

use async_trait::async_trait;
use dakghar_core::domain::conversation::{Conversation, ConversationKind, ConversationTouch};
use dakghar_core::domain::ids::{ConversationId, MessageId, PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ConversationStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, asked_for, readable};
use super::failure::Outcome;

pub(super) const COLUMNS: &str =
    "id, tenant_id, phone_number_id, wa_id, last_message_id, last_message_at, last_inbound_at, kind";

pub(super) static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM conversations INDEXED BY conversations_newest \
         WHERE tenant_id = ? AND (last_message_at, id) < (?, ?) ORDER BY last_message_at DESC, id DESC"
    )
});

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        self.writer.run(move |conn| touch(conn, &batch)).await
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError> {
        let tenant_id = *tenant_id;
        self.lists.run(move |conn| list(conn, tenant_id, before, limit)).await
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.lists.run(move |conn| find(conn, tenant_id, id)).await.flatten()
    }
}

/// Creates conversations or moves them forward, never back. A touch that says nothing new writes nothing.
pub(super) fn touch(conn: &Connection, batch: &[ConversationTouch]) -> Outcome<()> {
    let mut upsert = conn.prepare_cached(
        "INSERT INTO conversations \
             (id, tenant_id, phone_number_id, wa_id, last_message_id, last_message_at, last_inbound_at, kind) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, id) DO UPDATE SET \
             last_message_id = iif((excluded.last_message_at, excluded.last_message_id) \
                 > (last_message_at, last_message_id), excluded.last_message_id, last_message_id), \
             last_message_at = max(last_message_at, excluded.last_message_at), \
             last_inbound_at = coalesce(max(last_inbound_at, excluded.last_inbound_at), \
                 last_inbound_at, excluded.last_inbound_at) \
         WHERE (excluded.last_message_at, excluded.last_message_id) > (last_message_at, last_message_id) \
             OR excluded.last_inbound_at > coalesce(last_inbound_at, excluded.last_inbound_at - 1)",
    )?;
    for touch in batch {
        let last_inbound_at = touch.opens_window.then_some(touch.at.as_millis());
        upsert.execute(params![
            touch.id.to_string(),
            touch.tenant_id.to_string(),
            touch.phone_number_id.as_str(),
            touch.wa_id.as_str(),
            touch.message_id.to_string(),
            touch.at.as_millis(),
            last_inbound_at,
            touch.kind.stored()
        ])?;
    }
    Ok(())
}

/// A page of conversations, the one with the newest message first.
fn list(
    conn: &Connection,
    tenant_id: TenantId,
    before: Option<(Timestamp, ConversationId)>,
    limit: PageLimit,
) -> Outcome<Listed<Conversation>> {
    let (at, id) = match before {
        Some((at, id)) => (at.as_millis(), id.to_string()),
        None => (i64::MAX, String::new()),
    };
    let mut select = conn.prepare_cached(&LIST)?;
    let mut rows = select.query(params![tenant_id.to_string(), at, id])?;
    let mut page = PageFill::new(limit);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        if let Some(item) = readable("conversation", row, conversation(row)) {
            page.push(item);
        }
    }
    Ok(page.end())
}

fn find(
    conn: &Connection,
    tenant_id: TenantId,
    id: ConversationId,
) -> Outcome<Result<Option<Conversation>, StoreError>> {
    let sql = format!("SELECT {COLUMNS} FROM conversations WHERE tenant_id = ? AND id = ?");
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = select.query(params![tenant_id.to_string(), id.to_string()])?;
    let Some(row) = found.next()? else { return Ok(Ok(None)) };
    Ok(asked_for("conversation", row, conversation(row)).map(Some))
}

pub(super) fn conversation(row: &Row<'_>) -> Read<Conversation> {
    let mut cells = Cells::of(row);
    Ok(Conversation {
        id: cells.parse(ConversationId::parse)?,
        tenant_id: cells.parse(TenantId::parse)?,
        phone_number_id: cells.parse(PhoneNumberId::parse)?,
        wa_id: cells.parse(WaId::parse)?,
        last_message_id: cells.parse(MessageId::parse)?,
        last_message_at: cells.time()?,
        last_inbound_at: cells.maybe_time()?,
        kind: cells.maybe_parse(ConversationKind::parse)?.unwrap_or_default(),
    })
}
