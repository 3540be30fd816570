//! Transactions that a process left behind when it died, or froze.
//!
//! The server keeps such a transaction open for a minute, and until then nobody else can write what it has written. None
//! of ours stands still for longer than a write may take, so one that did is ended here. If its process wakes and goes on,
//! it is told that the transaction is gone, and begins anew.

use std::time::Duration;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;

use super::failure::Failure;

/// The wait between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How much longer than a write may take a transaction stands still until it counts as left behind.
const MARGIN: Duration = Duration::from_secs(1);

/// Ends what was left behind by processes of this name, from time to time.
pub(super) async fn follow(database: Database, app_name: String, write_timeout: Duration) {
    let admin = database.client().database("admin");
    let mut is_told = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let ending = end_forgotten(&admin, &app_name, write_timeout + MARGIN);
        let ended = match tokio::time::timeout(write_timeout, ending).await {
            Ok(ended) => ended.map_err(Failure::Driver),
            Err(_) => Err(Failure::TimedOut(write_timeout)),
        };
        match ended {
            Ok(0) => {}
            Ok(ended) => tracing::info!(
                transactions = ended,
                "transactions that a process left behind were ended"
            ),
            Err(failure) if !is_told => {
                is_told = true;
                let why = failure.to_store_error();
                tracing::debug!(%why, "transactions that were left behind end after a minute, by themselves");
            }
            Err(_) => {}
        }
    }
}

/// Returns how many there were.
async fn end_forgotten(admin: &Database, app_name: &str, inactive_for: Duration) -> mongodb::error::Result<usize> {
    let inactive = i64::try_from(inactive_for.as_micros()).unwrap_or(i64::MAX);
    // Of the user of this process only, which needs no privilege.
    let stages = [
        doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
        doc! { "$match": {
            "type": "idleSession", "appName": app_name, "transaction.timeInactiveMicros": { "$gt": inactive },
        } },
        doc! { "$project": { "lsid.id": 1 } },
    ];
    let found: Vec<Document> = admin.aggregate(stages).await?.try_collect().await?;
    let sessions: Vec<Bson> = found
        .iter()
        .filter_map(|found| found.get_document("lsid").ok()?.get("id").cloned())
        .map(|id| doc! { "id": id }.into())
        .collect();
    let count = sessions.len();
    if count > 0 {
        admin.run_command(doc! { "killSessions": sessions }).await?;
    }
    Ok(count)
}
