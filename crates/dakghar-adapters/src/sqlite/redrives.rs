//! Redrives, and the dead letters that they look through.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use dakghar_core::domain::hold::Actor;
use dakghar_core::domain::ids::{MessageId, MessageKey, PhoneNumberId, RedriveId, TenantId};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{DeadLetter, DeadReason, Status};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::{NewRedrive, Redrive, RedriveFilter, RedriveStatus, Settled};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{RedriveStore, Saved, StoreError};
use rusqlite::{Connection, Row, ToSql, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, number, readable};
use super::failure::Outcome;
use super::lists::newest_dead;
use super::records::Records;
use super::rows::millis;
use super::texts::{self, before_text};
use crate::stored::auto_redrive;

const REDRIVES: Records<Redrive> = Records {
    name: "redrive",
    read: redrive,
};

/// In the order in which [`redrive`] reads them; `needs_work` is for an index only.
const COLUMNS: &str = "id, tenant_id, phone_number_id, code, reason, letter_status, ended_from, ended_to, \
    confirm_duplicate_risk, per_second, status, before_id, total, total_is_exact, redriven, skipped, failed, \
    lease_owner, lease_until, created_at, updated_at, version, pending, needs_work, ignore_expiry, by_tenant, automatic";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!("INSERT INTO redrives ({COLUMNS}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING")
});

static SAVE: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!("UPDATE redrives SET ({COLUMNS}) = ({marks}) WHERE id = ? AND version = ?")
});

static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {COLUMNS} FROM redrives WHERE id = ?"));

pub(super) static LIST_OF_TENANT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM redrives INDEXED BY redrives_of_tenant WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC"
    )
});

pub(super) static LIST_OF_ALL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM redrives WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC"));

/// `IS` and not `=`, because those of the operator have no tenant.
pub(super) const COUNT_OPEN: &str = "\
    SELECT count(*) FROM redrives INDEXED BY redrives_of_tenant \
    WHERE tenant_id IS ? AND (status = 'running' OR status = 'paused')";

pub(super) static DUE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {COLUMNS} FROM redrives INDEXED BY redrives_due WHERE needs_work = 1 ORDER BY updated_at")
});

pub(super) const FORGET: &str = "\
    DELETE FROM redrives WHERE id IN ( \
        SELECT id FROM redrives INDEXED BY redrives_due \
        WHERE needs_work = 0 AND updated_at < ? AND (status = 'done' OR status = 'cancelled'))";

const LETTER: &str = "\
    SELECT id, tenant_id, phone_number_id, status, dead_reason, attempt, maybe_sent, expires_at, updated_at, error \
    FROM messages WHERE seq = ?";

/// Stores a new redrive. Returns false if it is there already.
pub(super) fn insert(conn: &Connection, redrive: &Redrive) -> Outcome<bool> {
    let row = RedriveRow::of(redrive, redrive.version);
    Ok(conn.prepare_cached(&INSERT)?.execute(&row.params()[..])? == 1)
}

/// Saves a redrive.
pub(super) fn save(conn: &Connection, redrive: &Redrive) -> Outcome<Saved> {
    let row = RedriveRow::of(redrive, redrive.version + 1);
    let mut params = row.params().to_vec();
    let read = redrive.version.cast_signed();
    params.extend([&row.id as &dyn ToSql, &read]);
    let saved = conn.prepare_cached(&SAVE)?.execute(&params[..])?;
    Ok(if saved == 1 { Saved::Done } else { Saved::Stale })
}

#[async_trait]
impl RedriveStore for SqliteStore {
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError> {
        let redrive = redrive.clone();
        self.writer.run(move |conn| insert(conn, &redrive).map(drop)).await
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError> {
        let redrive = redrive.clone();
        self.writer.run(move |conn| save(conn, &redrive)).await
    }

    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError> {
        let id = id.to_string();
        let find = move |conn: &Connection| REDRIVES.one(conn, &FIND, [id]);
        self.delivery.run(find).await?.transpose()
    }

    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError> {
        let tenant_id = tenant_id.map(ToString::to_string);
        self.lists
            .run(move |conn| {
                let sql = if tenant_id.is_some() {
                    &LIST_OF_TENANT
                } else {
                    &LIST_OF_ALL
                };
                REDRIVES.page(conn, sql, params![tenant_id, before_text(before)], limit)
            })
            .await
    }

    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError> {
        let tenant_id = tenant_id.map(ToString::to_string);
        self.delivery
            .run(move |conn| {
                let mut select = conn.prepare_cached(COUNT_OPEN)?;
                let count = select.query_row([tenant_id], |row| number(row, 0))?;
                Ok(u32::try_from(count).unwrap_or(u32::MAX))
            })
            .await
    }

    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError> {
        self.delivery
            .run(move |conn| REDRIVES.first(conn, &DUE, [], limit as usize))
            .await
    }

    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                conn.prepare_cached(FORGET)?.execute([before.as_millis()])?;
                Ok(())
            })
            .await
    }

    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.lists
            .run(move |conn| look_through(conn, tenant_id, before_text(before), limit))
            .await
    }
}

fn look_through(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    mut before: String,
    limit: u32,
) -> Outcome<Listed<DeadLetter>> {
    let mut select = conn.prepare_cached(LETTER)?;
    loop {
        let found = newest_dead(conn, tenant_id, &before, limit)?;
        let asked = before.clone();
        let is_all = found.len() < limit as usize;
        let (mut items, mut next) = (Vec::with_capacity(found.len()), None);
        for (id, seq) in found {
            before = String::from_utf8_lossy(&id).into_owned();
            next = MessageId::parse(&before).ok().or(next);
            let mut rows = select.query([seq])?;
            if let Some(row) = rows.next()? {
                items.extend(readable("message", row, letter(row)));
            }
        }
        // Ids that are no text at all may lead back to themselves.
        if is_all || before >= asked {
            return Ok(Listed { items, next: None });
        }
        // A page cannot end at an id that is none: once more, behind those.
        if next.is_some() {
            return Ok(Listed { items, next });
        }
    }
}

fn letter(row: &Row<'_>) -> Read<DeadLetter> {
    let mut cells = Cells::of(row);
    let message_id = cells.parse(MessageId::parse)?;
    let tenant_id = cells.parse(TenantId::parse)?;
    Ok(DeadLetter {
        key: MessageKey { tenant_id, message_id },
        phone_number_id: cells.parse(PhoneNumberId::parse)?,
        status: cells.parse(Status::parse)?,
        reason: cells.maybe_parse(DeadReason::parse)?,
        attempt: cells.get()?,
        maybe_sent: cells.get()?,
        expires_at: cells.maybe_time()?,
        ended_at: cells.time()?,
        code: {
            let error = cells.get::<Option<String>>()?;
            error
                .as_deref()
                .map(texts::parse_error)
                .transpose()?
                .and_then(|error| error.code)
        },
    })
}

/// A redrive as its row has it.
struct RedriveRow {
    id: String,
    tenant_id: Option<String>,
    phone_number_id: Option<String>,
    code: Option<i64>,
    reason: Option<&'static str>,
    letter_status: Option<&'static str>,
    ended: [Option<i64>; 2],
    /// `confirm_duplicate_risk`, `ignore_expiry` and `by_tenant`.
    options: [bool; 3],
    per_second: u32,
    status: &'static str,
    before_id: Option<String>,
    total: i64,
    total_is_exact: bool,
    settled: [i64; 3],
    lease_owner: Option<Arc<str>>,
    lease_until: Option<i64>,
    times: [i64; 2],
    version: i64,
    pending: String,
    needs_work: bool,
    automatic: Option<String>,
}

impl RedriveRow {
    fn of(redrive: &Redrive, version: u64) -> Self {
        let (asked, filter) = (&redrive.asked, &redrive.asked.filter);
        let Settled {
            redriven,
            skipped,
            failed,
        } = redrive.settled;
        Self {
            id: redrive.id.to_string(),
            tenant_id: redrive.tenant_id.map(|id| id.to_string()),
            phone_number_id: filter.phone_number_id.as_ref().map(PhoneNumberId::to_string),
            code: filter.code,
            reason: filter.reason.map(DeadReason::as_str),
            letter_status: filter.status.map(Status::as_str),
            ended: [millis(filter.from), millis(filter.to)],
            options: [
                asked.confirm_duplicate_risk,
                asked.ignore_expiry,
                asked.by == Actor::Tenant,
            ],
            per_second: asked.per_second,
            status: redrive.status.as_str(),
            before_id: redrive.before.map(|id| id.to_string()),
            total: redrive.total.cast_signed(),
            total_is_exact: redrive.total_is_exact,
            settled: [redriven, skipped, failed].map(u64::cast_signed),
            lease_owner: redrive.lease.as_ref().map(|lease| lease.owner.clone()),
            lease_until: redrive.lease.as_ref().map(|lease| lease.until.as_millis()),
            times: [redrive.created_at.as_millis(), redrive.updated_at.as_millis()],
            version: version.cast_signed(),
            pending: texts::keys_text(&redrive.pending),
            needs_work: redrive.needs_work(),
            automatic: asked.automatic.as_ref().map(auto_redrive::automatic_text),
        }
    }

    /// In the order of [`COLUMNS`].
    fn params(&self) -> [&dyn ToSql; 27] {
        [
            &self.id,
            &self.tenant_id,
            &self.phone_number_id,
            &self.code,
            &self.reason,
            &self.letter_status,
            &self.ended[0],
            &self.ended[1],
            &self.options[0],
            &self.per_second,
            &self.status,
            &self.before_id,
            &self.total,
            &self.total_is_exact,
            &self.settled[0],
            &self.settled[1],
            &self.settled[2],
            &self.lease_owner,
            &self.lease_until,
            &self.times[0],
            &self.times[1],
            &self.version,
            &self.pending,
            &self.needs_work,
            &self.options[1],
            &self.options[2],
            &self.automatic,
        ]
    }
}

fn redrive(row: &Row<'_>) -> Read<Redrive> {
    let mut cells = Cells::of(row);
    let (id, tenant_id) = (cells.parse(RedriveId::parse)?, cells.maybe_parse(TenantId::parse)?);
    let filter = RedriveFilter {
        phone_number_id: cells.maybe_parse(PhoneNumberId::parse)?,
        code: cells.get()?,
        reason: cells.maybe_parse(DeadReason::parse)?,
        status: cells.maybe_parse(Status::parse)?,
        from: cells.maybe_time()?,
        to: cells.maybe_time()?,
    };
    // The fields of a struct expression are evaluated in the order in which they are written.
    let mut redrive = Redrive {
        id,
        tenant_id,
        asked: NewRedrive {
            filter,
            confirm_duplicate_risk: cells.get()?,
            ignore_expiry: false,
            per_second: cells.get()?,
            by: Actor::Operator,
            automatic: None,
        },
        status: cells.parse(RedriveStatus::parse)?,
        before: cells.maybe_parse(MessageId::parse)?,
        total: cells.count()?,
        total_is_exact: cells.get()?,
        settled: Settled {
            redriven: cells.count()?,
            skipped: cells.count()?,
            failed: cells.count()?,
        },
        lease: lease(&mut cells)?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
        version: cells.count()?,
        pending: texts::parse_keys(&cells.get::<String>()?)?,
    };
    cells.get::<bool>()?;
    redrive.asked.ignore_expiry = cells.get()?;
    if cells.get()? {
        redrive.asked.by = Actor::Tenant;
    }
    redrive.asked.automatic = cells.maybe_parse(auto_redrive::parse_automatic)?;
    Ok(redrive)
}

fn lease(cells: &mut Cells<'_>) -> Read<Option<Lease>> {
    match (cells.get::<Option<Arc<str>>>()?, cells.maybe_time()?) {
        (Some(owner), Some(until)) => Ok(Some(Lease { owner, until })),
        (None, None) => Ok(None),
        _ => Err(Damaged("an owner and an end of a lease come together".to_owned())),
    }
}
