//! The Graph API as the benchmark needs it: answers after a fixed time, accepts everything, and remembers when each
//! call came. It costs the machine as little as it can; `dakghar graph-sim` is the one that behaves like Meta.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{Connection, Proof};
use crate::peer::{self, Gate};
use crate::sends::now_us;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    port: u16,
    /// Wait before each answer.
    #[arg(long, default_value_t = 1)]
    latency_ms: u64,
}

/// One call, as `/_peer/calls` tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The recipient's digits.
    pub(crate) recipient: u64,
    /// When it came, in microseconds since the epoch.
    pub(crate) at_us: u64,
    /// The number it was made for.
    pub(crate) phone_number_id: String,
    /// The id it was answered with.
    pub(crate) wamid: String,
    /// `biz_opaque_callback_data`, which comes back in statuses.
    pub(crate) opaque: Option<String>,
}

/// What `/_peer/stats` tells.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) calls: u64,
    /// Different recipients among them.
    pub(crate) recipients: u64,
    /// When the first call was let in, in microseconds since the epoch.
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
}

struct Peer {
    latency: Duration,
    gate: Gate,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    list: Vec<Call>,
    recipients: HashSet<u64>,
    stats: Stats,
}

#[derive(Deserialize)]
struct MessageBody {
    to: String,
    biz_opaque_callback_data: Option<String>,
}

/// Serves until it is killed.
pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let gate = Gate::default();
    let peer = Arc::new(Peer {
        latency: Duration::from_millis(args.latency_ms),
        gate: gate.clone(),
        calls: Mutex::default(),
    });
    let router = Router::new()
        .route("/{version}/{phone_number_id}/messages", post(take_message))
        .route("/_peer/stats", get(stats))
        .route("/_peer/calls", get(calls))
        .route("/_peer/reset", post(reset))
        .with_state(peer);
    peer::serve(args.port, router, gate).await
}

async fn take_message(
    State(peer): State<Arc<Peer>>,
    Path((_version, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message = serde_json::from_slice::<MessageBody>(&body).ok();
    let recipient = message
        .as_ref()
        .and_then(|message| message.to.trim_start_matches('+').parse().ok());
    let (Some(message), Some(recipient)) = (message, recipient) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if peer.gate.pass().await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let wamid = peer.record(recipient, phone_number_id, message.biz_opaque_callback_data);
    tokio::time::sleep(peer.latency).await;
    Json(json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": message.to, "wa_id": recipient.to_string() }],
        "messages": [{ "id": wamid }],
    }))
    .into_response()
}

impl Peer {
    fn record(&self, recipient: u64, phone_number_id: String, opaque: Option<String>) -> String {
        let at_us = now_us();
        let mut calls = self.calls.lock();
        let wamid = format!("wamid.bench{:012}", calls.list.len());
        calls.list.push(Call {
            recipient,
            at_us,
            phone_number_id,
            wamid: wamid.clone(),
            opaque,
        });
        calls.recipients.insert(recipient);
        if calls.stats.calls == 0 {
            calls.stats.first_us = at_us;
        }
        calls.stats.calls += 1;
        calls.stats.recipients = calls.recipients.len() as u64;
        calls.stats.last_us = at_us;
        wamid
    }
}

async fn stats(State(peer): State<Arc<Peer>>) -> Json<Stats> {
    Json(peer.calls.lock().stats)
}

async fn calls(State(peer): State<Arc<Peer>>) -> Json<Vec<Call>> {
    let calls = peer.calls.lock().list.clone();
    Json(calls)
}

async fn reset(State(peer): State<Arc<Peer>>) -> StatusCode {
    *peer.calls.lock() = Calls::default();
    StatusCode::NO_CONTENT
}

/// What the peer has seen so far.
pub(crate) async fn read_stats(connection: &mut Connection) -> anyhow::Result<Stats> {
    let answer = connection
        .get("/_peer/stats", Proof::None)
        .await
        .context("the Graph peer")?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Every call the peer has seen.
pub(crate) async fn read_calls(connection: &mut Connection) -> anyhow::Result<Vec<Call>> {
    let answer = connection.get("/_peer/calls", Proof::None).await?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    Ok(serde_json::from_slice(&answer.body)?)
}
