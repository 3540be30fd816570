//! Work for the writer: accepting, receiving and saving messages.

use dakghar_core::domain::conversation::ConversationTouch;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::ports::{Acceptance, Received, Save, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::super::cells::{Cells, Read, asked_for, number, readable};
use super::super::conversations;
use super::super::failure::Outcome;
use super::super::feed;
use super::super::rows::{self, ChangingRow, LinksRow, NewRow};

pub(in super::super) const EARLIER: &str = "\
    SELECT id, status, fingerprint FROM messages INDEXED BY messages_by_idempotency_key \
    WHERE tenant_id = ? AND idempotency_key = ?";

pub(in super::super) const RECEIVED_BEFORE: &str = "\
    SELECT id, tenant_id FROM messages INDEXED BY messages_received \
    WHERE phone_number_id = ?1 AND wamid = ?2 AND direction = 'inbound' \
    UNION ALL \
    SELECT id, tenant_id FROM messages INDEXED BY messages_echoed \
    WHERE phone_number_id = ?1 AND wamid = ?2 AND direction = 'outbound' AND origin IS NOT NULL";

pub(in super::super) const READ_LINKS: &str = "\
    SELECT wamid, wamids, conversation_id, seq, version FROM messages WHERE tenant_id = ? AND id = ?";

pub(super) fn accept(conn: &Connection, rows: &[NewRow]) -> Outcome<Vec<Result<Acceptance, StoreError>>> {
    let mut insert = conn.prepare_cached(&rows::INSERT)?;
    rows.iter()
        .map(|row| {
            let stored = row.with_params(|params| insert.execute(params))?;
            if stored == 1 {
                let further = rows::further_wamids(&row.message().delivery);
                remember_further_wamids(conn, conn.last_insert_rowid(), further)?;
                return Ok(Ok(Acceptance::Stored));
            }
            if is_stored(conn, row)? {
                return Ok(Ok(Acceptance::Stored));
            }
            Ok(earlier(conn, row)?.and_then(|earlier| earlier.ok_or_else(|| id_exists(row))))
        })
        .collect()
}

/// True if the message itself is there: its insert is repeated, because nobody learned of the first.
fn is_stored(conn: &Connection, row: &NewRow) -> Outcome<bool> {
    let mut select = conn.prepare_cached(READ_LINKS)?;
    Ok(select.exists(params![row.tenant_id(), row.message().accepted.id.to_string()])?)
}

/// The message that was accepted first under the same key. One that cannot be read costs only who repeats its key.
fn earlier(conn: &Connection, row: &NewRow) -> Outcome<Result<Option<Acceptance>, StoreError>> {
    let Some(idempotency) = &row.message().accepted.idempotency else {
        return Ok(Ok(None));
    };
    let mut select = conn.prepare_cached(EARLIER)?;
    let mut found = select.query(params![row.tenant_id(), idempotency.key.as_str()])?;
    let Some(earlier) = found.next()? else {
        return Ok(Ok(None));
    };
    Ok(asked_for("message", earlier, replay(earlier)).map(Some))
}

fn replay(row: &Row<'_>) -> Read<Acceptance> {
    let mut cells = Cells::of(row);
    Ok(Acceptance::Replay {
        message_id: cells.parse(MessageId::parse)?,
        status: cells.parse(Status::parse)?,
        fingerprint: cells.get()?,
    })
}

fn id_exists(row: &NewRow) -> StoreError {
    StoreError::Corrupt(format!(
        "the id {} was given to two messages",
        row.message().accepted.id
    ))
}

/// Stores messages with their entries, then moves their conversations, in the same transaction.
pub(super) fn receive(
    conn: &Connection,
    rows: &[(NewRow, Option<ConversationTouch>)],
) -> Outcome<Vec<Result<Received, StoreError>>> {
    let mut insert = conn.prepare_cached(&rows::INSERT)?;
    let mut touches = Vec::with_capacity(rows.len());
    let answers = rows
        .iter()
        .map(|(row, touch)| {
            let stored = row.with_params(|params| insert.execute(params))?;
            let received = if stored == 1 {
                feed::tell(conn, &FeedEntry::of_message(row.message()))?;
                Some(Received::New)
            } else {
                received_before(conn, row.message())?
            };
            touches.extend(
                received
                    .zip(touch.clone())
                    .and_then(|(received, touch)| received.touch(touch)),
            );
            Ok(received.ok_or_else(|| id_exists(row)))
        })
        .collect::<Outcome<_>>()?;
    conversations::touch(conn, &touches)?;
    Ok(answers)
}

/// The message received under the same number and wamid, if there is one.
fn received_before(conn: &Connection, message: &Message) -> Outcome<Option<Received>> {
    let Some(wamid) = &message.delivery.wamid else {
        return Ok(None);
    };
    let mut select = conn.prepare_cached(RECEIVED_BEFORE)?;
    let mut found = select.query(params![message.accepted.phone_number_id.as_str(), wamid.as_str()])?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some(Received::Duplicate(readable("message", row, key(row)))))
}

/// The key of a message, from its id and its tenant.
pub(super) fn key(row: &Row<'_>) -> Read<MessageKey> {
    let mut cells = Cells::of(row);
    let message_id = cells.parse(MessageId::parse)?;
    let tenant_id = cells.parse(TenantId::parse)?;
    Ok(MessageKey { tenant_id, message_id })
}

/// A message on its way back into the table.
pub(super) struct SavedRow {
    id: String,
    tenant_id: String,
    /// The version that was read.
    version: i64,
    links: LinksRow,
    changing: ChangingRow,
    /// Those beyond the first.
    further_wamids: Vec<Wamid>,
    entry: Option<FeedEntry>,
}

impl SavedRow {
    pub(super) fn of(Save { key, delivery, entry }: &Save) -> Self {
        let mut changing = ChangingRow::of(delivery);
        let version = changing.version;
        changing.version += 1;
        Self {
            id: key.message_id.to_string(),
            tenant_id: key.tenant_id.to_string(),
            version,
            links: LinksRow::of(delivery),
            changing,
            further_wamids: rows::further_wamids(delivery).cloned().collect(),
            entry: entry.clone(),
        }
    }
}

pub(super) fn save(conn: &Connection, rows: &[SavedRow]) -> Outcome<Vec<Saved>> {
    rows.iter().map(|row| save_one(conn, row)).collect()
}

pub(super) fn save_one(conn: &Connection, row: &SavedRow) -> Outcome<Saved> {
    let stored = {
        let mut select = conn.prepare_cached(READ_LINKS)?;
        let mut found = select.query(params![row.tenant_id, row.id])?;
        let Some(found) = found.next()? else {
            return Ok(Saved::Stale);
        };
        // The saved links replace those that cannot be read.
        let links = LinksRow::read(&mut Cells::of(found)).ok();
        (number(found, 3)?, number(found, 4)?, links)
    };
    let (seq, version, links) = stored;
    if version != row.version {
        return Ok(Saved::Stale);
    }
    let mut update = conn.prepare_cached(&rows::UPDATE)?;
    row.changing.with_params(|changing| {
        let params: Vec<_> = changing.iter().copied().chain([&seq as _]).collect();
        update.execute(params.as_slice())
    })?;
    // These are in indexes whose pages are all over the file: they are only written when they changed.
    if links.as_ref() != Some(&row.links) {
        let mut update = conn.prepare_cached(&rows::UPDATE_LINKS)?;
        row.links.with_params(|links| {
            let params: Vec<_> = links.iter().copied().chain([&seq as _]).collect();
            update.execute(params.as_slice())
        })?;
        let further = row.further_wamids.iter();
        remember_further_wamids(conn, seq, further)?;
    }
    if let Some(entry) = &row.entry {
        feed::tell(conn, entry)?;
    }
    Ok(Saved::Done)
}

fn remember_further_wamids<'a>(conn: &Connection, seq: i64, wamids: impl Iterator<Item = &'a Wamid>) -> Outcome<()> {
    for wamid in wamids {
        conn.prepare_cached(
            "INSERT INTO further_wamids (phone_number_id, wamid, tenant_id, message_id) \
             SELECT phone_number_id, ?, tenant_id, id FROM messages WHERE seq = ? \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![wamid.as_str(), seq])?;
    }
    Ok(())
}
