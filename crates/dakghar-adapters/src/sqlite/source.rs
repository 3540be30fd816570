//! The database as an installation that is being left.
//!
//! One connection holds the write lock from the opening on, so that neither a server nor a command nor anything else
//! changes the file meanwhile; it reads, and never writes. Messages and events are read in the order in which they lie
//! in the file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use dakghar_core::domain::message::StatusRecord;
use dakghar_core::domain::migration::{Kind, Place, Record, Retirement};
use dakghar_core::ports::{MigrationSource, SourcePage, StoreError};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, ToSql, params};

use super::cells::{Cells, Damaged, number};
use super::failure::{Failure, Outcome};
use super::open::{self, OpenError};
use super::rows::{self, COLUMNS};
use super::{
    apps, audit, backup, callbacks, checked, conversations, endpoints, events, feed, installation, operators, opt_outs,
    retirement, statuses, tenants,
};

/// Bytes of records on a page, about; at least one record is on it.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Sums that change with every change of a kind. Times are summed by their lower half, so that no sum overflows.
const STATES: [&str; 14] = [
    "SELECT count(*), sum(version), sum(updated_at & 4294967295), max(id), 0 FROM tenants",
    "SELECT count(*), sum(last_message_at & 4294967295), sum(last_inbound_at & 4294967295), max(id), \
         max(last_message_id) FROM conversations",
    "SELECT count(*), sum(version), sum(updated_at & 4294967295), max(seq), sum(created_at & 4294967295) \
         FROM messages",
    "SELECT count(*), sum(received_at & 4294967295), max(message_id), max(digest), max(received_at) FROM statuses",
    "SELECT count(*), sum(received_at & 4294967295), max(seq), max(id), max(received_at) FROM events",
    "SELECT count(*), sum(version), sum(updated_at & 4294967295), max(id), sum(created_at & 4294967295) FROM apps",
    "SELECT count(*), sum(version), max(id), min(id), 0 FROM operator_keys",
    "SELECT count(*), sum(version), max(name), min(name), 0 FROM installation_secrets",
    "SELECT count(*), sum(version), sum(updated_at & 4294967295), max(id), sum(created_at & 4294967295) FROM endpoints",
    "SELECT count(*), sum(version), sum(updated_at & 4294967295), max(endpoint_id), sum(after_place & 4294967295) \
        FROM callback_progress",
    "SELECT count(*), sum(place & 4294967295), sum(attempts), max(endpoint_id), max(since) FROM callback_exceptions",
    "SELECT count(*), max(tenant_id), sum(place & 4294967295), max(place), max(at) FROM feed",
    "SELECT count(*), sum(at & 4294967295), sum(is_out), max(mark), count(person) FROM opt_outs",
    "SELECT count(*), max(number), max(id), max(at), 0 FROM audit",
];

/// An embedded installation, opened to leave it.
pub struct SqliteSource {
    file: PathBuf,
    conn: Arc<Mutex<Connection>>,
    _lock: File,
}

impl SqliteSource {
    /// Opens the file, or the one in the directory, and keeps everybody else from changing it until this is dropped.
    /// Fails while a server uses it. Blocks for as long as recovering from a crash takes.
    pub fn open(dir_or_file: &Path) -> Result<Arc<Self>, OpenError> {
        let file = open::file_of(dir_or_file);
        if !file.is_file() {
            return Err(OpenError::Missing { file });
        }
        backup::refuse_unfinished(&file)?;
        let lock = open::lock(&file)?;
        let conn = checked::open_checked(&file, Some(&lock))?;
        conn.execute_batch("BEGIN IMMEDIATE")
            .map_err(|source| OpenError::sqlite(&file, source))?;
        Ok(Arc::new(Self {
            file,
            conn: Arc::new(Mutex::new(conn)),
            _lock: lock,
        }))
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The file that [`MigrationSource::retire`] leaves.
    pub fn mark(&self) -> PathBuf {
        retirement::mark_of(&self.file)
    }

    /// True if all sending of the installation is held.
    pub async fn is_held(&self) -> Result<bool, StoreError> {
        self.run(|conn| Ok(conn.query_row("SELECT count(*) FROM sending_hold", [], |row| number(row, 0))? > 0))
            .await
    }

    /// Runs a query on a thread where blocking is allowed.
    #[expect(clippy::disallowed_methods, reason = "one connection under a lock")]
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let conn = self.conn.clone();
        tokio::task::spawn_blocking(move || query(&conn.lock()))
            .await
            .map_err(|error| StoreError::Unavailable(format!("the query did not end: {error}")))?
            .map_err(|failure| failure.to_store_error())
    }
}

impl SqliteSource {
    async fn count_of(&self, sql: impl Into<String>) -> Result<u64, StoreError> {
        let sql = sql.into();
        let count = move |conn: &Connection| Ok(conn.query_row(&sql, [], |row| number(row, 0))?.cast_unsigned());
        self.run(count).await
    }
}

#[async_trait]
impl MigrationSource for SqliteSource {
    async fn state(&self) -> Result<[u8; 32], StoreError> {
        self.run(state).await
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.count_of(format!("SELECT count(*) FROM {}", kind.as_str())).await
    }

    async fn open_redrives(&self) -> Result<u64, StoreError> {
        self.count_of("SELECT count(*) FROM redrives WHERE status = 'running' OR status = 'paused'")
            .await
    }

    async fn open_erasures(&self) -> Result<u64, StoreError> {
        self.count_of("SELECT count(*) FROM erasures WHERE needs_work = 1")
            .await
    }

    async fn open_signups(&self) -> Result<u64, StoreError> {
        self.count_of("SELECT count(*) FROM signups WHERE due_at IS NOT NULL")
            .await
    }

    async fn open_departures(&self) -> Result<u64, StoreError> {
        self.count_of("SELECT count(*) FROM departures WHERE open_of IS NOT NULL")
            .await
    }

    async fn page(&self, kind: Kind, after: Option<&Place>, limit: u32) -> Result<SourcePage, StoreError> {
        let after = after.cloned();
        self.run(move |conn| page(conn, kind, after, limit)).await
    }

    async fn retirement(&self) -> Result<Option<Retirement>, StoreError> {
        let read = retirement::read(&self.file);
        read.map_err(|error| StoreError::Unavailable(format!("{}: {error}", self.mark().display())))
    }

    async fn retire(&self, retirement: &Retirement) -> Result<(), StoreError> {
        let written = retirement::write(&self.file, retirement);
        written.map_err(|error| StoreError::Unavailable(format!("{}: {error}", self.mark().display())))
    }
}

fn state(conn: &Connection) -> Outcome<[u8; 32]> {
    let mut context = digest::Context::new(&digest::SHA256);
    for sql in STATES {
        conn.query_row(sql, [], |row| {
            for column in 0..5 {
                let value: rusqlite::types::Value = row.get(column)?;
                context.update(format!("{value:?}\n").as_bytes());
            }
            Ok(())
        })?;
    }
    let digest = context.finish();
    Ok(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// The page of a kind: its columns, then the row number where the place is one, after a place and up to a limit.
pub(super) fn page_sql(kind: Kind) -> String {
    match kind {
        Kind::Tenants => format!(
            "SELECT {} FROM tenants WHERE id > ? ORDER BY id LIMIT ?",
            tenants::COLUMNS
        ),
        Kind::Conversations => format!(
            "SELECT {} FROM conversations WHERE (tenant_id, id) > (?, ?) ORDER BY tenant_id, id LIMIT ?",
            conversations::COLUMNS
        ),
        Kind::Messages => format!(
            "SELECT {}, seq FROM messages WHERE seq > ? ORDER BY seq LIMIT ?",
            *COLUMNS
        ),
        Kind::Statuses => format!(
            "SELECT {}, digest FROM statuses WHERE (tenant_id, message_id, digest) > (?, ?, ?) \
             ORDER BY tenant_id, message_id, digest LIMIT ?",
            *statuses::COLUMNS
        ),
        Kind::Events => format!(
            "SELECT {}, seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            events::COLUMNS
        ),
        Kind::Apps => format!("SELECT {} FROM apps WHERE id > ? ORDER BY id LIMIT ?", apps::COLUMNS),
        Kind::OperatorKeys => format!(
            "SELECT {} FROM operator_keys WHERE id > ? ORDER BY id LIMIT ?",
            operators::COLUMNS
        ),
        Kind::InstallationSecrets => format!(
            "SELECT {} FROM installation_secrets WHERE name > ? ORDER BY name LIMIT ?",
            installation::COLUMNS
        ),
        Kind::Endpoints => format!(
            "SELECT {} FROM endpoints WHERE id > ? ORDER BY id LIMIT ?",
            endpoints::COLUMNS
        ),
        Kind::Progress => format!(
            "SELECT {} FROM callback_progress WHERE endpoint_id > ? ORDER BY endpoint_id LIMIT ?",
            callbacks::PROGRESS_COLUMNS
        ),
        Kind::Exceptions => format!(
            "SELECT {} FROM callback_exceptions WHERE (endpoint_id, place) > (?, ?) ORDER BY endpoint_id, place LIMIT ?",
            *callbacks::EXCEPTION_COLUMNS
        ),
        Kind::Feed => format!(
            "SELECT {} FROM feed WHERE (tenant_id, place) > (?, ?) ORDER BY tenant_id, place LIMIT ?",
            feed::COLUMNS
        ),
        Kind::OptOuts => format!(
            "SELECT {} FROM opt_outs WHERE (tenant_id, mark, scope) > (?, ?, ?) ORDER BY tenant_id, mark, scope LIMIT ?",
            opt_outs::COLUMNS
        ),
        Kind::Audit => audit::WALK.to_owned(),
    }
}

fn page(conn: &Connection, kind: Kind, after: Option<Place>, limit: u32) -> Outcome<SourcePage> {
    let after = after.map(|place| place.0).unwrap_or_default();
    match kind {
        Kind::Tenants => read(conn, kind, params![after, limit], |row, _| {
            let tenant = tenants::tenant(conn, row)?.map_err(Damaged::stops_all)?;
            let place = tenant.id.to_string();
            Ok((Record::Tenant(Box::new(tenant)), place))
        }),
        Kind::Conversations => {
            let (tenant_id, id) = after.split_once(' ').unwrap_or_default();
            read(conn, kind, params![tenant_id, id, limit], |row, _| {
                let conversation = conversations::conversation(row).map_err(Damaged::stops_all)?;
                let place = format!("{} {}", conversation.tenant_id, conversation.id);
                Ok((Record::Conversation(conversation), place))
            })
        }
        Kind::Messages => read(conn, kind, params![seq_of(&after)?, limit], |row, seq_column| {
            let message = rows::message(row).map_err(Damaged::stops_all)?;
            let place = number(row, seq_column)?.to_string();
            Ok((Record::Message(Box::new(message)), place))
        }),
        Kind::Statuses => {
            let mut parts = after.split('/');
            let mut next = || parts.next().unwrap_or_default();
            let (tenant_id, message_id, digest) = (next(), next(), next());
            let asked = params![tenant_id, message_id, digest, limit];
            read(conn, kind, asked, |row, digest| {
                let status = statuses::status(row).map_err(Damaged::stops_all)?;
                let digest: String = Cells::from(row, digest).get().map_err(Damaged::stops_all)?;
                let place = StatusRecord::ids_of(&status.key) + &digest;
                Ok((Record::Status(status), place))
            })
        }
        Kind::Events => read(conn, kind, params![seq_of(&after)?, limit], |row, seq_column| {
            let event = events::event(row).map_err(Damaged::stops_all)?;
            let place = number(row, seq_column)?.to_string();
            Ok((Record::Event(event), place))
        }),
        Kind::Apps => read(conn, kind, params![after, limit], app_record),
        Kind::OperatorKeys => read(conn, kind, params![after, limit], operator_key_record),
        Kind::InstallationSecrets => read(conn, kind, params![after, limit], installation_record),
        Kind::Endpoints => read(conn, kind, params![after, limit], endpoint_record),
        Kind::Progress => read(conn, kind, params![after, limit], progress_record),
        Kind::Exceptions => {
            let (endpoint_id, place) = placed(&after)?;
            read(conn, kind, params![endpoint_id, place, limit], exception_record)
        }
        Kind::Feed => {
            let (tenant_id, place) = placed(&after)?;
            read(conn, kind, params![tenant_id, place, limit], |row, _| {
                let placed = feed::entry(row).map_err(Damaged::stops_all)?;
                let place = format!("{} {}", placed.entry.tenant_id, placed.place);
                Ok((Record::Entry(placed), place))
            })
        }
        Kind::OptOuts => {
            let [tenant_id, mark, scope] = opt_outs::place(&after);
            read(conn, kind, params![tenant_id, mark, scope, limit], opt_out_record)
        }
        Kind::Audit => audit_page(conn, &after, limit),
    }
}

fn app_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let app = apps::app(row).map_err(Damaged::stops_all)?;
    let place = app.id.to_string();
    Ok((Record::App(app), place))
}

fn operator_key_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let key = operators::operator_key(row).map_err(Damaged::stops_all)?;
    let place = key.key.id.to_string();
    Ok((Record::OperatorKey(Box::new(key)), place))
}

fn installation_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let secrets = installation::sealed_secrets(row).map_err(Damaged::stops_all)?;
    let place = secrets.name.clone();
    Ok((Record::InstallationSecrets(secrets), place))
}

fn endpoint_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let endpoint = endpoints::endpoint(row).map_err(Damaged::stops_all)?;
    let place = endpoint.id.to_string();
    Ok((Record::Endpoint(Box::new(endpoint)), place))
}

fn progress_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let progress = callbacks::progress(row).map_err(Damaged::stops_all)?;
    let place = progress.endpoint_id.to_string();
    Ok((Record::Progress(Box::new(progress)), place))
}

fn exception_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let exception = callbacks::exception(row).map_err(Damaged::stops_all)?;
    let place = format!("{} {}", exception.endpoint_id, exception.placed.place);
    Ok((Record::Exception(Box::new(exception)), place))
}

fn opt_out_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let said = opt_outs::opt_out(row).map_err(Damaged::stops_all)?;
    Ok((Record::OptOut(said.clone()), said.id()))
}

fn audit_record(row: &Row<'_>, _: usize) -> Outcome<(Record, String)> {
    let record = audit::audit_record(row).map_err(Damaged::stops_all)?;
    let place = record.number.to_string();
    Ok((Record::Audit(Box::new(record)), place))
}

fn audit_page(conn: &Connection, after: &str, limit: u32) -> Outcome<SourcePage> {
    let page = read(conn, Kind::Audit, params![seq_of(after)?, limit], audit_record)?;
    refuse_cut_off(conn, after, &page)?;
    Ok(page)
}

/// Records that were cut off at the end cannot be told once they are in another store, so nobody moves away from them.
fn refuse_cut_off(conn: &Connection, after: &str, page: &SourcePage) -> Outcome<()> {
    let last = page.end.as_ref().map_or(after, |end| end.0.as_str());
    let last: u64 = last.parse().unwrap_or_default();
    if page.records.is_empty() && last != audit::chain(conn)?.head.number {
        let why = "the audit log ends elsewhere than its chain says; `dakghar audit verify` tells where";
        return Err(Failure::Damaged(why.into()));
    }
    Ok(())
}

/// Whose feed a place is in, and where; the beginning is before all of them.
fn placed(place: &str) -> Outcome<(&str, i64)> {
    let (of, number) = place.split_once(' ').unwrap_or_default();
    Ok((of, if number.is_empty() { 0 } else { seq_of(number)? }))
}

/// The row number in a place; rows may have any, so the beginning is before all of them.
fn seq_of(place: &str) -> Outcome<i64> {
    if place.is_empty() {
        return Ok(i64::MIN);
    }
    place
        .parse()
        .map_err(|_| Failure::Damaged("the place is not one of this database".into()))
}

/// Reads rows until the page is full. `record` gets the number of the last column, and returns the place as well.
fn read(
    conn: &Connection,
    kind: Kind,
    params: &[&dyn ToSql],
    record: impl Fn(&Row<'_>, usize) -> Outcome<(Record, String)>,
) -> Outcome<SourcePage> {
    let mut select = conn.prepare_cached(&page_sql(kind))?;
    let last_column = select.column_count() - 1;
    let mut found = select.query(params)?;
    let mut page = SourcePage::default();
    let mut bytes = 0;
    while bytes < PAGE_BYTES_MAX
        && let Some(row) = found.next()?
    {
        let (record, place) = record(row, last_column)?;
        bytes += record.bytes();
        page.records.push(record);
        page.end = Some(Place(place));
    }
    Ok(page)
}
