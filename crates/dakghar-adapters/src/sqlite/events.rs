//! Webhook events kept as they came.

use std::sync::LazyLock;

use async_trait::async_trait;
use dakghar_core::domain::ids::{EventId, PhoneNumberId, TenantId, WabaId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::domain::webhook::{EventReason, WebhookEvent};
use dakghar_core::ports::{EventStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, readable};
use super::failure::Outcome;
use super::texts::before_text;

pub(super) const COLUMNS: &str =
    "id, tenant_id, reason, field, phone_number_id, waba_id, problem, fingerprint, received_at, raw";

/// `IS` and not `=`, because the unrouted events have no tenant.
pub(super) static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM events INDEXED BY events_newest WHERE tenant_id IS ? AND id < ? \
         ORDER BY id DESC"
    )
});

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
}

fn record(conn: &Connection, batch: &[WebhookEvent]) -> Outcome<()> {
    let sql = format!(
        "INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING"
    );
    let mut insert = conn.prepare_cached(&sql)?;
    for event in batch {
        insert.execute(params![
            event.id.to_string(),
            event.tenant_id.map(|id| id.to_string()),
            event.reason.as_str(),
            event.field,
            event.phone_number_id.as_ref().map(PhoneNumberId::as_str),
            event.waba_id.as_ref().map(WabaId::as_str),
            event.problem,
            event.fingerprint,
            event.received_at.as_millis(),
            event.raw
        ])?;
    }
    Ok(())
}

fn list(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    before: Option<EventId>,
    limit: PageLimit,
) -> Outcome<Listed<WebhookEvent>> {
    let mut select = conn.prepare_cached(&LIST)?;
    let mut rows = select.query(params![tenant_id.map(|id| id.to_string()), before_text(before)])?;
    let mut page = PageFill::new(limit);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        if let Some(item) = readable("webhook event", row, event(row)) {
            page.push(item);
        }
    }
    Ok(page.end())
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
    })
}
