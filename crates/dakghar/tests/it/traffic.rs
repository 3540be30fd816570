//! Random webhooks of several tenants, with everything that Meta posts: every leaf of them is found again through the
//! API, at the right tenant and at no other.
//!
//! `BATCHES=10000` posts as many, `SEED=7` others.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dakghar_graph_sim::{Mixture, Number, Outcome, SentMessage, StatusPlan};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    every_leaf_of_random_webhooks_is_found_at_its_tenant_and_nowhere_else,
    bodies_as_large_as_meta_makes_them_are_stored_within_bounded_memory,
);

/// Bodies unless `BATCHES` says otherwise: what takes some seconds.
const BATCHES: usize = 150;
/// Requests of a test under way at a time.
const UNDER_WAY: usize = 8;
/// Messages that each number has sent.
const SENT: usize = 20;
/// Bytes from which on a leaf says whose it is: short ones, such as a count, are the same by chance.
const TELLING: usize = 8;
/// The place of what belongs to nobody.
const NOBODY: &str = "nobody";

/// A number, its account, and the name of its tenant.
const NUMBERS: [(&str, &str, &str); 4] = [
    ("111", "9001", "a"),
    ("222", "9002", "b"),
    ("333", "9002", "c"),
    ("444", "9003", "a"),
];

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn numbers() -> Vec<Number> {
    let number = |(phone_number_id, waba_id, _): &(&str, &str, &str)| Number {
        waba_id: (*waba_id).to_owned(),
        ..Number::derived(phone_number_id)
    };
    NUMBERS.iter().map(number).collect()
}

/// An installation with the tenants of all numbers.
async fn installation(backend: Backend) -> (Product, BTreeMap<&'static str, Tenant>) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let mut tenants: BTreeMap<&str, Tenant> = BTreeMap::new();
    for (number, (.., name)) in numbers().into_iter().zip(NUMBERS) {
        let mut body = json!({"phoneNumberId": number.phone_number_id, "accessToken": "EAAG-real",
            "wabaId": number.waba_id, "displayPhoneNumber": number.display_phone_number});
        if let Some(tenant) = tenants.get(name) {
            product
                .post(&format!("/tenants/{}/phone-numbers", tenant.id), body)
                .await;
        } else {
            body["name"] = json!(name);
            let answer = product.post("/tenants/register", body).await;
            let tenant = Tenant {
                id: text(&answer["tenantId"]),
                api_key: text(&answer["apiKey"]),
            };
            tenants.insert(name, tenant);
        }
        product.sim.set_number(number);
    }
    (product, tenants)
}

/// Sends some messages from every number, and returns them as Meta knows them.
async fn sent_messages(product: &Product, tenants: &BTreeMap<&str, Tenant>) -> Vec<SentMessage> {
    for (number, _, name) in NUMBERS {
        let tenant = &tenants[name];
        let path = format!("/tenants/{}/send", tenant.id);
        let send = |n: usize| {
            // To people of its own, of whom no webhook tells at another tenant.
            let body = json!({"from": number, "to": format!("+1777{number}{n:04}"), "text": "hello"});
            product.post(&path, body)
        };
        let accepted: Vec<Value> = stream::iter(0..SENT)
            .map(send)
            .buffer_unordered(UNDER_WAY)
            .collect()
            .await;
        for message in accepted {
            product.until_status(tenant, &text(&message["messageId"]), "sent").await;
        }
    }
    let calls = product.sim.journal().into_iter();
    let sent = calls.filter_map(|call| match call.outcome {
        Outcome::Accepted { wamid } => Some(SentMessage {
            phone_number_id: call.phone_number_id,
            wamid,
            to: call.to?.trim_start_matches('+').to_owned(),
            biz_opaque: call.biz_opaque,
        }),
        _ => None,
    });
    let mut sent: Vec<SentMessage> = sent.collect();
    // They were sent at the same time, in any order; a seed is to choose the same ones again.
    sent.sort_by(|one, other| one.to.cmp(&other.to));
    sent
}

/// A leaf, by its hash: there are millions.
type Leaf = u64;

/// Calls `with` with every text, number and truth value in a value.
fn leaves(value: &Value, with: &mut impl FnMut(&str)) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, with)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, with)),
        Value::String(text) => with(text),
        Value::Null => {}
        other => with(&other.to_string()),
    }
}

fn leaf(text: &str) -> Leaf {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Where the leaves of what was posted must be, and where each may be.
#[derive(Default)]
struct Expected {
    musts: BTreeMap<String, BTreeMap<Leaf, String>>,
    may: BTreeMap<Leaf, BTreeSet<String>>,
}

impl Expected {
    /// Notes a part that must be at each of `owners`.
    fn note(&mut self, part: &Value, owners: &[&str]) {
        leaves(part, &mut |text| {
            for owner in owners {
                let must = self.musts.entry((*owner).to_owned()).or_default();
                must.entry(leaf(text))
                    .or_insert_with(|| text.chars().take(120).collect());
                self.may.entry(leaf(text)).or_default().insert((*owner).to_owned());
            }
        });
    }

    /// Notes a part that need not be anywhere.
    fn allow(&mut self, part: &Value, owners: &[&str]) {
        leaves(part, &mut |text| {
            let may = self.may.entry(leaf(text)).or_default();
            may.extend(owners.iter().map(|owner| (*owner).to_owned()));
        });
    }

    fn note_body(&mut self, body: &[u8], sent: &BTreeSet<&str>) {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        for entry in body["entry"].as_array().expect("entries") {
            for change in entry["changes"].as_array().expect("changes") {
                self.note_change(text(&entry["id"]).as_str(), change, sent);
            }
        }
    }

    fn note_change(&mut self, account: &str, change: &Value, sent: &BTreeSet<&str>) {
        let value = &change["value"];
        let of_number = |id: &Value| NUMBERS.iter().find(|(number, ..)| id == number).map(|(.., name)| *name);
        let named = [
            &value["metadata"]["phone_number_id"],
            &value["phone_number_settings"]["phone_number_id"],
        ];
        let digits = |known: &&(&str, &str, &str)| {
            value["display_phone_number"] == json!(Number::derived(known.0).display_phone_number)
        };
        let by_digits = NUMBERS.iter().find(digits).map(|(.., name)| *name);
        let by_account = NUMBERS
            .iter()
            .filter(|(_, waba, _)| *waba == account)
            .map(|(.., name)| *name);
        let mut owners: BTreeSet<&str> = named
            .into_iter()
            .find_map(of_number)
            .or(by_digits)
            .into_iter()
            .collect();
        if owners.is_empty() {
            owners = by_account.collect();
        }
        if owners.is_empty() {
            owners.insert(NOBODY);
        }
        let owners: Vec<&str> = owners.into_iter().collect();
        let mut rest = change.clone();
        if change["field"] == "messages"
            && let Some(statuses) = rest["value"].get_mut("statuses").map(Value::take)
        {
            // A status of a message that nobody sent is the operator's.
            for status in statuses.as_array().expect("statuses") {
                let is_ours = status["id"].as_str().is_some_and(|id| sent.contains(id));
                self.note(status, if is_ours { &owners } else { &[NOBODY] });
            }
            // So is what Meta says of the one whom it reached, where it says nothing else.
            for contact in rest["value"]["contacts"].as_array_mut().into_iter().flatten() {
                if contact.get("profile").is_none() {
                    self.allow(&contact.take(), &owners);
                }
            }
        }
        self.note(&rest, &owners);
    }

    /// Tells what is missing, and what is at somebody who must not have it.
    fn differences(&self, found: &BTreeMap<String, BTreeMap<Leaf, String>>) -> (Vec<String>, Vec<String>) {
        let (mut lost, mut leaked) = (Vec::new(), Vec::new());
        for (place, musts) in &self.musts {
            for (leaf, text) in musts {
                if !found[place].contains_key(leaf) {
                    lost.push(format!("{place}: {text}"));
                }
            }
        }
        for (place, seen) in found.iter().filter(|(place, _)| *place != NOBODY) {
            for (leaf, text) in seen.iter().filter(|(_, text)| text.len() >= TELLING) {
                if self.may.get(leaf).is_some_and(|may| !may.contains(place)) {
                    leaked.push(format!("{place}: {text}"));
                }
            }
        }
        (lost, leaked)
    }
}

/// All items of a list, page by page.
async fn all(product: &Product, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = product.get(&format!("{path}?limit=200{cursor}")).await;
        items.extend(page["data"].as_array().expect("a list").iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// What the API shows of a tenant, everywhere.
async fn seen_by(product: &Product, tenant: &Tenant) -> BTreeMap<Leaf, String> {
    let mut seen = BTreeMap::new();
    let mut look = |value: &Value| {
        leaves(value, &mut |text| {
            seen.entry(leaf(text))
                .or_insert_with(|| text.chars().take(120).collect());
        });
    };
    let path = |of: &str| format!("/tenants/{}/{of}", tenant.id);
    for list in ["events", "conversations", "people"] {
        all(product, &path(list)).await.iter().for_each(&mut look);
    }
    let messages = all(product, &path("messages")).await;
    let mut whole = stream::iter(messages)
        .map(|message| {
            let path = path(&format!("messages/{}?raw=true", text(&message["id"])));
            async move { product.get(&path).await }
        })
        .buffer_unordered(UNDER_WAY);
    while let Some(message) = whole.next().await {
        look(&message);
    }
    seen
}

async fn every_leaf_of_random_webhooks_is_found_at_its_tenant_and_nowhere_else(backend: Backend) {
    let (product, tenants) = installation(backend).await;
    let sent = sent_messages(&product, &tenants).await;
    let mixture = Mixture {
        seed: setting("SEED", 1) as u64,
        bodies: setting("BATCHES", BATCHES),
        ..Mixture::default()
    };
    let now = jiff::Timestamp::now().as_second();
    let wamids: BTreeSet<&str> = sent.iter().map(|sent| &*sent.wamid).collect();
    let mut expected = Expected::default();
    let bodies = mixture.bodies(numbers(), sent.clone(), now).map(|planned| {
        expected.note_body(&planned.body, &wamids);
        planned.body.to_vec()
    });
    let mut answers = stream::iter(bodies)
        .map(|body| product.sim.post_webhook_raw(body))
        .buffer_unordered(UNDER_WAY);
    let mut posts = 0;
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.expect("an answer"), 200);
        posts += 1;
    }
    drop(answers);
    let mut found = BTreeMap::new();
    for (name, tenant) in &tenants {
        found.insert((*name).to_owned(), seen_by(&product, tenant).await);
    }
    let mut of_nobody = BTreeMap::new();
    for event in all(&product, "/unrouted").await {
        leaves(&event, &mut |text| {
            of_nobody.insert(leaf(text), String::new());
        });
    }
    found.insert(NOBODY.to_owned(), of_nobody);
    for list in ["messages", "events"] {
        let items = all(&product, &format!("/tenants/{}/{list}", tenants["a"].id)).await;
        let delays: Vec<u64> = items.iter().filter_map(|item| item["delayMs"].as_u64()).collect();
        assert!(
            delays.iter().any(|delay| *delay > 3_600_000),
            "{list} are told late: {delays:?}"
        );
        assert!(
            delays.iter().any(|delay| *delay < 600_000),
            "{list} are told at once: {delays:?}"
        );
    }
    let (lost, leaked) = expected.differences(&found);
    let musts: usize = expected.musts.values().map(BTreeMap::len).sum();
    println!(
        "{posts} posts, {musts} leaves, {} lost, {} leaked",
        lost.len(),
        leaked.len()
    );
    assert!(
        lost.is_empty(),
        "{} lost: {:#?}",
        lost.len(),
        &lost[..lost.len().min(20)]
    );
    assert!(
        leaked.is_empty(),
        "{} leaked: {:#?}",
        leaked.len(),
        &leaked[..leaked.len().min(20)]
    );
}

/// The most memory that the process has used so far, in bytes.
fn peak_bytes(product: &Product) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", product.pid())).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    let kibibytes: String = line.chars().filter(char::is_ascii_digit).collect();
    kibibytes.parse::<u64>().expect("a number") * 1024
}

async fn bodies_as_large_as_meta_makes_them_are_stored_within_bounded_memory(backend: Backend) {
    /// What a process may use beyond what it had: the bounds of ARCHITECTURE.md for webhooks, their commits, and the work
    /// on a body while it is taken apart.
    const GROWTH_MAX: u64 = 128 * 1024 * 1024;
    let (product, tenants) = installation(backend).await;
    let before = peak_bytes(&product);
    let mixture = Mixture {
        bodies: 12,
        large: 1.0,
        kinds: ["text", "image", "order", "from_an_ad"].map(str::to_owned).into(),
        repeats: 0.0,
        regrouped: 0.0,
        ..Mixture::default()
    };
    let now = jiff::Timestamp::now().as_second();
    let planned: Vec<_> = mixture.bodies(numbers(), Vec::new(), now).collect();
    assert!(planned.iter().any(|planned| planned.updates == 1_000));
    assert!(planned.iter().any(|planned| planned.body.len() > 2_500_000));
    let messages: usize = planned.iter().map(|planned| planned.updates).sum();
    for planned in &planned {
        let answer = product.sim.post_webhook_raw(planned.body.to_vec()).await;
        assert_eq!(answer.expect("an answer"), 200);
    }
    // And again, all at once: what is too much for the moment is refused, so that it comes once more.
    // A slow machine may need longer for that many than Meta waits, and then it comes once more, too.
    let answers: Vec<_> = stream::iter(planned)
        .map(|planned| product.sim.post_webhook_raw(planned.body.to_vec()))
        .buffer_unordered(UNDER_WAY)
        .filter_map(async |answer| answer.ok())
        .collect()
        .await;
    assert!(answers.iter().all(|answer| [200, 503].contains(answer)), "{answers:?}");
    assert!(answers.contains(&200), "{answers:?}");
    let growth = peak_bytes(&product).saturating_sub(before);
    let mut stored = 0;
    for tenant in tenants.values() {
        stored += all(&product, &format!("/tenants/{}/messages", tenant.id)).await.len();
    }
    assert_eq!(stored, messages);
    println!("{messages} messages, {growth} bytes more");
    assert!(growth < GROWTH_MAX, "{growth} bytes more than before");
}
