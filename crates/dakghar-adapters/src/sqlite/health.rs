//! The state of the file.

use async_trait::async_trait;
use dakghar_core::ports::{StoreError, StoreHealth};

use super::SqliteStore;

#[async_trait]
impl StoreHealth for SqliteStore {
    /// Finds out by writing.
    async fn ping(&self) -> Result<(), StoreError> {
        self.writer
            .run(|conn| {
                conn.prepare_cached("UPDATE write_probe SET writes = writes + 1")?
                    .execute([])?;
                Ok(())
            })
            .await
    }

    fn stopped(&self) -> Option<String> {
        self.writer.stopped()
    }
}
