//! Transactions: a few commands that all have their effect, for good, or none of them has.

use std::time::Duration;

use bson::RawDocumentBuf;
use dakghar_core::ports::StoreError;
use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR};
use mongodb::options::{ReadConcern, TransactionOptions};
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::connect::majority;
use super::failure::{DUPLICATE_KEY, Failure, coded};

/// How often a transaction is tried that others are in the way of.
pub(super) const TRIES_MAX: u32 = 6;
/// The first wait between two tries; it doubles.
const TRY_WAIT: Duration = Duration::from_millis(4);

/// Why a transaction came to nothing, or may have.
#[derive(Debug)]
pub(super) enum Aborted {
    /// The document at this place of an insert has a key that another one has.
    Duplicate,
    /// The document at this place of an insert was refused.
    Refused(usize, StoreError),
    /// Another writer was in the way, and the next try may succeed. Nothing was written.
    Conflict,
    /// Nothing was written.
    Failed(StoreError),
    /// Nobody knows whether it was written.
    Unknown(StoreError),
}

impl Aborted {
    /// The error for a caller who does not try again.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Duplicate | Self::Conflict => in_the_way(),
            Self::Refused(_, error) | Self::Failed(error) | Self::Unknown(error) => error,
        }
    }
}

/// The error of the last try.
pub(super) fn in_the_way() -> StoreError {
    StoreError::Unavailable("others changed the same records at the same time, again and again".to_owned())
}

/// Waits before the next try.
pub(super) async fn wait_for_others(tries: u32) {
    tokio::time::sleep(TRY_WAIT * 2_u32.saturating_pow(tries.min(TRIES_MAX))).await;
}

impl MongoStore {
    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<ClientSession, Aborted> {
        let mut session = self.database.client().start_session().await.map_err(failed)?;
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::local())
            .write_concern(majority(&self.options))
            .build();
        session
            .start_transaction()
            .with_options(options)
            .await
            .map_err(failed)?;
        Ok(session)
    }

    /// Runs the steps of a transaction, the commit included, for as long as a write may take.
    pub(super) async fn within_write_timeout<T>(
        &self,
        steps: impl Future<Output = Result<T, Aborted>> + Send,
    ) -> Result<T, Aborted> {
        let limit = self.options.write_timeout;
        match tokio::time::timeout(limit, steps).await {
            Ok(result) => result,
            // The commit may have been under way.
            Err(_) => Err(Aborted::Unknown(Failure::TimedOut(limit).to_store_error())),
        }
    }

    /// Inserts documents inside of a transaction.
    pub(super) async fn insert_within(
        &self,
        session: &mut ClientSession,
        collection: &Collection<RawDocumentBuf>,
        documents: &[RawDocumentBuf],
    ) -> Result<(), Aborted> {
        if documents.is_empty() {
            return Ok(());
        }
        match collection
            .insert_many(documents)
            .ordered(true)
            .session(&mut *session)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    /// Ends a transaction whose step failed.
    pub(super) async fn undone(&self, session: &mut ClientSession, error: Error) -> Aborted {
        let aborted = failed(error);
        self.undo(session).await;
        aborted
    }

    /// Undoes all steps of a transaction. If the server does not hear of it, it does so by itself.
    pub(super) async fn undo(&self, session: &mut ClientSession) {
        if let Err(error) = session.abort_transaction().await {
            tracing::debug!(%error, "a transaction was not ended; the server ends it by itself");
        }
    }

    /// Makes the steps of a transaction durable. The driver repeats it once after a lost connection.
    pub(super) async fn commit(&self, session: &mut ClientSession) -> Result<(), Aborted> {
        match session.commit_transaction().await {
            Ok(()) => Ok(()),
            Err(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => Err(Aborted::Conflict),
            Err(error) => Err(Aborted::Unknown(Failure::Driver(error).to_store_error())),
        }
    }
}

/// Why a step before the commit failed: nothing was written.
pub(super) fn failed(error: Error) -> Aborted {
    if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
        // Also a lost connection, after which the whole may be tried again.
        let is_conflict = matches!(
            error.kind.as_ref(),
            ErrorKind::Command(_) | ErrorKind::Write(_) | ErrorKind::InsertMany(_)
        );
        if is_conflict {
            return Aborted::Conflict;
        }
    }
    if let ErrorKind::InsertMany(errors) = error.kind.as_ref()
        && let Some(first) = errors.write_errors.iter().flatten().next()
    {
        if first.code == DUPLICATE_KEY {
            return Aborted::Duplicate;
        }
        let name = first.code_name.as_deref().unwrap_or_default();
        return Aborted::Refused(first.index, coded(first.code, name, &first.message));
    }
    let failure = Failure::Driver(error);
    if failure.is_duplicate_key() {
        return Aborted::Duplicate;
    }
    Aborted::Failed(failure.to_store_error())
}
