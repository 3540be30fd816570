//! Webhook events kept as they came.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use dakghar_core::domain::amendment::{AmendedContent, Amendment};
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{EventId, PhoneNumberId, TenantId, WabaId, Wamid};
use dakghar_core::domain::page::{Listed, PageLimit, Paged};
use dakghar_core::domain::webhook::{EventReason, WebhookEvent};
use dakghar_core::ports::{EventStore, LOAD_BYTES_MAX, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for, readable};
use super::failure::Outcome;
use super::feed;
use super::records::Records;
use super::texts::before_text;

const EVENTS: Records<WebhookEvent> = Records {
    name: "webhook event",
    read: event,
};

pub(super) const COLUMNS: &str = "id, tenant_id, reason, field, phone_number_id, waba_id, problem, fingerprint, received_at, raw, amends, \
     amended_by, amended_at, revokes, new_kind, new_body";

/// The strongest first, as [`Amendment::strength`] tells it.
pub(super) const AMENDMENTS: &str = "\
    SELECT id, amends, amended_by, amended_at, revokes, new_kind, new_body FROM events INDEXED BY events_amending \
    WHERE tenant_id = ? AND amends = ? AND phone_number_id = ? \
    ORDER BY revokes DESC, amended_at DESC, amended_by DESC";

/// `IS` and not `=`, because the unrouted events have no tenant.
pub(super) static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM events INDEXED BY events_newest WHERE tenant_id IS ? AND id < ? \
         ORDER BY id DESC"
    )
});

pub(super) static ONE: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM events INDEXED BY events_newest WHERE tenant_id = ? AND id = ?"));

#[async_trait]
impl EventStore for SqliteStore {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        let bytes = batch.iter().map(Paged::bytes).sum();
        self.writer.run_sized(bytes, move |conn| record(conn, &batch)).await
    }

    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.lists.run(move |conn| list(conn, tenant_id, before, limit)).await
    }

    async fn find_events(
        &self,
        tenant_id: &TenantId,
        ids: &[EventId],
    ) -> Vec<Result<Option<WebhookEvent>, StoreError>> {
        let (count, tenant_id, ids) = (ids.len(), *tenant_id, ids.to_vec());
        let found = self.lists.run(move |conn| find(conn, tenant_id, &ids)).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError> {
        let (tenant_id, messages) = (*tenant_id, messages.to_vec());
        self.lists
            .run(move |conn| amendments(conn, tenant_id, &messages, each))
            .await
    }
}

/// Stores events that are not known yet, with their entries.
pub(super) fn record(conn: &Connection, batch: &[WebhookEvent]) -> Outcome<()> {
    let sql = format!(
        "INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (fingerprint) DO NOTHING"
    );
    let mut insert = conn.prepare_cached(&sql)?;
    for event in batch {
        let amends = event.amends.as_ref();
        let content = amends.and_then(|amends| amends.content.as_ref());
        let inserted = insert.execute(params![
            event.id.to_string(),
            event.tenant_id.map(|id| id.to_string()),
            event.reason.as_str(),
            event.field,
            event.phone_number_id.as_ref().map(PhoneNumberId::as_str),
            event.waba_id.as_ref().map(WabaId::as_str),
            event.problem,
            event.fingerprint,
            event.received_at.as_millis(),
            event.raw,
            amends.map(|amends| amends.of.as_str()),
            amends.map(|amends| amends.by.as_str()),
            amends.map(|amends| amends.at.as_millis()),
            amends.map(Amendment::revokes),
            content.map(|content| &content.kind),
            content.map(|content| &content.body),
        ])?;
        if inserted == 1
            && let Some(entry) = FeedEntry::of_event(event)
        {
            feed::tell(conn, &entry)?;
        }
    }
    Ok(())
}

fn list(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    before: Option<EventId>,
    limit: PageLimit,
) -> Outcome<Listed<WebhookEvent>> {
    EVENTS.page(
        conn,
        &LIST,
        params![tenant_id.map(|id| id.to_string()), before_text(before)],
        limit,
    )
}

fn find(
    conn: &Connection,
    tenant_id: TenantId,
    ids: &[EventId],
) -> Outcome<Vec<Result<Option<WebhookEvent>, StoreError>>> {
    let mut select = conn.prepare_cached(&ONE)?;
    let mut bytes = 0;
    let mut one = |id: &EventId| {
        if bytes >= LOAD_BYTES_MAX {
            return Ok(Err(StoreError::NotReadYet));
        }
        let mut rows = select.query(params![tenant_id.to_string(), id.to_string()])?;
        let Some(row) = rows.next()? else { return Ok(Ok(None)) };
        let found = asked_for("webhook event", row, event(row));
        bytes += found.as_ref().map_or(0, Paged::bytes);
        Ok(found.map(Some))
    };
    ids.iter().map(&mut one).collect()
}

pub(super) fn event(row: &Row<'_>) -> Read<WebhookEvent> {
    let mut cells = Cells::of(row);
    Ok(WebhookEvent {
        id: cells.parse(EventId::parse)?,
        tenant_id: cells.maybe_parse(TenantId::parse)?,
        reason: cells.parse(EventReason::parse)?,
        field: cells.get()?,
        phone_number_id: cells.maybe_parse(PhoneNumberId::parse)?,
        waba_id: cells.maybe_parse(WabaId::parse)?,
        problem: cells.get()?,
        fingerprint: cells.get()?,
        received_at: cells.time()?,
        raw: cells.get()?,
        amends: amends(&mut cells)?,
    })
}

fn amends(cells: &mut Cells<'_>) -> Read<Option<Amendment>> {
    let of = cells.maybe_parse(Wamid::parse)?;
    let by = cells.maybe_parse(Wamid::parse)?;
    let at = cells.maybe_time()?;
    let revokes: Option<bool> = cells.get()?;
    let (kind, body): (Option<Arc<str>>, Option<Arc<str>>) = (cells.get()?, cells.get()?);
    let content = match (revokes, kind, body) {
        (None, None, None) => return Ok(None),
        (Some(true), None, None) => None,
        (Some(false), Some(kind), Some(body)) => Some(AmendedContent { kind, body }),
        _ => return Err(Damaged("an edit has a content, and a revocation none".to_owned())),
    };
    let damaged = || Damaged("an amendment does not say of what, by what and when".to_owned());
    Ok(Some(Amendment {
        of: of.ok_or_else(damaged)?,
        by: by.ok_or_else(damaged)?,
        at: at.ok_or_else(damaged)?,
        content,
    }))
}

fn amendments(
    conn: &Connection,
    tenant_id: TenantId,
    messages: &[(PhoneNumberId, Wamid)],
    each: u32,
) -> Outcome<Vec<Vec<Amendment>>> {
    let tenant_id = tenant_id.to_string();
    let mut select = conn.prepare_cached(AMENDMENTS)?;
    let of_message = |(number, wamid): &(PhoneNumberId, Wamid)| {
        let mut rows = select.query(params![tenant_id, wamid.as_str(), number.as_str()])?;
        let mut found = Vec::new();
        while found.len() < each as usize
            && let Some(row) = rows.next()?
        {
            let mut cells = Cells::of(row);
            let read = cells.get::<String>().and_then(|_| amends(&mut cells));
            found.extend(readable("webhook event", row, read).flatten());
        }
        Ok(found)
    };
    messages.iter().map(of_message).collect()
}

/// Deletes the events of these seqs. Returns how many.
pub(super) fn delete(conn: &Connection, seqs: &[i64]) -> Outcome<u64> {
    let mut delete = conn.prepare_cached("DELETE FROM events WHERE seq = ?")?;
    let mut erased = 0;
    for seq in seqs {
        erased += delete.execute([seq])? as u64;
    }
    Ok(erased)
}
