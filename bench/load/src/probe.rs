//! Asks a contender's store how many of its newest messages are in each status. Both contenders keep messages in a
//! collection or table `messages` with the fields `status` and `direction`. What Meta reports of a message may be a record
//! of its own in `statuses`, and then the message stays as it was sent.
//!
//! Only the newest, because no index of a contender is made for these questions: asked about all, the server would read
//! everything that is stored, and what is measured would wait for it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use anyhow::Context as _;
use bson::{Document, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Cursor, Database};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// A message in one of these still needs the worker.
const UNSETTLED: [&str; 4] = ["queued", "held", "sending", "in_doubt"];

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct StoreArgs {
    /// The store is this MongoDB database.
    #[arg(long)]
    pub(crate) mongo_uri: Option<String>,
    /// The store is this SQLite file.
    #[arg(long)]
    pub(crate) sqlite: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only so many, the newest.
    #[arg(long)]
    newest: u64,
}

/// A store that can be asked.
pub(crate) enum Store {
    Mongo(Database),
    Sqlite(PathBuf),
}

/// By this name the server tells our operations from those of a contender.
pub(crate) const APP_NAME: &str = "dakghar-load";

/// The database named in the URI.
pub(crate) async fn mongo_database(uri: &str) -> anyhow::Result<Database> {
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name = Some(APP_NAME.to_owned());
    Client::with_options(options)?
        .default_database()
        .context("the URI names no database")
}

impl Store {
    pub(crate) async fn open(args: &StoreArgs) -> anyhow::Result<Self> {
        match (&args.mongo_uri, &args.sqlite) {
            (Some(uri), _) => Ok(Self::Mongo(mongo_database(uri).await?)),
            (None, Some(path)) => Ok(Self::Sqlite(path.clone())),
            (None, None) => anyhow::bail!("name the store"),
        }
    }

    /// How many of the `newest` messages still need the worker.
    pub(crate) async fn unsettled(&self, newest: u64) -> anyhow::Result<u64> {
        let counts = self.by_status(newest).await?;
        let left = UNSETTLED.map(|status| counts.get(&format!("outbound.{status}")).copied().unwrap_or(0));
        Ok(left.into_iter().sum())
    }

    /// The `newest` messages by direction and status.
    pub(crate) async fn by_status(&self, newest: u64) -> anyhow::Result<BTreeMap<String, u64>> {
        match self {
            Self::Mongo(database) => {
                let group = doc! { "$group": {
                    "_id": { "$concat": ["$direction", ".", "$status"] }, "count": { "$sum": 1_i64 },
                } };
                // The ids of both contenders sort by time.
                let newest = [
                    doc! { "$sort": { "_id": -1 } },
                    doc! { "$limit": newest.max(1).cast_signed() },
                    group,
                ];
                let messages = database.collection::<Document>("messages");
                let mut found = messages.aggregate(newest).await?;
                let mut counts = BTreeMap::new();
                while found.advance().await? {
                    let row = found.deserialize_current()?;
                    counts.insert(row.get_str("_id")?.to_owned(), row.get_i64("count")?.unsigned_abs());
                }
                Ok(counts)
            }
            Self::Sqlite(path) => {
                let connection = open_read_only(path)?;
                let mut statement = connection.prepare(
                    "SELECT direction || '.' || status, count(*)
                     FROM (SELECT direction, status FROM messages ORDER BY seq DESC LIMIT ?)
                     GROUP BY direction, status",
                )?;
                let rows = statement.query_map([newest.cast_signed()], |row| {
                    Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
        }
    }

    /// How many of the `newest` messages are read: those that have the status, or a report of it.
    pub(crate) async fn read(&self, newest: u64) -> anyhow::Result<u64> {
        match self {
            Self::Mongo(database) => {
                let newest = [
                    doc! { "$sort": { "_id": -1 } },
                    doc! { "$limit": newest.max(1).cast_signed() },
                    doc! { "$match": { "direction": "outbound", "status": "read" } },
                    doc! { "$project": { "_id": 1 } },
                ];
                let mut read = ids(database.collection::<Document>("messages").aggregate(newest).await?).await?;
                let statuses = database.collection::<Document>("statuses");
                let reported = statuses.find(doc! { "status": "read" }).projection(doc! { "_id": 1 });
                let reports = ids(reported.await?).await?;
                // The id of a report begins with the tenant and the message.
                read.extend(reports.iter().filter_map(|id| id.split('/').nth(1).map(str::to_owned)));
                Ok(read.len() as u64)
            }
            Self::Sqlite(path) => {
                let connection = open_read_only(path)?;
                let read = "SELECT count(*) FROM (
                     SELECT id FROM (SELECT id, direction, status FROM messages ORDER BY seq DESC LIMIT ?)
                     WHERE direction = 'outbound' AND status = 'read'
                     UNION SELECT message_id FROM statuses WHERE status = 'read')";
                let count: i64 = connection.query_row(read, [newest.cast_signed()], |row| row.get(0))?;
                Ok(count.unsigned_abs())
            }
        }
    }
}

/// The ids of documents, each once; those that are no texts as they are written.
async fn ids(mut found: Cursor<Document>) -> anyhow::Result<HashSet<String>> {
    let mut ids = HashSet::new();
    while found.advance().await? {
        let document = found.deserialize_current()?;
        let id = document.get("_id").context("a document has an id")?;
        ids.insert(id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    }
    Ok(ids)
}

fn open_read_only(path: &PathBuf) -> anyhow::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// The command.
pub(crate) async fn count(args: &CountArgs) -> anyhow::Result<Value> {
    Ok(json!(Store::open(&args.store).await?.by_status(args.newest).await?))
}
