//! Connections that read. Each query runs on a thread where blocking is allowed, and at most as many run at once as
//! there are connections.

use std::path::Path;
use std::sync::Arc;

use dakghar_core::ports::StoreError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

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
    ///
    /// It waits in a task of its own: a connection is given to who has waited longest, and an asker that does something else
    /// meanwhile, such as wait for another connection, would keep it unused.
    #[expect(
        clippy::disallowed_methods,
        reason = "as many as there are permits, and it ends with who asks"
    )]
    pub(super) async fn run<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (idle, permits) = (self.idle.clone(), self.permits.clone());
        let running = async move {
            let Ok(permit) = permits.acquire_owned().await else {
                return Err(StoreError::Unavailable("it was closed".into()));
            };
            let lent = Lent::take(idle, permit);
            // Whoever asked may give up; the connection finds its way back by itself.
            tokio::task::spawn_blocking(move || query(lent.connection()))
                .await
                .map_err(|error| did_not_end(&error))?
                .map_err(|failure| failure.to_store_error())
        };
        AbortOnDropHandle::new(tokio::spawn(running))
            .await
            .map_err(|error| did_not_end(&error))?
    }

    /// Waits for the running queries and closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(_all) = self.permits.acquire_many(self.count).await {
            self.permits.close();
            self.idle.lock().clear();
        }
    }
}

fn did_not_end(error: &JoinError) -> StoreError {
    StoreError::Unavailable(format!("the query did not end: {error}"))
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::time::Duration;

    use futures_util::poll;
    use tokio::time::timeout;

    use super::*;

    const CONNECTIONS: u32 = 2;

    async fn stand_still(readers: &Readers, until: Receiver<()>) {
        let stands = readers.run(move |_| {
            until.recv().expect("it is told to go on");
            Ok(())
        });
        stands.await.expect("it ends");
    }

    #[tokio::test]
    async fn who_waits_for_a_connection_and_does_something_else_keeps_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("store.sqlite3");
        drop(Connection::open(&file).expect("made"));
        let readers = Readers::open(&file, CONNECTIONS).expect("opened");
        let ((go_on, until), (go_on_too, until_too)) = (sync_channel(1), sync_channel(1));
        let mut both = pin!(async {
            tokio::join!(stand_still(&readers, until), stand_still(&readers, until_too));
        });
        assert!(poll!(&mut both).is_pending());
        // These wait for a connection, and are not looked at again.
        let mut waiting: Vec<_> = (0..CONNECTIONS).map(|_| Box::pin(readers.run(|_| Ok(())))).collect();
        for waits in &mut waiting {
            assert!(poll!(waits).is_pending());
        }
        go_on.send(()).expect("it waits");
        go_on_too.send(()).expect("it waits");
        both.await;
        let asked = timeout(Duration::from_secs(20), readers.run(|_| Ok(1)));
        assert_eq!(asked.await.expect("a connection is free"), Ok(1));
    }
}
