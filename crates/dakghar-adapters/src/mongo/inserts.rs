//! Inserts of many documents in one command, each with an answer of its own.

use bson::RawDocumentBuf;
use dakghar_core::ports::{Saved, StoreError};
use mongodb::Collection;
use mongodb::error::ErrorKind;

use super::MongoStore;
use super::failure::{DUPLICATE_KEY, Failure, coded};

/// The fate of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// Written, for good.
    Stored,
    /// A unique index has its key already.
    Duplicate,
    /// Nobody knows; it must be looked up.
    Unknown(StoreError),
    /// Not written.
    Refused(StoreError),
}

/// More than one in so many records was a repetition if the next are to be looked for before the insert.
const RECORDS_PER_REPETITION: usize = 20;

/// True if there were so many repetitions among records that looking for the next ones first is cheaper.
pub(super) fn do_repeat(inserted: &[Inserted]) -> bool {
    let repeated = inserted.iter().filter(|inserted| **inserted == Inserted::Duplicate);
    repeated.count() * RECORDS_PER_REPETITION > inserted.len()
}

impl MongoStore {
    /// Inserts documents in one command; the answers are in their order. One that is refused does not hold up the
    /// others. After a lost connection the driver repeats the command once under the same number, which the server
    /// executes only once.
    pub(super) async fn insert_all(
        &self,
        collection: &Collection<RawDocumentBuf>,
        documents: &[RawDocumentBuf],
    ) -> Vec<Inserted> {
        if documents.is_empty() {
            return Vec::new();
        }
        let insert = collection.insert_many(documents).ordered(false);
        let result = self.bounded(self.options.write_timeout, async { insert.await }).await;
        let Err(failure) = result else {
            return vec![Inserted::Stored; documents.len()];
        };
        if let Failure::Driver(error) = &failure
            && let ErrorKind::InsertMany(errors) = error.kind.as_ref()
        {
            let otherwise = match &errors.write_concern_error {
                Some(_) => Inserted::Unknown(failure.to_store_error()),
                None => Inserted::Stored,
            };
            let mut answers = vec![otherwise; documents.len()];
            for refused in errors.write_errors.iter().flatten() {
                answers[refused.index] = if refused.code == DUPLICATE_KEY {
                    Inserted::Duplicate
                } else {
                    let name = refused.code_name.as_deref().unwrap_or_default();
                    Inserted::Refused(coded(refused.code, name, &refused.message))
                };
            }
            return answers;
        }
        let error = failure.to_store_error();
        let all = if failure.is_refusal() {
            Inserted::Refused(error)
        } else {
            Inserted::Unknown(error)
        };
        vec![all; documents.len()]
    }

    /// Inserts one document; `Stale` if a unique index has its key already. If nobody knows whether it was written,
    /// `find` finds what is there under its id, and `is_it` knows it.
    pub(super) async fn insert_one<T>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        document: RawDocumentBuf,
        find: impl Future<Output = Result<Option<T>, StoreError>> + Send,
        is_it: impl Fn(&T) -> bool + Send,
    ) -> Result<Saved, StoreError> {
        match self.insert_all(collection, &[document]).await.pop() {
            Some(Inserted::Refused(error)) => Err(error),
            Some(Inserted::Unknown(error)) => match find.await {
                Ok(Some(found)) if is_it(&found) => Ok(Saved::Done),
                Ok(Some(_)) => Ok(Saved::Stale),
                _ => Err(error),
            },
            Some(Inserted::Duplicate) => Ok(Saved::Stale),
            Some(Inserted::Stored) | None => Ok(Saved::Done),
        }
    }
}
