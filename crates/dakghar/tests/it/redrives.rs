//! Redrives by filter through the whole product: dry run, kill -9 in the middle, pause, the command line.

use std::collections::BTreeMap;

use dakghar_graph_sim::{Fault, FaultRule, Match};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_redrive_by_code_sends_each_chosen_message_once_whatever_is_killed,
    a_pause_holds_a_resume_goes_on_and_a_cancellation_ends,
    the_shell_looks_asks_and_shows_the_end,
);

/// Cannot be reached.
const UNREACHABLE: u32 = 131_026;
/// Has not written for long.
const SILENT: u32 = 131_047;

/// So many messages of a number, each to a person of its own, which Meta refuses for good with this code.
async fn refused(product: &Product, tenant: &Tenant, number: &str, code: u32, count: usize) -> Vec<String> {
    let mut rule = FaultRule::always(Fault::graph_error(code));
    rule.when = Match {
        phone_number_id: Some(number.to_owned()),
        text_contains: Some(format!("refuse {code}")),
        ..Match::default()
    };
    product.sim.add_rule(rule);
    let path = format!("/tenants/{}/send", tenant.id);
    let send = async |n: usize| {
        let body = json!({"to": format!("+91911111{n:04}"), "text": format!("refuse {code}"), "from": number});
        text(&product.post(&path, body).await["messageId"])
    };
    let ids = join_all((0..count).map(send)).await;
    for id in &ids {
        product.until_status(tenant, id, "failed").await;
    }
    ids
}

/// A tenant with these numbers, which send fast.
async fn tenant(product: &Product, numbers: &[&str]) -> Tenant {
    let tenant = product.fast_tenant(numbers[0]).await;
    for number in &numbers[1..] {
        let body = json!({"phoneNumberId": number, "messagesPerSecond": 2_000});
        product
            .post(&format!("/tenants/{}/phone-numbers", tenant.id), body)
            .await;
    }
    tenant
}

/// How often Meta was called for each message, and how often it accepted.
fn calls(product: &Product, ids: &[String]) -> Vec<(u64, u64)> {
    let of = |counts: BTreeMap<String, u64>, id: &str| {
        let of_message = counts.iter().filter(|(opaque, _)| opaque.split('.').nth(1) == Some(id));
        of_message.map(|(_, count)| count).sum()
    };
    let count = |id: &String| (of(product.sim.call_counts(), id), of(product.sim.accepted_counts(), id));
    ids.iter().map(count).collect()
}

async fn until(product: &Product, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let reached = eventually(async || is_so(&product.get(path).await)).await;
    let redrive = product.get(path).await;
    assert!(reached, "{redrive:#}");
    redrive
}

async fn a_redrive_by_code_sends_each_chosen_message_once_whatever_is_killed(backend: Backend) {
    let mut product = Product::start(backend).await;
    let ours = tenant(&product, &["111", "222"]).await;
    let theirs = tenant(&product, &["333"]).await;
    let mut chosen = refused(&product, &ours, "111", UNREACHABLE, 30).await;
    chosen.extend(refused(&product, &ours, "222", UNREACHABLE, 30).await);
    let mut others = refused(&product, &ours, "111", SILENT, 8).await;
    others.extend(refused(&product, &theirs, "333", UNREACHABLE, 8).await);
    product.sim.clear_rules();

    // Nothing is called for while processes are killed: a call that is cut off may stay in doubt for long.
    product.post(&format!("/tenants/{}/pause", ours.id), json!({})).await;
    let is_held = async || {
        let id = product.send(&ours, "+919000000000").await;
        eventually(async || product.message(&ours, &id).await["status"] != "queued").await;
        product.message(&ours, &id).await["status"] == "held"
    };
    assert!(eventually(is_held).await);

    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    let filter = json!({"code": UNREACHABLE, "perSecond": 20});
    let mut dry = filter.clone();
    dry["dryRun"] = json!(true);
    let preview = product.post(&path, dry).await;
    assert_eq!(
        (&preview["redrivable"], &preview["complete"]),
        (&json!(60), &json!(true))
    );
    let numbers: BTreeMap<String, u64> = preview["byPhoneNumber"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (text(&of["phoneNumberId"]), of["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        numbers,
        BTreeMap::from([("111".to_owned(), 30), ("222".to_owned(), 30)])
    );
    assert_eq!(preview["byCause"][0]["code"], UNREACHABLE);

    let redrive = product.post(&path, filter).await;
    assert_eq!((&redrive["total"], &redrive["status"]), (&json!(60), &json!("running")));
    let one = format!("/tenants/{}/dead-letters/redrives/{}", ours.id, text(&redrive["id"]));
    for killed_at in [5, 20, 35] {
        until(&product, &one, |redrive| {
            redrive["redriven"].as_u64() >= Some(killed_at)
        })
        .await;
        product.restart().await;
    }
    let done = until(&product, &one, |redrive| redrive["status"] == "done").await;
    assert_eq!(
        (&done["redriven"], &done["skipped"], &done["failed"]),
        (&json!(60), &json!(0), &json!(0))
    );
    assert_eq!(calls(&product, &chosen), vec![(1, 0); 60]);
    product.post(&format!("/tenants/{}/resume", ours.id), json!({})).await;
    for id in &chosen {
        let message = product.until_status(&ours, id, "delivered").await;
        let timeline = message["timeline"].as_array().unwrap();
        let redriven: Vec<_> = timeline.iter().filter(|entry| entry["event"] == "redriven").collect();
        assert_eq!(redriven.len(), 1, "{message:#}");
        assert_eq!(redriven[0]["redriveId"], redrive["id"]);
    }
    assert_eq!(
        calls(&product, &chosen),
        vec![(2, 1); 60],
        "refused once, then accepted once"
    );
    assert_eq!(calls(&product, &others), vec![(1, 0); 16]);
    for id in &others[8..] {
        assert_eq!(product.message(&theirs, id).await["status"], "failed");
    }
    let left = product.get("/dead-letters?limit=200").await;
    assert_eq!(left["data"].as_array().map(Vec::len), Some(16));
}

async fn a_pause_holds_a_resume_goes_on_and_a_cancellation_ends(backend: Backend) {
    let mut product = Product::start(backend).await;
    let ours = tenant(&product, &["111"]).await;
    let theirs = tenant(&product, &["333"]).await;
    let letters = refused(&product, &ours, "111", UNREACHABLE, 24).await;
    let of_theirs = refused(&product, &theirs, "333", UNREACHABLE, 3).await;
    product.sim.clear_rules();

    let begin = |tenant: &Tenant| format!("/tenants/{}/dead-letters/redrive", tenant.id);
    let one = |tenant: &Tenant, redrive: &Value| {
        format!("/tenants/{}/dead-letters/redrives/{}", tenant.id, text(&redrive["id"]))
    };
    let redrive = product.post(&begin(&ours), json!({"perSecond": 4})).await;
    let path = one(&ours, &redrive);
    until(&product, &path, |redrive| redrive["redriven"].as_u64() >= Some(2)).await;
    product.post(&format!("{path}/pause"), json!({})).await;
    // Another tenant's goes on beside it, also after a restart; by its end the batch under way is over.
    product.restart().await;
    let other = product.post(&begin(&theirs), json!({})).await;
    until(&product, &one(&theirs, &other), |redrive| redrive["status"] == "done").await;
    let paused = product.get(&path).await;
    assert_eq!(paused["status"], "paused");
    let other = product.post("/dead-letters/redrive", json!({"code": 1})).await;
    let of_all = format!("/dead-letters/redrives/{}", text(&other["id"]));
    until(&product, &of_all, |redrive| redrive["status"] == "done").await;
    assert_eq!(product.get(&path).await, paused, "nothing moves");
    assert!(paused["redriven"].as_u64() < Some(24), "{paused:#}");

    let resumed = product.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(resumed["status"], "running");
    let before = paused["redriven"].as_u64();
    until(&product, &path, |redrive| redrive["redriven"].as_u64() > before).await;
    product.post(&format!("{path}/cancel"), json!({})).await;
    let other = product.post("/dead-letters/redrive", json!({"code": 1})).await;
    let of_all = format!("/dead-letters/redrives/{}", text(&other["id"]));
    until(&product, &of_all, |redrive| redrive["status"] == "done").await;
    let cancelled = product.get(&path).await;
    let sent_again = cancelled["redriven"].as_u64().unwrap();
    assert!(cancelled["status"] == "cancelled" && sent_again < 24, "{cancelled:#}");
    let mut redriven = 0;
    for id in &letters {
        let message = product.message(&ours, id).await;
        let timeline = message["timeline"].as_array().unwrap();
        redriven += timeline.iter().filter(|entry| entry["event"] == "redriven").count();
    }
    assert_eq!(u64::try_from(redriven), Ok(sent_again), "{cancelled:#}");
    // One whose call was under way at the kill may have to wait for evidence.
    let is_any_twice = calls(&product, &letters).iter().any(|(_, accepted)| *accepted > 1);
    assert!(!is_any_twice, "accepted twice");
    let are_sent = eventually(async || calls(&product, &of_theirs) == vec![(2, 1); 3]).await;
    assert!(are_sent, "{:?}", calls(&product, &of_theirs));
}

async fn the_shell_looks_asks_and_shows_the_end(backend: Backend) {
    let product = Product::start(backend).await;
    let ours = tenant(&product, &["111", "222"]).await;
    let letters = refused(&product, &ours, "111", UNREACHABLE, 3).await;
    refused(&product, &ours, "222", SILENT, 2).await;
    product.sim.clear_rules();
    let redrive = |more: &[&str]| product.run(&[&["dead-letter", "redrive"], more].concat());

    let (code, out, err) = redrive(&["--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("5 would be sent again"), "{out}");
    for cell in ["131026", "131047", "111", "222", &letters[0], &ours.id] {
        assert!(out.contains(cell), "{cell} is missing: {out}");
    }
    let code_text = UNREACHABLE.to_string();
    let chosen = [
        "--tenant", &ours.id, "--number", "111", "--code", &code_text, "--status", "failed",
    ];
    let (code, out, err) = redrive(&chosen);
    assert!(code == Some(1) && err.contains("--yes"), "{out}{err}");
    assert!(out.contains("3 would be sent again"), "{out}");
    let (_, none, _) = product.run(&["dead-letter", "redrives"]);
    assert_eq!(none.trim(), "no redrives");

    let (code, out, err) = redrive(&[&chosen[..], &["--yes"]].concat());
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("is done: 3 sent again, 0 skipped"), "{out}");
    for id in &letters {
        product.until_status(&ours, id, "delivered").await;
    }
    let (_, list, _) = product.run(&["dead-letter", "redrives", "--tenant", &ours.id]);
    assert!(list.contains("3 of 3") && list.contains("code=131026"), "{list}");
    let id = list
        .lines()
        .nth(1)
        .and_then(|row| row.split_whitespace().next())
        .expect("an id");
    let (code, _, err) = product.run(&["dead-letter", "pause", id]);
    assert!(code == Some(1) && err.contains("It is done"), "{err}");
    let (code, out, _) = product.run(&["dead-letter", "watch", id]);
    assert!(code == Some(0) && out.contains("is done"), "{out}");

    let (code, out, err) = redrive(&[&chosen[..], &["--yes"]].concat());
    assert_eq!((code, out.trim()), (Some(0), "0 would be sent again"), "{err}");
    for (wrong, exit, says) in [
        (&["--reason", "whim"][..], 64, "outcome_unknown"),
        (&["--per-second", "0"], 64, "1..=1000"),
        (&["--from", "yesterday"], 1, "is not a time"),
        (&["--number", "+91"], 1, "1 to 20 digits"),
        (
            &["--tenant", &ours.id, &ours.id, &letters[0]],
            64,
            "cannot be used with",
        ),
        (&[&ours.id], 64, "MESSAGE_ID"),
    ] {
        let (code, _, err) = redrive(wrong);
        assert!(code == Some(exit) && err.contains(says), "{wrong:?}: {code:?} {err}");
    }
}
