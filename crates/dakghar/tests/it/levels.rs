//! Meta's limits, played by the simulated Meta: a number at its level, and one person.

use std::time::Instant;

use dakghar_graph_sim::{JournalEntry, Limits, Outcome, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_number_near_its_level_is_never_refused,
    one_person_gets_all_at_their_pace_and_nobody_else_waits,
);

/// The level of the number, and what is sent of it as soon as its share is learned: 95 %.
const LEVEL: u32 = 40;
const USED: u32 = 38;
const PERSON: &str = "+919111111111";

async fn start(backend: Backend, limits: Limits, messages_per_second: u32) -> (Product, Tenant) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    product.sim.set_limits(limits);
    let body = json!({"name": "Tenant A", "phoneNumberId": "111", "accessToken": "EAAG-real",
        "messagesPerSecond": messages_per_second});
    let answer = product.post("/tenants/register", body).await;
    let tenant = Tenant {
        id: text(&answer["tenantId"]),
        api_key: text(&answer["apiKey"]),
    };
    (product, tenant)
}

async fn send_all(product: &Product, tenant: &Tenant, to: impl Iterator<Item = String>) {
    let items: Vec<Value> = to
        .enumerate()
        .map(|(n, to)| json!({"to": to, "text": format!("no. {n}")}))
        .collect();
    let path = format!("/tenants/{}/send-bulk", tenant.id);
    let answer = product.post(&path, json!(items)).await;
    let results = answer["data"].as_array().expect("results");
    assert!(results.iter().all(|result| result["httpStatus"] == 202), "{answer:#}");
}

fn accepted(product: &Product) -> Vec<JournalEntry> {
    let is_accepted = |entry: &JournalEntry| matches!(entry.outcome, Outcome::Accepted { .. });
    product.sim.journal().into_iter().filter(is_accepted).collect()
}

/// The texts that a person got, in the order in which Meta accepted them.
fn texts(product: &Product, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = accepted(product).into_iter();
    let meant = entries.filter(|entry| entry.to.as_deref().is_some_and(&is_meant));
    meant.map(|entry| text(&entry.body["text"]["body"])).collect()
}

async fn a_number_near_its_level_is_never_refused(backend: Backend) {
    let limits = Limits {
        messages_per_second: LEVEL,
        pairs: false,
    };
    let (product, tenant) = start(backend, limits, LEVEL).await;
    // The share is learned with the first 400.
    let count = 20 * USED;
    let started = Instant::now();
    send_all(&product, &tenant, (0..count).map(|n| format!("+9191{n:08}"))).await;
    let all = count as usize;
    assert!(
        eventually(async || accepted(&product).len() == all).await,
        "{}",
        accepted(&product).len()
    );
    assert_eq!((product.sim.stats().refused, product.sim.journal().len()), (0, all));
    // A slow machine takes longer.
    let took = started.elapsed();
    assert!(took.as_secs() >= 18, "{took:?}");
}

async fn one_person_gets_all_at_their_pace_and_nobody_else_waits(backend: Backend) {
    let limits = Limits {
        messages_per_second: 0,
        pairs: true,
    };
    let (product, tenant) = start(backend, limits, 80).await;
    send_all(&product, &tenant, (0..47).map(|_| PERSON.to_owned())).await;
    send_all(&product, &tenant, (0..20).map(|n| format!("+9192{n:08}"))).await;
    let is_person = |to: &str| PERSON.ends_with(to.trim_start_matches('+'));
    assert!(
        eventually(async || texts(&product, |to| !is_person(to)).len() == 20).await,
        "the others got theirs"
    );
    assert!(texts(&product, is_person).len() < 47, "they did not wait for that one");
    assert!(
        eventually(async || texts(&product, is_person).len() == 47).await,
        "{:?}",
        texts(&product, is_person)
    );
    // Up to here nothing was in its way, and calls ran side by side.
    let late = texts(&product, is_person).split_off(45);
    assert!(late.is_sorted(), "{late:?}");
    assert!(product.sim.stats().refused <= 3, "{}", product.sim.stats().refused);
}
