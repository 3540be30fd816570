//! Contenders call peers. All of those have a listener on this machine, and a gate.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

/// Closed, it keeps calls waiting.
#[derive(Clone)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

#[derive(Deserialize)]
struct Wanted {
    open: bool,
}

impl Gate {
    /// Waits while it is closed. Returns true if it had to.
    pub(crate) async fn pass(&self) -> anyhow::Result<bool> {
        let mut gate = self.0.subscribe();
        let is_closed = !*gate.borrow();
        gate.wait_for(|is_open| *is_open).await.context("the gate is gone")?;
        Ok(is_closed)
    }
}

/// Serves until it is killed; `/_peer/gate?open=` moves the gate.
pub(crate) async fn serve(port: u16, router: Router, gate: Gate) -> anyhow::Result<Value> {
    let router = router.route("/_peer/gate", post(set).with_state(gate));
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Without it the second of two small writes waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(Value::Null)
}

async fn set(State(gate): State<Gate>, Query(wanted): Query<Wanted>) -> StatusCode {
    gate.0.send_replace(wanted.open);
    StatusCode::NO_CONTENT
}
