//! Queries that delivery asks: by key, by wamid, and whether statuses flow.

use std::sync::LazyLock;

use dakghar_core::domain::ids::{IdempotencyKey, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::listening::{CallSpan, PROMPT};
use dakghar_core::domain::message::Message;
use dakghar_core::domain::page::{PageFill, PageLimit, Paged};
use dakghar_core::ports::{DUE_BYTES_MAX, LOAD_BYTES_MAX, StoreError};
use rusqlite::{Connection, params};

use super::super::cells::{asked_for, readable};
use super::super::failure::Outcome;
use super::super::rows::{self, COLUMNS};
use super::write::key;

pub(in super::super) static LOAD: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM messages WHERE tenant_id = ? AND id = ?", *COLUMNS));

static LOAD_ROW: LazyLock<String> = LazyLock::new(|| format!("SELECT {} FROM messages WHERE seq = ?", *COLUMNS));

pub(in super::super) const FIND_BY_WAMID: &str = "\
    SELECT id, tenant_id FROM messages INDEXED BY messages_sent \
    WHERE phone_number_id = ?1 AND wamid = ?2 AND direction = 'outbound' \
    UNION ALL \
    SELECT message_id, tenant_id FROM further_wamids WHERE phone_number_id = ?1 AND wamid = ?2";

pub(in super::super) static FIND_BY_IDEMPOTENCY_KEY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM messages INDEXED BY messages_by_idempotency_key WHERE tenant_id = ? AND idempotency_key = ?",
        *COLUMNS
    )
});

/// Among the messages that were accepted last before one.
pub(in super::super) const STATUSES_ARRIVED_BEFORE: &str = "\
    SELECT 1 FROM ( \
        SELECT id, phone_number_id, called_at, status_seen_at FROM messages INDEXED BY messages_by_id \
        WHERE tenant_id = ?1 AND id < ?7 ORDER BY id DESC LIMIT ?6) \
    WHERE phone_number_id = ?2 AND called_at BETWEEN ?3 AND ?4 \
    AND (status_seen_at BETWEEN called_at AND called_at + ?5 OR ( \
        SELECT min(received_at) FROM statuses WHERE tenant_id = ?1 AND message_id = id) \
        BETWEEN called_at AND called_at + ?5)";

/// Among the messages that were accepted next after one.
pub(in super::super) const STATUSES_ARRIVED_NEXT: &str = "\
    SELECT 1 FROM ( \
        SELECT id, phone_number_id, called_at, status_seen_at FROM messages INDEXED BY messages_by_id \
        WHERE tenant_id = ?1 AND id > ?7 ORDER BY id LIMIT ?6) \
    WHERE phone_number_id = ?2 AND called_at BETWEEN ?3 AND ?4 \
    AND (status_seen_at BETWEEN called_at AND called_at + ?5 OR ( \
        SELECT min(received_at) FROM statuses WHERE tenant_id = ?1 AND message_id = id) \
        BETWEEN called_at AND called_at + ?5)";

/// Among the newest messages.
pub(in super::super) const STATUSES_ARRIVED_NEWEST: &str = "\
    SELECT 1 FROM ( \
        SELECT id, phone_number_id, called_at, status_seen_at FROM messages INDEXED BY messages_by_id \
        WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?6) \
    WHERE phone_number_id = ?2 AND called_at BETWEEN ?3 AND ?4 \
    AND (status_seen_at BETWEEN called_at AND called_at + ?5 OR ( \
        SELECT min(received_at) FROM statuses WHERE tenant_id = ?1 AND message_id = id) \
        BETWEEN called_at AND called_at + ?5)";

/// Messages of a tenant that are looked at for a sign of statuses: so many of those before, of the next, and of the newest.
const STATUSES_ROWS_MAX: u32 = 200;

pub(super) fn load(conn: &Connection, keys: &[MessageKey]) -> Outcome<Vec<Result<Option<Message>, StoreError>>> {
    let mut select = conn.prepare_cached(&LOAD)?;
    let mut bytes = 0;
    keys.iter()
        .map(|key| {
            if bytes >= LOAD_BYTES_MAX {
                return Ok(Err(StoreError::NotReadYet));
            }
            let mut found = select.query(params![key.tenant_id.to_string(), key.message_id.to_string()])?;
            let Some(row) = found.next()? else { return Ok(Ok(None)) };
            let message = asked_for("message", row, rows::message(row));
            bytes += message.as_ref().map_or(0, Paged::bytes);
            Ok(message.map(Some))
        })
        .collect()
}

/// Reads past rows that cannot be read: asks `rows` for the numbers of the first rows, for more of them where some are
/// left out, until `limit` messages were read, they have as many bytes as [`DUE_BYTES_MAX`], or there are no more rows.
pub(in super::super) fn load_first(
    conn: &Connection,
    limit: u32,
    rows: impl Fn(u32) -> Outcome<Vec<i64>>,
) -> Outcome<Vec<Message>> {
    let mut asked = limit;
    loop {
        let seqs = rows(asked)?;
        let is_all = seqs.len() < asked as usize || asked == u32::MAX;
        let mut page = PageFill::new(PageLimit {
            bytes: DUE_BYTES_MAX,
            ..PageLimit::items(limit)
        });
        for seq in seqs {
            if page.is_full() {
                break;
            }
            load_rows(conn, [seq].into_iter())?
                .into_iter()
                .for_each(|message| page.push(message));
        }
        if is_all || page.is_full() {
            return Ok(page.end().items);
        }
        asked = asked.saturating_mul(2);
    }
}

/// The rows with these numbers, in their order; those that cannot be read, or are gone meanwhile, are left out.
pub(in super::super) fn load_rows(conn: &Connection, seqs: impl Iterator<Item = i64>) -> Outcome<Vec<Message>> {
    let mut select = conn.prepare_cached(&LOAD_ROW)?;
    let mut messages = Vec::new();
    for seq in seqs {
        let mut found = select.query([seq])?;
        if let Some(row) = found.next()? {
            messages.extend(readable("message", row, rows::message(row)));
        }
    }
    Ok(messages)
}

pub(super) fn find_by_wamid(conn: &Connection, refs: &[(PhoneNumberId, Wamid)]) -> Outcome<Vec<Option<MessageKey>>> {
    let mut select = conn.prepare_cached(FIND_BY_WAMID)?;
    refs.iter()
        .map(|(phone_number_id, wamid)| {
            let mut found = select.query(params![phone_number_id.as_str(), wamid.as_str()])?;
            let mut newest = None;
            while let Some(row) = found.next()? {
                newest = newest.max(readable("message", row, key(row)).map(|key| (key.message_id, key.tenant_id)));
            }
            Ok(newest.map(|(message_id, tenant_id)| MessageKey { tenant_id, message_id }))
        })
        .collect()
}

pub(super) fn find_by_idempotency_key(
    conn: &Connection,
    tenant_id: TenantId,
    key: &IdempotencyKey,
) -> Outcome<Result<Option<Message>, StoreError>> {
    let mut select = conn.prepare_cached(&FIND_BY_IDEMPOTENCY_KEY)?;
    let mut found = select.query(params![tenant_id.to_string(), key.as_str()])?;
    let Some(row) = found.next()? else { return Ok(Ok(None)) };
    Ok(asked_for("message", row, rows::message(row)).map(Some))
}

pub(super) fn statuses_arrived(
    conn: &Connection,
    message: &MessageKey,
    phone_number_id: &PhoneNumberId,
    calls: CallSpan,
) -> Outcome<bool> {
    let (tenant_id, id) = (message.tenant_id.to_string(), message.message_id.to_string());
    let (from, until) = (calls.from.as_millis(), calls.until.as_millis());
    let (number, prompt) = (
        phone_number_id.as_str(),
        i64::try_from(PROMPT.as_millis()).unwrap_or(i64::MAX),
    );
    for near in [STATUSES_ARRIVED_BEFORE, STATUSES_ARRIVED_NEXT] {
        let mut near = conn.prepare_cached(near)?;
        if near.exists(params![tenant_id, number, from, until, prompt, STATUSES_ROWS_MAX, id])? {
            return Ok(true);
        }
    }
    let mut newest = conn.prepare_cached(STATUSES_ARRIVED_NEWEST)?;
    Ok(newest.exists(params![tenant_id, number, from, until, prompt, STATUSES_ROWS_MAX])?)
}
