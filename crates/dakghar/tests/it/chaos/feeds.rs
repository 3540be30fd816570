//! The auditor of feeds: every place once and none missing, and an entry for whatever became of a message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bson::{Document, doc};

use super::evidence::Seen;
use super::installation::Installation;
use super::load::Loaded;

/// How long the last entries may take to get their places. Not a measurement: past it something is stuck.
const PLACING_MAX: Duration = Duration::from_secs(30);

/// What is wrong with the feeds of all tenants, in words.
pub async fn check(
    installation: &Installation,
    loaded: &Loaded,
    messages: &BTreeMap<String, Seen>,
    is_forgotten: bool,
) -> Vec<String> {
    let mut broken = Vec::new();
    if !wait_until_placed(installation).await {
        broken.push("entries of feeds wait for their places".to_owned());
    }
    let promises = loaded.promises.values();
    let tenants: BTreeSet<String> = promises.map(|promise| promise.tenant.id.clone()).collect();
    // What was told of each message, and how many reports.
    let (mut told, mut reports) = (BTreeSet::new(), 0);
    for tenant in &tenants {
        for entry in read(installation, tenant, &mut broken).await {
            reports += u64::from(entry.kind.starts_with("status."));
            if let Some(message) = entry.message {
                told.insert((message, entry.kind));
            }
        }
    }
    if is_forgotten {
        return broken;
    }
    if let Some(kept) = count_reports(installation).await
        && kept != reports
    {
        broken.push(format!("{reports} reports are in the feeds, and {kept} are kept"));
    }
    for (id, message) in messages {
        let is_told = |kind: &str| told.contains(&(id.clone(), kind.to_owned()));
        let is_told = match message.status.as_str() {
            // Meta's answer, or a report that came before it.
            "sent" | "delivered" | "read" => {
                is_told("message.sent")
                    || ["sent", "delivered", "read"]
                        .iter()
                        .any(|status| is_told(&format!("status.{status}")))
            }
            status @ ("failed" | "dead" | "expired" | "cancelled") => is_told(&format!("message.{status}")),
            _ => true,
        };
        if !is_told {
            broken.push(format!("no feed tells that {id} is {}", message.status));
        }
    }
    broken
}

/// An entry of a feed.
pub struct Entry {
    pub id: String,
    kind: String,
    /// Of the message that it is about.
    pub conversation: Option<String>,
    message: Option<String>,
}

/// The whole feed of a tenant.
pub async fn read(installation: &Installation, tenant: &str, broken: &mut Vec<String>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut after, mut ids) = ("0".to_owned(), BTreeSet::new());
    loop {
        let page = installation
            .get(&format!("/tenants/{tenant}/feed?limit=200&after={after}"))
            .await;
        let Some(found) = page["data"].as_array().filter(|found| !found.is_empty()) else {
            return entries;
        };
        for entry in found {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            let (place, expected) = (text("place"), (entries.len() + 1).to_string());
            if place != expected {
                broken.push(format!(
                    "the feed of {tenant} has the place {place} instead of {expected}"
                ));
            }
            let id = text("id");
            if !ids.insert(id.clone()) {
                broken.push(format!("the feed of {tenant} has an entry twice: {entry}"));
            }
            let data = &entry["data"];
            let message = data["message"]["id"].as_str().or(data["id"].as_str());
            let of_message = data["message"]["conversationId"].as_str();
            let conversation = of_message.or(data["conversationId"].as_str());
            entries.push(Entry {
                id,
                conversation: conversation.map(str::to_owned),
                kind: text("kind"),
                message: message.map(str::to_owned),
            });
        }
        page["nextCursor"].as_str().expect("a place").clone_into(&mut after);
    }
}

async fn wait_until_placed(installation: &Installation) -> bool {
    let Some(database) = installation.database().await else {
        return true;
    };
    let arrivals = database.collection::<Document>("feed_arrivals");
    let deadline = Instant::now() + PLACING_MAX;
    while arrivals.count_documents(doc! {}).await.unwrap_or(u64::MAX) > 0 {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    true
}

async fn count_reports(installation: &Installation) -> Option<u64> {
    let statuses = installation.database().await?.collection::<Document>("statuses");
    statuses.count_documents(doc! {}).await.ok()
}
