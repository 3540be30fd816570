//! Redrives that begin by themselves, through the whole product.

use std::collections::BTreeMap;

use dakghar_graph_sim::{Fault, FaultRule};
use serde_json::json;

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    what_used_up_its_attempts_goes_out_by_itself_when_meta_is_well_again,
    what_a_number_left_when_it_went_goes_out_by_itself_when_it_is_back,
    the_shell_shows_and_sets_what_is_sent_again_by_itself,
);

const LETTERS: usize = 20;
/// A failure of Meta's own.
const FAILS: u32 = 131_016;

/// The times that Meta took the message.
fn taken(product: &Product, id: &str) -> u64 {
    let counts: BTreeMap<String, u64> = product.sim.accepted_counts();
    let of_message = counts.iter().filter(|(opaque, _)| opaque.split('.').nth(1) == Some(id));
    of_message.map(|(_, count)| count).sum()
}

async fn letters(product: &Product, tenant: &Tenant) -> Vec<String> {
    product.sim.add_rule(FaultRule::always(Fault::graph_error(FAILS)));
    let mut ids = Vec::new();
    for n in 0..LETTERS {
        ids.push(product.send(tenant, &format!("+91911111{n:04}")).await);
    }
    for id in &ids {
        product.until_status(tenant, id, "dead").await;
    }
    ids
}

async fn what_used_up_its_attempts_goes_out_by_itself_when_meta_is_well_again(backend: Backend) {
    let mut product = Setup::on(backend).env("SEND_ATTEMPTS_MAX", 1).start().await;
    let (ours, theirs) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    let policy = json!({"causes": ["attempts_exhausted"], "perMinute": 6_000});
    let path = format!("/tenants/{}/dead-letters", ours.id);
    let (status, set) = product.call("PUT", &format!("{path}/auto-redrive"), Some(policy)).await;
    let wanted = json!({"causes": ["attempts_exhausted"], "perMinute": 6_000, "maxAgeHours": 24, "timesMax": 1});
    assert_eq!((status, &set), (200, &wanted));
    let (own, others) = (letters(&product, &ours).await, letters(&product, &theirs).await);
    product.sim.clear_rules();
    for tenant in [&ours, &theirs] {
        let works = product.send(tenant, "+919222222222").await;
        product.until_status(tenant, &works, "delivered").await;
    }
    // Whoever is killed meanwhile: the next one goes on.
    product.restart().await;
    for id in &own {
        product.until_status(&ours, id, "delivered").await;
        assert_eq!(taken(&product, id), 1, "{id}");
    }
    let done = product.until_count(&format!("{path}/redrives"), 1).await;
    assert_eq!(text(&done[0]["cause"]), "attempts_exhausted");
    let message = product.message(&ours, &own[0]).await;
    let timeline = message["timeline"].as_array().expect("a list");
    let redriven = timeline
        .iter()
        .find(|entry| entry["event"] == "redriven")
        .expect("sent again");
    assert_eq!(redriven["redriveId"], done[0]["id"], "{message:#}");
    for id in &others {
        assert_eq!(
            product.message(&theirs, id).await["status"],
            "dead",
            "it does not want that"
        );
    }
}

async fn what_a_number_left_when_it_went_goes_out_by_itself_when_it_is_back(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let numbers = format!("/tenants/{}/phone-numbers", tenant.id);
    product.post(&numbers, json!({"phoneNumberId": "112"})).await;
    let policy = json!({"causes": ["number_removed"], "perMinute": 6_000});
    let path = format!("/tenants/{}/dead-letters", tenant.id);
    let (status, _) = product.call("PUT", &format!("{path}/auto-redrive"), Some(policy)).await;
    assert_eq!(status, 200);
    // They wait for their slots.
    let number = format!("{numbers}/111");
    let (status, _) = product
        .call("PATCH", &number, Some(json!({"messagesPerSecond": 1})))
        .await;
    assert_eq!(status, 200);
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(product.send(&tenant, &format!("+91911111{n:04}")).await);
    }
    assert_eq!(product.call("DELETE", &number, None).await.0, 204);
    let last = ids.last().expect("some");
    let dead = product.until_status(&tenant, last, "dead").await;
    assert_eq!(dead["deadReason"], "number_removed", "{dead:#}");
    product
        .post(&numbers, json!({"phoneNumberId": "111", "messagesPerSecond": 1_000}))
        .await;
    for id in &ids {
        product.until_status(&tenant, id, "delivered").await;
        assert_eq!(taken(&product, id), 1, "{id}");
    }
    let redrives = product.until_count(&format!("{path}/redrives"), 1).await;
    assert_eq!(text(&redrives[0]["cause"]), "number_removed");
}

async fn the_shell_shows_and_sets_what_is_sent_again_by_itself(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let run = |arguments: &[&str]| {
        let (code, out, err) = product.run(&[&["dead-letter", "auto-redrive", &tenant.id], arguments].concat());
        assert_eq!(code, Some(0), "{err}");
        out.trim().to_owned()
    };
    let off = "nothing is sent again by itself";
    assert_eq!(run(&[]), off);
    let set = run(&["--causes", "token_refused,attempts_exhausted", "--per-minute", "30"]);
    assert_eq!(
        set,
        "after the end of token_refused, attempts_exhausted: 30 a minute, at most 24 hours old, each 1 times at most"
    );
    assert_eq!(run(&[]), set);
    let path = format!("/tenants/{}/dead-letters/auto-redrive", tenant.id);
    assert_eq!(product.get(&path).await["perMinute"], 30);
    for wrong in [
        json!({}),
        json!({"causes": ["poison"]}),
        json!({"causes": ["token_refused", "token_refused"]}),
        json!({"causes": ["token_refused"], "perMinute": 0}),
        json!({"causes": ["token_refused"], "maxAgeHours": 697}),
        json!({"causes": ["token_refused"], "timesMax": 11}),
    ] {
        let (status, problem) = product.call("PUT", &path, Some(wrong.clone())).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{wrong}");
    }
    let (status, _) = product.call("PUT", &path, Some(json!({"causes": []}))).await;
    assert_eq!((status, run(&[])), (200, off.to_owned()));
    run(&["--causes", "number_removed"]);
    assert_eq!(run(&["--off"]), off);
}
