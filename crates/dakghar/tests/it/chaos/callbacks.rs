//! The auditor of callbacks: everything in the feed of a tenant reached its endpoint, in the order of each conversation, and
//! nothing else did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use dakghar_testkit::receiver::{ReceivedRequest, Receiver};
use serde_json::{Value, json};

use super::feeds::{self, Entry};
use super::installation::Installation;

/// How long the last callbacks may take: longer than a call that nobody answers, and the wait for the next one.
const DELIVERY_MAX: Duration = Duration::from_secs(90);

/// An endpoint that wants everything in order, as fast as it comes.
pub fn endpoint(receiver: &Receiver) -> Value {
    json!({"url": receiver.url(), "order": "conversation", "perSecond": 1_000, "concurrency": 32})
}

/// What is wrong with the callbacks of all tenants, in words.
pub async fn check(installation: &Installation) -> Vec<String> {
    let mut broken = Vec::new();
    for (tenant, receiver) in installation.tenants.iter().zip(&installation.receivers) {
        broken.extend(delivered(installation, &tenant.id, receiver, DELIVERY_MAX).await);
    }
    broken
}

/// Waits, for so long at most, until everything in the feed of a tenant has reached a receiver. Returns what is wrong.
pub async fn delivered(
    installation: &Installation,
    tenant: &str,
    receiver: &Receiver,
    patience: Duration,
) -> Vec<String> {
    let deadline = Instant::now() + patience;
    loop {
        // First these: whatever came is in the feed by the time that it is read.
        let requests = receiver.requests();
        let entries = feeds::read(installation, tenant, &mut Vec::new()).await;
        let came: BTreeSet<&str> = requests.iter().filter_map(id).collect();
        let missing = entries.iter().filter(|entry| !came.contains(entry.id.as_str())).count();
        if missing == 0 {
            return look_at(tenant, &entries, &requests);
        }
        if Instant::now() > deadline {
            let all = entries.len();
            return vec![format!(
                "{missing} of {all} entries did not reach the endpoint of {tenant}"
            )];
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn id(request: &ReceivedRequest) -> Option<&str> {
    request.header("webhook-id")
}

fn look_at(tenant: &str, entries: &[Entry], requests: &[ReceivedRequest]) -> Vec<String> {
    let places: BTreeMap<&str, usize> = (0..)
        .zip(entries)
        .map(|(place, entry)| (entry.id.as_str(), place))
        .collect();
    let (mut broken, mut came, mut latest) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
    for request in requests {
        let owner = serde_json::from_slice::<Value>(&request.body).unwrap_or_default()["tenantId"].clone();
        let Some(place) = id(request).and_then(|id| places.get(id)).filter(|_| owner == tenant) else {
            broken.push(format!("{:?} of {owner} came to the endpoint of {tenant}", id(request)));
            continue;
        };
        let Some(conversation) = &entries[*place].conversation else {
            continue;
        };
        if !came.insert(place) {
            continue;
        }
        if let Some(before) = latest.insert(conversation, place)
            && before > place
        {
            broken.push(format!(
                "the endpoint of {tenant} got place {before} before {place} of {conversation}"
            ));
        }
    }
    broken
}
