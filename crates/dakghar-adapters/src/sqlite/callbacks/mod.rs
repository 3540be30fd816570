//! How far endpoints are, what they have not taken, and the attempts. What a process writes down together is one
//! transaction, so there is nothing between its parts that a crash could find.

mod attempts;
mod exceptions;
mod gone;
mod progress;

use async_trait::async_trait;
use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress, EXCEPTIONS_MAX};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::{AttemptLogId, EndpointId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit, Paged as _};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{CallbackStore, ExceptionsAsked, GoneEndpoints, Saved, StoreError};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::cells::{asked_for, number, readable};
use super::failure::Outcome;
use super::feed::integer;
use super::records::Records;
use super::texts::before_text;

pub(super) use attempts::without_answers;
pub(super) use exceptions::{COLUMNS as EXCEPTION_COLUMNS, exception};
pub(super) use progress::{COLUMNS as PROGRESS_COLUMNS, progress};

#[cfg(test)]
pub(super) use attempts::{FORGET as FORGET_ATTEMPTS, LIST as LIST_ATTEMPTS};
#[cfg(test)]
pub(super) use gone::{IS_THERE, NEXT};

#[cfg(test)]
pub(super) use exceptions::{COUNT_DEAD, COUNT_OPEN, DEAD, FIND as FIND_EXCEPTION, FORGET as FORGET_DEAD, OPEN};

const EXCEPTIONS: Records<CallbackException> = Records {
    name: "callback exception",
    read: exceptions::exception,
};

const LOGS: Records<AttemptLog> = Records {
    name: "log of attempts",
    read: attempts::log,
};

/// The bytes of a progress, about.
const PROGRESS_BYTES: usize = 512;

/// What is kept of one endpoint: the last of it is its progress.
pub(super) const DELETES_OF_ENDPOINT: [&str; 3] = [exceptions::DELETE, attempts::DELETE, progress::DELETE];

#[async_trait]
impl CallbackStore for SqliteStore {
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>> {
        let (count, endpoints) = (endpoints.len(), endpoints.to_vec());
        let found = self.delivery.run(move |conn| progress_of(conn, &endpoints)).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>> {
        if advances.is_empty() {
            return Vec::new();
        }
        let (count, advances) = (advances.len(), advances.to_vec());
        let bytes = advances.iter().map(bytes_of).sum();
        let work = move |conn: &Connection| advances.iter().map(|advance| save(conn, advance)).collect();
        let saved: Result<Vec<Saved>, StoreError> = self.writer.run_sized(bytes, work).await;
        match saved {
            Ok(saved) => saved.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); count],
        }
    }

    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError> {
        let endpoint_id = endpoint_id.to_string();
        self.lists
            .run(move |conn| {
                EXCEPTIONS.page(
                    conn,
                    exceptions::list_of(asked),
                    params![endpoint_id, integer(after)],
                    limit,
                )
            })
            .await
    }

    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError> {
        let (endpoint_id, places) = (endpoint_id.to_string(), places.to_vec());
        self.delivery
            .run(move |conn| {
                let mut select = conn.prepare_cached(&exceptions::FIND)?;
                let mut found = Vec::with_capacity(places.len());
                for place in places {
                    let mut rows = select.query(params![endpoint_id, integer(place)])?;
                    if let Some(row) = rows.next()? {
                        found.extend(readable("callback exception", row, exceptions::exception(row)));
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError> {
        let endpoint_id = endpoint_id.to_string();
        self.delivery
            .run(move |conn| {
                let mut select = conn.prepare_cached(exceptions::count_of(asked))?;
                let count = select.query_row(params![endpoint_id, EXCEPTIONS_MAX], |row| number(row, 0))?;
                Ok(u32::try_from(count).unwrap_or(EXCEPTIONS_MAX))
            })
            .await
    }

    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError> {
        let endpoint_id = endpoint_id.to_string();
        self.lists
            .run(move |conn| LOGS.page(conn, attempts::LIST, params![endpoint_id, before_text(before)], limit))
            .await
    }

    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer
            .run(move |conn| {
                let mut forgotten = 0;
                for sql in [exceptions::FORGET, attempts::FORGET] {
                    let params = params![before.as_millis(), limit];
                    forgotten += conn.prepare_cached(sql)?.execute(params)? as u64;
                }
                Ok(forgotten)
            })
            .await
    }

    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError> {
        self.delivery
            .run(move |conn| gone::look_through(conn, after, limit))
            .await
    }

    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let (tenant_id, endpoint_id) = (tenant_id.to_string(), endpoint_id.to_string());
        self.writer
            .run(move |conn| {
                let mut forgotten = 0;
                for sql in DELETES_OF_ENDPOINT {
                    let left = u64::from(limit).saturating_sub(forgotten).cast_signed();
                    let params = params![endpoint_id, tenant_id, left];
                    forgotten += conn.prepare_cached(sql)?.execute(params)? as u64;
                }
                Ok(forgotten)
            })
            .await
    }
}

fn progress_of(
    conn: &Connection,
    endpoints: &[EndpointId],
) -> Outcome<Vec<Result<Option<CallbackProgress>, StoreError>>> {
    let mut select = conn.prepare_cached(&progress::FIND)?;
    let mut found = Vec::with_capacity(endpoints.len());
    for endpoint_id in endpoints {
        let mut rows = select.query([endpoint_id.to_string()])?;
        found.push(match rows.next()? {
            Some(row) => asked_for("callback progress", row, progress::progress(row)).map(Some),
            None => Ok(None),
        });
    }
    Ok(found)
}

/// Writes all of it down, or, if it is stale, nothing.
fn save(conn: &Connection, advance: &Advance) -> Outcome<Saved> {
    if !progress::save(conn, &advance.progress)? {
        return Ok(Saved::Stale);
    }
    for exception in &advance.exceptions {
        exceptions::keep(conn, exception)?;
    }
    for place in &advance.over {
        exceptions::remove(conn, advance.progress.endpoint_id, *place)?;
    }
    if let Some(log) = &advance.attempts {
        attempts::note(conn, log)?;
    }
    Ok(Saved::Done)
}

fn bytes_of(advance: &Advance) -> usize {
    let exceptions: usize = advance.exceptions.iter().map(CallbackException::bytes).sum();
    let waiting = size_of_val(&*advance.progress.waiting);
    PROGRESS_BYTES + exceptions + waiting + advance.attempts.as_ref().map_or(0, AttemptLog::bytes)
}
