//! Tenants to send as: registered over the API and remembered in a file for the commands that follow.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{Connection, Proof};

/// To which contender, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The contender, such as http://127.0.0.1:3000.
    #[arg(long)]
    pub(crate) base: String,
    /// The file that `register` wrote.
    #[arg(long)]
    pub(crate) tenants: PathBuf,
}

const CONNECTIONS: usize = 16;
const PHONE_NUMBER_ID_BASE: u64 = 100_000_000_000_000;
/// The version that contenders call Meta with unless told otherwise.
const GRAPH_VERSION: &str = "v25.0";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The contender, such as http://127.0.0.1:3000.
    #[arg(long)]
    base: String,
    #[arg(long)]
    admin_key: String,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// The number of the first one, where several files are made.
    #[arg(long, default_value_t = 0)]
    first: usize,
    /// What access tokens start with; `mock_` makes the contender simulate the call.
    #[arg(long, default_value = "bench_token_")]
    token: String,
    /// Meta's limit of each number, where the contender paces.
    #[arg(long, default_value_t = 80)]
    messages_per_second: u32,
    /// Where to write them.
    #[arg(long)]
    out: PathBuf,
}

/// One of them, as it is in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenant {
    pub(crate) tenant_id: String,
    pub(crate) phone_number_id: String,
    api_key: String,
}

impl Tenant {
    pub(crate) fn send_path(&self) -> String {
        format!("/tenants/{}/send", self.tenant_id)
    }

    /// The path of Meta's own face.
    pub(crate) fn graph_path(&self) -> String {
        format!("/{GRAPH_VERSION}/{}/messages", self.phone_number_id)
    }

    pub(crate) fn messages_path(&self) -> String {
        format!("/tenants/{}/messages", self.tenant_id)
    }

    pub(crate) fn feed_path(&self) -> String {
        format!("/tenants/{}/feed", self.tenant_id)
    }

    pub(crate) fn conversation_path(&self, id: &str) -> String {
        format!("/tenants/{}/conversations/{id}", self.tenant_id)
    }

    pub(crate) fn authorization(&self) -> anyhow::Result<HeaderValue> {
        bearer(&self.api_key)
    }
}

fn bearer(key: &str) -> anyhow::Result<HeaderValue> {
    Ok(HeaderValue::from_str(&format!("Bearer {key}"))?)
}

/// Reads the file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<Tenant>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let tenants: Vec<Tenant> = serde_json::from_str(&text)?;
    ensure!(!tenants.is_empty(), "{} names no tenant", path.display());
    Ok(tenants)
}

/// Registers them, several at a time.
pub(crate) async fn register(args: &Args) -> anyhow::Result<Value> {
    let next = Arc::new(AtomicUsize::new(0));
    let admin = bearer(&args.admin_key)?;
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS.min(args.count) {
        let mut connection = Connection::to(&args.base)?;
        let (next, admin) = (next.clone(), admin.clone());
        let (first, count, rate, token) = (args.first, args.count, args.messages_per_second, args.token.clone());
        tasks.push(tokio::spawn(async move {
            let mut registered = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(registered);
                }
                let index = first + index;
                let body = json!({
                    "name": format!("Tenant {index}"),
                    "phoneNumberId": (PHONE_NUMBER_ID_BASE + index as u64).to_string(),
                    "accessToken": format!("{token}{index}"),
                    "messagesPerSecond": rate,
                });
                let body = Bytes::from(body.to_string());
                let answer = connection
                    .post("/tenants/register", Proof::Bearer(&admin), body)
                    .await?;
                let text = String::from_utf8_lossy(&answer.body);
                ensure!(
                    answer.status == 201,
                    "registration was answered with {}: {text}",
                    answer.status
                );
                registered.push(serde_json::from_slice::<Tenant>(&answer.body)?);
            }
        }));
    }
    let mut tenants = Vec::with_capacity(args.count);
    for task in tasks {
        tenants.extend(task.await??);
    }
    tenants.sort_by(|one, other| one.phone_number_id.cmp(&other.phone_number_id));
    std::fs::write(&args.out, serde_json::to_vec(&tenants)?)?;
    Ok(json!({ "tenants": tenants.len() }))
}
