//! What the auditor goes by: messages as the store has them, and the journal of the simulated Meta.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader};

use bson::{Bson, Document, doc};
use dakghar_graph_sim::{JournalEntry, Outcome};
use futures_util::TryStreamExt as _;
use serde_json::Value;

use super::installation::Installation;
use super::load::Loaded;

/// Not settled. No row ends with a pause or a hold, so what is held moves on as well.
pub const UNSETTLED: [&str; 4] = ["queued", "held", "sending", "in_doubt"];

/// A message as the store has it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub status: String,
    pub dead_reason: Option<String>,
    pub attempts: u64,
    pub wamids: Vec<String>,
    /// All that happened, with the time in milliseconds.
    pub timeline: Vec<(i64, String, String)>,
    /// Calls that the simulated Meta saw for it.
    pub calls: u64,
    pub policy: String,
    pub key: Option<String>,
    pub has_timer: bool,
}

impl Seen {
    /// When this happened, for the first time.
    pub fn when(&self, event: &str) -> Option<i64> {
        let found = self.timeline.iter().find(|(_, found, _)| found == event);
        found.map(|(at, _, _)| *at)
    }

    /// Whether this happened, for this reason if one is given.
    pub fn was(&self, event: &str, detail: &str) -> bool {
        self.timeline
            .iter()
            .any(|(_, found, why)| found == event && (detail.is_empty() || why == detail))
    }

    /// When it was settled, for the first time.
    pub fn settled_at(&self) -> Option<i64> {
        let settles = |event: &str, detail: &str| match event {
            "attempt" => detail == "sent",
            "status" | "dead" | "expired" | "cancelled" => true,
            _ => false,
        };
        let found = self.timeline.iter().find(|(_, event, detail)| settles(event, detail));
        found.map(|(at, _, _)| *at)
    }
}

/// What the simulated Meta wrote down.
#[derive(Default)]
pub struct Journal {
    /// Calls by callback data, which names message and attempt.
    pub calls: HashMap<String, u64>,
    /// The wamids given out for each message.
    pub wamids: BTreeMap<String, Vec<String>>,
    /// When calls began, by their number, in milliseconds of the simulated Meta's clock.
    pub times: BTreeMap<String, Vec<i64>>,
}

impl Journal {
    pub fn read(installation: &Installation) -> Self {
        let mut journal = Self::default();
        let file = std::fs::File::open(installation.journal()).expect("the journal is there");
        for line in BufReader::new(file).lines() {
            let entry: JournalEntry = serde_json::from_str(&line.expect("text")).expect("an entry");
            let times = journal.times.entry(entry.phone_number_id).or_default();
            times.push(entry.at.as_millisecond());
            let Some(opaque) = entry.biz_opaque else { continue };
            if let Outcome::Accepted { wamid } = entry.outcome {
                journal.wamids.entry(message_of(&opaque)).or_default().push(wamid);
            }
            *journal.calls.entry(opaque).or_default() += 1;
        }
        for times in journal.times.values_mut() {
            times.sort_unstable();
        }
        journal
    }
}

/// Callback data is `v2.<message>.<attempt>.<tenant>.<MAC>`.
pub fn message_of(opaque: &str) -> String {
    opaque.split('.').nth(1).unwrap_or_default().to_owned()
}

/// Messages that are not settled.
pub async fn count_unsettled(installation: &Installation, loaded: &Loaded) -> u64 {
    if let Some(database) = installation.database().await {
        let messages = database.collection::<Document>("messages");
        let filter = doc! { "direction": "outbound", "status": { "$in": UNSETTLED.to_vec() } };
        // A server that was just started, or a set without a primary, is asked again.
        return messages.count_documents(filter).await.unwrap_or(u64::MAX);
    }
    let tenants: BTreeSet<String> = loaded
        .promises
        .values()
        .map(|promise| promise.tenant.id.clone())
        .collect();
    let mut found = 0;
    for tenant in tenants {
        for status in UNSETTLED {
            let list = installation
                .get(&format!("/tenants/{tenant}/messages?status={status}&limit=1"))
                .await;
            found += list["data"].as_array().map_or(1, Vec::len) as u64;
        }
    }
    found
}

/// Every outbound message that the store holds.
pub async fn all_messages(installation: &Installation, loaded: &Loaded) -> BTreeMap<String, Seen> {
    let Some(database) = installation.database().await else {
        return promised_messages(installation, loaded).await;
    };
    let fields = doc! {
        "status": 1, "deadReason": 1, "attempt": 1, "wamids": 1, "wakeAt": 1, "unknownOutcome": 1, "idempotencyKey": 1,
        "timeline.at": 1, "timeline.event": 1, "timeline.detail": 1,
    };
    let messages = database.collection::<Document>("messages");
    let found = messages.find(doc! { "direction": "outbound" }).projection(fields).await;
    let found: Vec<Document> = found
        .expect("the store answers")
        .try_collect()
        .await
        .expect("all of it");
    let mut seen: BTreeMap<String, Seen> = found.iter().map(from_document).collect();
    let statuses = database.collection::<Document>("statuses");
    let fields = doc! { "status": 1, "receivedAt": 1 };
    let reports = statuses.find(doc! {}).projection(fields).await;
    let reports: Vec<Document> = reports
        .expect("the store answers")
        .try_collect()
        .await
        .expect("all of it");
    for report in &reports {
        add_report(&mut seen, report);
    }
    seen
}

/// A message that was sent stays stored as sent, whatever is reported of it.
fn add_report(seen: &mut BTreeMap<String, Seen>, report: &Document) {
    const FURTHER: [&str; 3] = ["sent", "delivered", "read"];
    let id = report.get_str("_id").expect("an id");
    let Some(seen) = seen.get_mut(id.split('/').nth(1).expect("a message")) else {
        return;
    };
    let status = report.get_str("status").expect("a status");
    if !seen.was("status", status) {
        let at = report.get_datetime("receivedAt").expect("a time").timestamp_millis();
        seen.timeline.push((at, "status".to_owned(), status.to_owned()));
        seen.timeline.sort();
    }
    let rank = |status: &str| FURTHER.iter().position(|further| *further == status);
    if let (Some(stored), Some(reported)) = (rank(&seen.status), rank(status))
        && reported > stored
    {
        status.clone_into(&mut seen.status);
    }
}

fn from_document(document: &Document) -> (String, Seen) {
    let text = |field: &str| document.get_str(field).ok().map(str::to_owned);
    let timeline = document.get_array("timeline").map(Vec::as_slice).unwrap_or_default();
    let entry = |entry: &Bson| {
        let entry = entry.as_document()?;
        let at = entry.get_datetime("at").ok()?.timestamp_millis();
        let detail = entry.get_str("detail").unwrap_or_default();
        Some((at, entry.get_str("event").ok()?.to_owned(), detail.to_owned()))
    };
    let wamids = document.get_array("wamids").map(Vec::as_slice).unwrap_or_default();
    let seen = Seen {
        status: text("status").unwrap_or_default(),
        dead_reason: text("deadReason"),
        attempts: document.get_i64("attempt").map_or(0, i64::unsigned_abs),
        wamids: wamids
            .iter()
            .filter_map(|wamid| wamid.as_str().map(str::to_owned))
            .collect(),
        timeline: timeline.iter().filter_map(entry).collect(),
        calls: 0,
        policy: text("unknownOutcome").unwrap_or_default(),
        key: text("idempotencyKey"),
        has_timer: document.contains_key("wakeAt"),
    };
    (text("_id").expect("an id"), seen)
}

/// What the API shows: the file of an embedded installation belongs to its process.
async fn promised_messages(installation: &Installation, loaded: &Loaded) -> BTreeMap<String, Seen> {
    let mut messages = BTreeMap::new();
    for promise in loaded.promises.values() {
        for id in &promise.ids {
            let path = format!("/tenants/{}/messages/{id}", promise.tenant.id);
            let answer = installation.ask(&path).await;
            if answer.status() == 200 {
                let answer: Value = answer.json().await.expect("JSON");
                messages.insert(id.clone(), from_answer(&answer));
            }
        }
    }
    messages
}

fn from_answer(answer: &Value) -> Seen {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let entry = |entry: &Value| {
        let at: jiff::Timestamp = entry["at"].as_str()?.parse().ok()?;
        let detail = ["outcome", "status", "reason"]
            .iter()
            .find_map(|field| text(&entry[field]));
        Some((at.as_millisecond(), text(&entry["event"])?, detail.unwrap_or_default()))
    };
    Seen {
        status: text(&answer["status"]).unwrap_or_default(),
        dead_reason: text(&answer["deadReason"]),
        attempts: answer["attempts"].as_u64().unwrap_or_default(),
        wamids: text(&answer["wamid"]).into_iter().collect(),
        timeline: answer["timeline"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(entry)
            .collect(),
        calls: 0,
        policy: text(&answer["unknownOutcome"]).unwrap_or_default(),
        key: text(&answer["idempotencyKey"]),
        has_timer: false,
    }
}
