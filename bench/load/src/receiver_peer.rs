//! The receiver of callbacks: takes everything after a fixed time, or nothing for ever, and remembers what came when.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::histogram::Histogram;
use crate::peer::{self, Gate};
use crate::sends::now_us;

/// The beginning of the ids of messages that tell when they were due. The microseconds since the epoch follow, and a dash.
pub(crate) const TIMED: &str = "wamid.at";
const WAMID: &str = "wamid.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    port: u16,
    /// Wait before each answer.
    #[arg(long, default_value_t = 1)]
    latency_ms: u64,
}

struct Peer {
    latency: Duration,
    gate: Gate,
    came: Mutex<Came>,
}

#[derive(Default)]
struct Came {
    calls: u64,
    /// The messages that came, each once.
    wamids: HashSet<String>,
    first_us: u64,
    last_us: u64,
    latency: Histogram,
}

/// Serves until it is killed.
pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let gate = Gate::default();
    let peer = Arc::new(Peer {
        latency: Duration::from_millis(args.latency_ms),
        gate: gate.clone(),
        came: Mutex::default(),
    });
    let router = Router::new()
        .route("/ok/{n}", post(take))
        .route("/hang/{n}", post(hang))
        .route("/_peer/stats", get(stats))
        .route("/_peer/reset", post(reset))
        .with_state(peer);
    peer::serve(args.port, router, gate).await
}

async fn take(State(peer): State<Arc<Peer>>, body: Bytes) -> StatusCode {
    let at_us = now_us();
    let Ok(has_waited) = peer.gate.pass().await else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let Some(wamid) = wamid_of(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    peer.came.lock().note(wamid, if has_waited { now_us() } else { at_us });
    tokio::time::sleep(peer.latency).await;
    StatusCode::NO_CONTENT
}

async fn hang() -> StatusCode {
    std::future::pending().await
}

impl Came {
    fn note(&mut self, wamid: &str, at_us: u64) {
        self.calls += 1;
        if !self.wamids.insert(wamid.to_owned()) {
            return;
        }
        if self.first_us == 0 {
            self.first_us = at_us;
        }
        self.last_us = at_us;
        let due = wamid.strip_prefix(TIMED).and_then(|rest| rest.split('-').next());
        if let Some(due) = due.and_then(|due| due.parse::<u64>().ok()) {
            self.latency.record(Duration::from_micros(at_us.saturating_sub(due)));
        }
    }
}

/// The first id of a message in a body, wherever the contender puts it.
fn wamid_of(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let wamid = &text[text.find(WAMID)?..];
    wamid.split('"').next()
}

async fn stats(State(peer): State<Arc<Peer>>) -> Json<Value> {
    let came = peer.came.lock();
    Json(json!({
        "calls": came.calls,
        "events": came.wamids.len(),
        "first_us": came.first_us,
        "last_us": came.last_us,
        "latencyMs": came.latency.to_json(),
    }))
}

async fn reset(State(peer): State<Arc<Peer>>) -> StatusCode {
    *peer.came.lock() = Came::default();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_once_and_tells_how_long_it_took() {
        let mut came = Came::default();
        let body = br#"{"id":"evt_1","data":{"wamid":"wamid.at1000-7","x":"wamid.other"}}"#;
        let wamid = wamid_of(body).expect("an id");
        assert_eq!(wamid, "wamid.at1000-7");
        came.note(wamid, 3_000);
        came.note(wamid, 9_000);
        assert_eq!((came.calls, came.wamids.len(), came.latency.count()), (2, 1, 1));
        assert_eq!((came.first_us, came.last_us), (3_000, 3_000));
        assert_eq!(wamid_of(b"{}"), None);
    }
}
