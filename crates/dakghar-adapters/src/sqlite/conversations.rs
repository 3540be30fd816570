//! Conversations: one row for each, moved forward by every message in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use dakghar_core::domain::conversation::{Conversation, ConversationKind, ConversationTouch, WindowOpening};
use dakghar_core::domain::ids::{ConversationId, MessageId, PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::person_name::PersonName;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ConversationStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for, readable};
use super::failure::Outcome;

pub(super) const COLUMNS: &str = "id, tenant_id, phone_number_id, wa_id, last_message_id, last_message_at, last_inbound_at, kind, \
    first_message_at, also, named_at, name, username";

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

    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError> {
        let batch = batch.to_vec();
        self.writer.run(move |conn| open_windows(conn, &batch)).await
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

    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError> {
        let (tenant_id, ids) = (*tenant_id, ids.to_vec());
        self.lists
            .run(move |conn| of_people(conn, tenant_id, &ids, limit))
            .await
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.lists.run(move |conn| find(conn, tenant_id, id)).await.flatten()
    }
}

const UPSERT: &str = "\
    INSERT INTO conversations (id, tenant_id, phone_number_id, wa_id, last_message_id, last_message_at, last_inbound_at, \
        kind, first_message_at, named_at, name, username) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6, ?9, ?10, ?11) \
    ON CONFLICT (tenant_id, id) DO UPDATE SET \
        last_message_id = iif((excluded.last_message_at, excluded.last_message_id) \
            > (last_message_at, last_message_id), excluded.last_message_id, last_message_id), \
        last_message_at = max(last_message_at, excluded.last_message_at), \
        last_inbound_at = coalesce(max(last_inbound_at, excluded.last_inbound_at), \
            last_inbound_at, excluded.last_inbound_at), \
        first_message_at = min(first_message_at, excluded.first_message_at) \
    WHERE (excluded.last_message_at, excluded.last_message_id) > (last_message_at, last_message_id) \
        OR excluded.last_inbound_at > coalesce(last_inbound_at, excluded.last_inbound_at - 1) \
        OR excluded.first_message_at < first_message_at";

pub(super) const OPEN_WINDOW: &str = "\
    UPDATE conversations SET last_inbound_at = max(coalesce(last_inbound_at, ?3), ?3) WHERE tenant_id = ?1 AND id = ?2";

/// The name told last; of two told at the same time the greater. Columns without a value come first.
const NAME: &str = "\
    UPDATE conversations SET (named_at, name, username) = (?3, ?4, ?5) \
    WHERE tenant_id = ?1 AND id = ?2 AND (coalesce(named_at, -1 << 62), coalesce('=' || name, ''), \
        coalesce('=' || username, '')) < (?3, coalesce('=' || ?4, ''), coalesce('=' || ?5, ''))";

const ADD_KEY: &str = "\
    INSERT INTO conversation_keys (tenant_id, conversation_id, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

const TELL_KEYS: &str = "\
    UPDATE conversations SET also = (SELECT group_concat(key, ' ') FROM (SELECT key FROM conversation_keys \
        WHERE tenant_id = ?1 AND conversation_id = ?2 ORDER BY key)) \
    WHERE tenant_id = ?1 AND id = ?2";

pub(super) static OF_PERSON: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM conversations INDEXED BY conversations_by_person \
         WHERE tenant_id = ? AND wa_id = ? AND kind IS NULL LIMIT ?"
    )
});

pub(super) const OF_KEY: &str = "\
    SELECT conversation_id FROM conversation_keys INDEXED BY conversation_keys_by_key \
    WHERE tenant_id = ? AND key = ? LIMIT ?";

/// Creates conversations or moves them forward, never back. A touch that says nothing new writes nothing.
pub(super) fn touch(conn: &Connection, batch: &[ConversationTouch]) -> Outcome<()> {
    let mut upsert = conn.prepare_cached(UPSERT)?;
    for touch in batch {
        let last_inbound_at = touch.opens_window.then_some(touch.at.as_millis());
        let name = touch.name.as_ref();
        let (id, tenant_id) = (touch.id.to_string(), touch.tenant_id.to_string());
        upsert.execute(params![
            id,
            tenant_id,
            touch.phone_number_id.as_str(),
            touch.wa_id.as_str(),
            touch.message_id.to_string(),
            touch.at.as_millis(),
            last_inbound_at,
            touch.kind.stored(),
            name.map(|name| name.at.as_millis()),
            name.map(|name| &name.name),
            name.map(|name| &name.username),
        ])?;
        if let Some(name) = name {
            conn.prepare_cached(NAME)?.execute(params![
                tenant_id,
                id,
                name.at.as_millis(),
                name.name,
                name.username
            ])?;
        }
        add_keys(conn, &tenant_id, &id, &touch.also)?;
    }
    Ok(())
}

fn open_windows(conn: &Connection, batch: &[WindowOpening]) -> Outcome<Vec<bool>> {
    let mut update = conn.prepare_cached(OPEN_WINDOW)?;
    let opened = batch.iter().map(|opening| {
        let (tenant_id, id) = (opening.tenant_id.to_string(), opening.id.to_string());
        Ok(update.execute(params![tenant_id, id, opening.at.as_millis()])? > 0)
    });
    opened.collect()
}

fn add_keys(conn: &Connection, tenant_id: &str, id: &str, also: &[WaId]) -> Outcome<()> {
    let mut new = 0;
    for key in also {
        new += conn
            .prepare_cached(ADD_KEY)?
            .execute(params![tenant_id, id, key.as_str()])?;
    }
    if new > 0 {
        conn.prepare_cached(TELL_KEYS)?.execute(params![tenant_id, id])?;
    }
    Ok(())
}

fn of_people(conn: &Connection, tenant_id: TenantId, ids: &[WaId], limit: u32) -> Outcome<Vec<Conversation>> {
    let tenant = tenant_id.to_string();
    let mut found: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
    let mut of_person = conn.prepare_cached(&OF_PERSON)?;
    let mut of_key = conn.prepare_cached(OF_KEY)?;
    for id in ids {
        let mut rows = of_person.query(params![tenant, id.as_str(), limit])?;
        while let Some(row) = rows.next()? {
            let read = readable("conversation", row, conversation(row));
            found.extend(read.map(|read| (read.id, read)));
        }
        let mut rows = of_key.query(params![tenant, id.as_str(), limit])?;
        while let Some(row) = rows.next()? {
            let read = readable("conversation", row, Cells::of(row).parse(ConversationId::parse));
            let Some(id) = read.filter(|id| !found.contains_key(id)) else {
                continue;
            };
            // One that cannot be read is told of, and left out.
            if let Ok(Some(read)) = find(conn, tenant_id, id)? {
                found.insert(id, read);
            }
        }
        if found.len() >= limit as usize {
            break;
        }
    }
    let people = found.into_values().filter(|read| read.kind == ConversationKind::Person);
    Ok(people.take(limit as usize).collect())
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
        first_message_at: cells.maybe_time()?,
        also: also(cells.get()?)?,
        name: name(&mut cells)?,
    })
}

fn also(text: Option<String>) -> Read<Vec<WaId>> {
    let text = text.unwrap_or_default();
    let ids = text.split(' ').filter(|id| !id.is_empty()).map(WaId::parse);
    let ids: Result<_, _> = ids.collect();
    ids.map_err(|_| Damaged("the column also is not understood".to_owned()))
}

fn name(cells: &mut Cells<'_>) -> Read<Option<PersonName>> {
    let at = cells.maybe_time()?;
    let (name, username) = (cells.get()?, cells.get()?);
    Ok(at.map(|at| PersonName { at, name, username }))
}
