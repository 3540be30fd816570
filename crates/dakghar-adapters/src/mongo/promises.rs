//! Follows whether the unique indexes are there. Without the one on the idempotency keys a repeated request
//! would be a second message, so nothing is accepted and nothing is claimed while one is missing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_core::ports::StoreError;
use mongodb::Database;
use parking_lot::RwLock;

use super::failure::Failure;
use super::indexes::{self, CheckError};

/// The time between two looks at the indexes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The rest before trying to build what is missing, and how many times longer than the try before: looking for
/// duplicates in a large collection costs the server something.
const BUILD_REST: Duration = Duration::from_secs(10);
const BUILD_REST_FACTOR: u32 = 10;

/// The known state of the indexes.
#[derive(Debug)]
pub(super) struct Promises {
    database: Database,
    read_timeout: Duration,
    /// Which unique index is missing, and how.
    broken: RwLock<Option<String>>,
}

impl Promises {
    pub(super) const fn new(database: Database, read_timeout: Duration) -> Self {
        Self {
            database,
            read_timeout,
            broken: RwLock::new(None),
        }
    }

    /// `Ok` when every unique index was there at the last look.
    pub(super) fn hold(&self) -> Result<(), StoreError> {
        match &*self.broken.read() {
            Some(why) => Err(StoreError::Unavailable(why.clone())),
            None => Ok(()),
        }
    }

    /// Looks at all indexes; names the first that is not as it should be.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        let check = indexes::check(&self.database);
        let found = match tokio::time::timeout(self.read_timeout, check).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CheckError::Index { why, is_unique })) => Err((why, is_unique)),
            // Nothing new is known.
            Ok(Err(CheckError::Driver(error))) => return Err(Failure::Driver(error).to_store_error()),
            Err(_) => return Err(Failure::TimedOut(self.read_timeout).to_store_error()),
        };
        self.remember(found.as_ref().err().filter(|(_, is_unique)| *is_unique));
        found.map_err(|(why, _)| StoreError::Corrupt(why))
    }

    fn remember(&self, broken: Option<&(String, bool)>) {
        let broken = broken.map(|(why, _)| why.clone());
        let mut known = self.broken.write();
        if *known == broken {
            return;
        }
        match &broken {
            Some(why) => tracing::error!(
                why,
                "nothing is accepted or sent until this index is there; it is built as soon as no duplicates, and no \
                 other index of that name, are in its way"
            ),
            None => tracing::info!("the unique indexes are there again"),
        }
        *known = broken;
    }
}

/// Looks again and again, and tries to build what is missing, until dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "measures its patience, and the time that building took"
)]
pub(super) async fn follow(promises: Arc<Promises>) {
    let mut broken_since = None;
    let mut rest = BUILD_REST;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = promises.look().await {
            tracing::debug!(%error, "not every index is known to be there");
        }
        if promises.hold().is_ok() {
            (broken_since, rest) = (None, BUILD_REST);
            continue;
        }
        if broken_since.get_or_insert_with(Instant::now).elapsed() < rest {
            continue;
        }
        let started = Instant::now();
        if let Err(error) = indexes::create_missing(&promises.database).await {
            tracing::debug!(%error, "missing indexes cannot be built now");
        }
        rest = BUILD_REST.max(started.elapsed() * BUILD_REST_FACTOR);
        broken_since = Some(Instant::now());
    }
}
