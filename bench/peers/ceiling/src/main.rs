//! The raw ceiling: the same parts with nothing of a product around them. HTTP in, one group commit into the store, one
//! pipelined handing-over to the queue; no tenants, no keys, no validation. How near a product comes to it shows what
//! its own work costs.

#![expect(
    clippy::disallowed_methods,
    reason = "a bare ceiling has no ports, and runs until it is killed"
)]

mod mongo;
mod sqlite;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Messages in one commit at most.
const BATCH_MAX: usize = 512;
const WAITING_MAX: usize = 16 * 1024;

/// The raw ceiling of the benchmark: serves `POST /tenants/{id}/send` until it is killed.
#[derive(Parser)]
struct Cli {
    /// The port to listen on, on the loopback address.
    #[arg(long)]
    port: u16,
    /// MongoDB as the store, BullMQ as the queue.
    #[arg(long, requires = "redis_url", conflicts_with = "sqlite")]
    mongo_uri: Option<String>,
    /// The Redis server of the queue.
    #[arg(long)]
    redis_url: Option<String>,
    /// SQLite as the store and the queue.
    #[arg(long)]
    sqlite: Option<PathBuf>,
}

/// A message as the ceiling stores it.
struct Message {
    id: String,
    tenant_id: String,
    to: String,
    text: String,
    idempotency_key: Option<String>,
}

/// A message that waits for its commit.
struct Waiting {
    message: Message,
    committed: oneshot::Sender<bool>,
}

#[derive(Deserialize)]
struct Body {
    to: String,
    text: String,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(rename = "messageId")]
    message_id: String,
    status: &'static str,
    duplicate: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let (submit, waiting) = mpsc::channel(WAITING_MAX);
    match (cli.mongo_uri, cli.sqlite) {
        (Some(uri), _) => {
            let redis_url = cli.redis_url.context("name the Redis server")?;
            mongo::start(&uri, &redis_url, waiting).await?;
        }
        (None, Some(file)) => sqlite::start(&file, waiting)?,
        (None, None) => anyhow::bail!("name the store"),
    }
    let router = Router::new()
        .route("/tenants/register", post(register))
        .route("/tenants/{tenantId}/send", post(send))
        .with_state(Arc::new(submit));
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, cli.port))).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Without it the second of two small writes waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

/// Nothing is remembered; the load generator needs an answer.
async fn register(Json(tenant): Json<Value>) -> (StatusCode, Json<Value>) {
    let number = &tenant["phoneNumberId"];
    (
        StatusCode::CREATED,
        Json(json!({ "tenantId": number, "phoneNumberId": number, "apiKey": "none" })),
    )
}

async fn send(
    State(submit): State<Arc<mpsc::Sender<Waiting>>>,
    Path(tenant_id): Path<String>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Answer>), StatusCode> {
    let id = format!("msg_{}", Uuid::now_v7().simple());
    let message = Message {
        id: id.clone(),
        tenant_id,
        to: body.to,
        text: body.text,
        idempotency_key: body.idempotency_key,
    };
    let (committed, result) = oneshot::channel();
    submit
        .send(Waiting { message, committed })
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    match result.await {
        Ok(true) => Ok((
            StatusCode::ACCEPTED,
            Json(Answer {
                message_id: id,
                status: "queued",
                duplicate: false,
            }),
        )),
        _ => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
