//! Asks a contender's store how many messages it holds in each status. Both contenders keep messages in a collection or
//! table `messages` with the fields `status` and `direction`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use bson::{Document, doc};
use mongodb::{Client, Collection};
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

/// A store that can be asked.
pub(crate) enum Store {
    Mongo(Collection<Document>),
    Sqlite(PathBuf),
}

/// The messages of a database named in the URI.
pub(crate) async fn mongo_messages(uri: &str) -> anyhow::Result<Collection<Document>> {
    let client = Client::with_uri_str(uri).await?;
    Ok(client
        .default_database()
        .context("the URI names no database")?
        .collection("messages"))
}

impl Store {
    pub(crate) async fn open(args: &StoreArgs) -> anyhow::Result<Self> {
        match (&args.mongo_uri, &args.sqlite) {
            (Some(uri), _) => Ok(Self::Mongo(mongo_messages(uri).await?)),
            (None, Some(path)) => Ok(Self::Sqlite(path.clone())),
            (None, None) => anyhow::bail!("name the store"),
        }
    }

    /// Messages that still need the worker.
    pub(crate) async fn unsettled(&self) -> anyhow::Result<u64> {
        match self {
            Self::Mongo(messages) => Ok(messages
                .count_documents(doc! { "status": { "$in": UNSETTLED.to_vec() } })
                .await?),
            Self::Sqlite(path) => {
                let marks = UNSETTLED.map(|status| format!("'{status}'")).join(",");
                let sql = format!("SELECT count(*) FROM messages WHERE status IN ({marks})");
                let count: i64 = open_read_only(path)?.query_row(&sql, [], |row| row.get(0))?;
                Ok(count.unsigned_abs())
            }
        }
    }

    /// Messages by direction and status.
    pub(crate) async fn by_status(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        match self {
            Self::Mongo(messages) => {
                let group = doc! { "$group": {
                    "_id": { "$concat": ["$direction", ".", "$status"] }, "count": { "$sum": 1_i64 },
                } };
                let mut found = messages.aggregate([group]).await?;
                let mut counts = BTreeMap::new();
                while found.advance().await? {
                    let row = found.deserialize_current()?;
                    counts.insert(row.get_str("_id")?.to_owned(), row.get_i64("count")?.unsigned_abs());
                }
                Ok(counts)
            }
            Self::Sqlite(path) => {
                let connection = open_read_only(path)?;
                let mut statement = connection
                    .prepare("SELECT direction || '.' || status, count(*) FROM messages GROUP BY direction, status")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
        }
    }
}

fn open_read_only(path: &PathBuf) -> anyhow::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// The command.
pub(crate) async fn count(args: &StoreArgs) -> anyhow::Result<Value> {
    Ok(json!(Store::open(args).await?.by_status().await?))
}
