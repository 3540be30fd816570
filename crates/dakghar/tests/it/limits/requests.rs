//! Requests a second.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dakghar_testkit::Port;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Tenants, ports};
use crate::product::{Backend, Product, Setup, Tenant, on_both_backends};

on_both_backends!(one_tenant_that_asks_too_much_is_held_to_its_limit_and_costs_nine_others_nothing);

/// Few enough that a slow machine can be asked for more.
const PER_SECOND: u32 = 20;
/// One more than four seconds have, so that the last one is in the fifth.
const GRANTED: u32 = 4 * PER_SECOND + 1;

/// Sends a message with the tenant's own key to one of the processes. Answers the status.
async fn send(product: &Product, port: u16, tenant: &Tenant) -> u16 {
    let url = format!("http://127.0.0.1:{port}/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello"});
    let answer = product
        .http
        .post(url)
        .bearer_auth(&tenant.api_key)
        .json(&body)
        .send()
        .await;
    let answer = answer.expect("an answer");
    let headers = answer.headers();
    assert!(headers.contains_key("ratelimit") && headers.contains_key("ratelimit-policy"));
    assert_eq!(headers.contains_key("retry-after"), answer.status() == 429);
    answer.status().as_u16()
}

/// All messages of a tenant that are stored.
async fn stored(product: &Product, tenant: &Tenant) -> usize {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = product
            .get(&format!("/tenants/{}/messages?limit=200{cursor}", tenant.id))
            .await;
        count += page["data"].as_array().expect("a page").len();
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return count,
        }
    }
}

async fn one_tenant_that_asks_too_much_is_held_to_its_limit_and_costs_nine_others_nothing(backend: Backend) {
    let setup = Setup::on(backend).env("REQUESTS_PER_SECOND", PER_SECOND);
    let mut product = setup.start().await;
    let second = Port::claim();
    let ports = ports(&mut product, &second).await;
    let product = &product;
    let Tenants { abuser, others } = Tenants::register(product).await;
    // The abuser is at the beginning of a second.
    let mut accepted = 0;
    let mut told = Vec::new();
    while !told.contains(&429) {
        told = join_all((0..PER_SECOND).map(|_| send(product, ports[0], &abuser))).await;
        accepted += told.iter().filter(|status| **status == 202).count();
    }
    let mut begun = Instant::now();
    while send(product, ports[0], &abuser).await != 202 {
        begun = Instant::now();
    }

    let (granted, refused) = (AtomicU32::new(1), AtomicU32::new(0));
    let abusing = join_all((0..8).map(|task| {
        let port = ports[task % ports.len()];
        let (granted, refused, abuser) = (&granted, &refused, &abuser);
        async move {
            while granted.load(Ordering::SeqCst) < GRANTED {
                match send(product, port, abuser).await {
                    202 => granted.fetch_add(1, Ordering::SeqCst),
                    429 => refused.fetch_add(1, Ordering::SeqCst),
                    other => panic!("the abuser was answered {other}"),
                };
            }
        }
    }));
    let ports = &ports;
    let granted_so_far = &granted;
    let neighbours = join_all(others.iter().map(|tenant| async move {
        let mut sent = 0;
        while granted_so_far.load(Ordering::SeqCst) < GRANTED {
            assert_eq!(send(product, ports[sent % ports.len()], tenant).await, 202);
            sent += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sent
    }));
    let abused = async {
        abusing.await;
        begun.elapsed()
    };
    let (took, sent) = tokio::join!(abused, neighbours);
    let (granted, refused) = (granted.into_inner(), refused.into_inner());
    let rate = f64::from(granted) / took.as_secs_f64();
    println!("{granted} of the abuser went on and {refused} did not in {took:?}: {rate:.1} a second");
    assert!(rate <= f64::from(PER_SECOND) * 1.1, "{rate} a second");
    assert!(refused * 10 > granted, "it hardly asked too much: {refused}");
    for (tenant, sent) in others.iter().zip(sent) {
        assert_eq!(stored(product, tenant).await, sent);
    }
    let granted = usize::try_from(granted).expect("few");
    assert_eq!(
        stored(product, &abuser).await,
        accepted + granted,
        "what was refused is not stored, and what went on is"
    );
}
