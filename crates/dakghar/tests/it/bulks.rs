//! `POST /tenants/{tenantId}/send-bulk`, up to Meta.

use std::collections::BTreeSet;

use dakghar_graph_sim::{Outcome, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends};

on_both_backends!(
    a_bulk_is_refused_as_a_whole_or_answered_for_each_of_its_messages,
    a_key_that_is_twice_in_a_bulk_is_called_for_once,
);

async fn start(backend: Backend) -> (Product, Tenant) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.fast_tenant("111").await;
    (product, tenant)
}

/// A message to a person of its own, under a key of its own.
fn message(n: usize) -> Value {
    json!({"to": format!("+9191111{n:05}"), "text": format!("parcel {n}"), "idempotency_key": format!("parcel-{n}")})
}

async fn post(product: &Product, tenant: &Tenant, messages: &[Value]) -> (u16, Value) {
    let path = format!("/tenants/{}/send-bulk", tenant.id);
    product.call("POST", &path, Some(json!(messages))).await
}

/// The HTTP statuses of the results.
fn statuses(answer: &(u16, Value)) -> Vec<u64> {
    let (status, body) = answer;
    assert_eq!(*status, 207, "{body}");
    let results = body["data"].as_array().expect("a list").iter();
    results
        .map(|result| result["httpStatus"].as_u64().expect("a status"))
        .collect()
}

/// Waits until Meta was called so often, and checks that each call was accepted and for another person.
async fn until_called(product: &Product, count: usize) {
    let all = eventually(async || product.sim.journal().len() >= count).await;
    let calls = product.sim.journal();
    assert!(all, "{} of {count} calls", calls.len());
    assert!(
        calls
            .iter()
            .all(|call| matches!(call.outcome, Outcome::Accepted { .. })),
        "{calls:#?}"
    );
    let people: BTreeSet<_> = calls.iter().map(|call| call.to.clone()).collect();
    assert_eq!((calls.len(), people.len()), (count, count));
}

async fn a_bulk_is_refused_as_a_whole_or_answered_for_each_of_its_messages(backend: Backend) {
    let (product, tenant) = start(backend).await;
    for (count, status, code) in [(0, 400, "empty_batch"), (1_001, 413, "batch_too_large")] {
        let messages: Vec<Value> = (0..count).map(message).collect();
        let answer = post(&product, &tenant, &messages).await;
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)));
    }
    let mut messages: Vec<Value> = (0..500).map(message).collect();
    messages[250]["to"] = json!("00911");
    for accepted in [202, 200] {
        let answer = post(&product, &tenant, &messages).await;
        let mut expected = vec![accepted; 500];
        expected[250] = 422;
        assert_eq!(statuses(&answer), expected);
        assert_eq!(answer.1["data"][250]["problem"]["code"], "invalid_to");
        until_called(&product, 499).await;
    }
    // What follows shows that nothing of what was asked for again waits somewhere.
    let last = post(&product, &tenant, &[message(500)]).await;
    assert_eq!(statuses(&last), [202]);
    until_called(&product, 500).await;
}

async fn a_key_that_is_twice_in_a_bulk_is_called_for_once(backend: Backend) {
    let (product, tenant) = start(backend).await;
    let answer = post(&product, &tenant, &[message(1), message(1), message(2)]).await;
    assert_eq!(statuses(&answer), [202, 200, 202]);
    let data = &answer.1["data"];
    assert_eq!(data[0]["messageId"], data[1]["messageId"]);
    assert_eq!(
        (&data[0]["duplicate"], &data[1]["duplicate"]),
        (&json!(false), &json!(true))
    );
    until_called(&product, 2).await;
}
