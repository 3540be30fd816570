//! Connections that read. Each query runs on a thread where blocking is allowed, and at most as many run at once as
//! there are connections.

use std::path::Path;
use std::sync::Arc;

use dakghar_core::ports::StoreError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use super::failure::Outcome;

/// A fixed number of connections that read.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    /// Opens `count` connections.
    pub(super) fn open(file: &Path, count: u32) -> rusqlite::Result<Self> {
        let idle = (0..count)
            .map(|_| connection::open_reader(file))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(count as usize)),
            count,
        })
    }

    /// Runs a query, waiting for a free connection first.
    #[expect(clippy::disallowed_methods, reason = "as many as there are permits")]
    pub(super) async fn run<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let Ok(permit) = self.permits.clone().acquire_owned().await else {
            return Err(StoreError::Unavailable("it was closed".into()));
        };
        let lent = Lent::take(self.idle.clone(), permit);
        // Whoever asked may give up; the connection finds its way back by itself.
        tokio::task::spawn_blocking(move || query(lent.connection()))
            .await
            .map_err(|error| StoreError::Unavailable(format!("the query did not end: {error}")))?
            .map_err(|failure| failure.to_store_error())
    }

    /// Waits for the running queries and closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(_all) = self.permits.acquire_many(self.count).await {
            self.permits.close();
            self.idle.lock().clear();
        }
    }
}

/// A connection in use; it goes back when this is dropped, also by a panic.
struct Lent {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn take(idle: Arc<Mutex<Vec<Connection>>>, permit: OwnedSemaphorePermit) -> Self {
        let connection = idle.lock().pop();
        Self {
            connection,
            idle,
            _permit: permit,
        }
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("there are as many connections as permits")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.lock().push(connection);
        }
    }
}
