//! The few operations on MongoDB that the runner needs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bson::doc;
use mongodb::Client;
use mongodb::options::ClientOptions;
use serde_json::{Value, json};

const PRIMARY_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// The port of the server on this machine.
    #[arg(long)]
    port: u16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DropArgs {
    /// The URI names the database.
    #[arg(long)]
    mongo_uri: String,
}

/// Makes the server a replica set of one and waits until it can be written.
pub(crate) async fn init(args: &InitArgs) -> anyhow::Result<Value> {
    let host = format!("127.0.0.1:{}", args.port);
    let mut options = ClientOptions::parse(format!("mongodb://{host}/?directConnection=true")).await?;
    options.server_selection_timeout = Some(PRIMARY_PATIENCE);
    let admin = Client::with_options(options)?.database("admin");
    admin
        .run_command(doc! { "replSetInitiate": { "_id": "rs0", "members": [{ "_id": 0, "host": &host }] } })
        .await
        .context("replSetInitiate")?;
    let give_up = Instant::now() + PRIMARY_PATIENCE;
    while !admin
        .run_command(doc! { "hello": 1 })
        .await?
        .get_bool("isWritablePrimary")?
    {
        if Instant::now() > give_up {
            bail!("MongoDB did not become primary in time");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(json!({ "primary": host }))
}

/// Drops the database, and has what earlier runs wrote brought to its files, so that nobody pays for another's checkpoint.
pub(crate) async fn drop_database(args: &DropArgs) -> anyhow::Result<Value> {
    let client = Client::with_uri_str(&args.mongo_uri).await?;
    let database = client.default_database().context("the URI names no database")?;
    database.drop().await?;
    client.database("admin").run_command(doc! { "fsync": 1 }).await?;
    Ok(json!({ "dropped": database.name() }))
}
