//! A message on its way out: accepted once, called once, and what becomes of it when Meta objects.

use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, Match, StatusPlan};
use futures_util::future::join_all;
use serde_json::json;

use crate::product::{ADMIN_KEY, Backend, NOBODY, Product, Setup, eventually, on_both_backends, text, unavailable};

on_both_backends!(
    a_message_is_sent_delivered_and_read,
    fifty_requests_with_one_key_are_one_message_and_one_call,
    a_key_with_other_content_is_a_conflict,
    every_number_of_a_tenant_can_send,
    transient_refusals_are_retried_five_times_and_then_redriven,
    a_final_refusal_fails_with_advice,
    a_dead_token_holds_the_number_until_it_is_replaced,
    a_lost_answer_is_settled_by_the_status_webhook,
    a_lost_answer_without_webhook_ends_by_policy,
    statuses_of_any_later_call_end_a_doubt,
    statuses_that_come_before_their_answers_end_a_doubt_too,
    a_status_before_the_answer_changes_nothing,
    a_pause_holds_and_a_resume_sends,
    a_message_for_later_can_be_cancelled,
    an_expired_message_can_be_sent_again,
    a_repetition_finds_its_message_after_its_time,
    a_number_keeps_its_pace_and_does_not_delay_others,
    a_number_that_meta_slows_down_loses_no_message,
    a_pair_that_meta_slows_down_delays_no_other_person,
    a_number_that_changes_hands_brings_no_backlog,
);

async fn a_message_is_sent_delivered_and_read(backend: Backend) {
    // Later than the answer is stored: a status that comes before it is the subject of another test.
    let statuses = StatusPlan {
        sent_ms: Some(1_000),
        delivered_ms: Some(1_010),
        read_ms: Some(1_020),
        ..StatusPlan::immediate()
    };
    let product = Setup::on(backend).statuses(statuses).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &id, "read").await;
    assert_eq!(message["attempts"], 1);
    assert_eq!(message["to"], "+919111111111");
    assert_eq!(message["content"], json!({"body": "hello"}));
    let events: Vec<_> = message["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| text(&entry["event"]))
        .collect();
    assert_eq!(events[0], "accepted");
    assert!(
        events.contains(&"attempt".to_owned()) && events.contains(&"status".to_owned()),
        "{message:#}"
    );
    let calls = product.sim.journal();
    assert_eq!(calls.len(), 1);
    let conversations = product
        .until_count(&format!("/tenants/{}/conversations", tenant.id), 1)
        .await;
    let conversation = text(&conversations[0]["id"]);
    let messages = product
        .get(&format!("/tenants/{}/conversations/{conversation}/messages", tenant.id))
        .await;
    assert_eq!(messages["data"][0]["id"], json!(id));
}

async fn fifty_requests_with_one_key_are_one_message_and_one_call(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let url = product.url(&format!("/tenants/{}/send", tenant.id));
    let body = json!({"to": "+919111111111", "text": "once", "idempotency_key": "order-1"});
    let answers = join_all((0..50).map(|_| async {
        let answer = product
            .http
            .post(&url)
            .bearer_auth(&tenant.api_key)
            .json(&body)
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<serde_json::Value>().await.unwrap(),
        )
    }))
    .await;
    let id = text(&answers[0].1["messageId"]);
    assert!(
        answers.iter().all(|(_, body)| body["messageId"] == json!(id)),
        "{answers:?}"
    );
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 202).count(),
        1,
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 49);
    product.until_status(&tenant, &id, "delivered").await;
    let listed = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(product.sim.journal().len(), 1);
}

async fn a_key_with_other_content_is_a_conflict(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let other = product.tenant("222", "mock_b").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let first = product
        .post(
            &path,
            json!({"to": "+919111111111", "text": "a", "idempotencyKey": "k"}),
        )
        .await;
    let (status, problem) = product
        .call(
            "POST",
            &path,
            Some(json!({"to": "+919111111111", "text": "b", "idempotencyKey": "k"})),
        )
        .await;
    assert_eq!((status, &problem["code"]), (409, &json!("idempotency_key_conflict")));
    let foreign = format!("/tenants/{}/send", other.id);
    let second = product
        .post(
            &foreign,
            json!({"to": "+919111111111", "text": "b", "idempotencyKey": "k"}),
        )
        .await;
    assert_ne!(first["messageId"], second["messageId"]);
    let header = product
        .http
        .post(product.url(&path))
        .bearer_auth(ADMIN_KEY)
        .header("Idempotency-Key", "k")
        .json(&json!({"text": "a", "to": "+919111111111"}))
        .send()
        .await
        .unwrap();
    assert_eq!(
        header.status(),
        200,
        "the header is the same as the field, and the order of fields does not matter"
    );
}

async fn every_number_of_a_tenant_can_send(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .post(
            &format!("/tenants/{}/phone-numbers", tenant.id),
            json!({"phoneNumberId": "112"}),
        )
        .await;
    let path = format!("/tenants/{}/send", tenant.id);
    let by_default = text(&product.post(&path, json!({"to": "+919111111111", "text": "a"})).await["messageId"]);
    let by_name = product
        .post(&path, json!({"to": "+919111111111", "text": "a", "from": "112"}))
        .await;
    product.until_status(&tenant, &by_default, "delivered").await;
    let message = product
        .until_status(&tenant, &text(&by_name["messageId"]), "delivered")
        .await;
    assert_eq!(message["phoneNumberId"], "112");
    let mut numbers: Vec<_> = product
        .sim
        .journal()
        .iter()
        .map(|call| call.phone_number_id.clone())
        .collect();
    numbers.sort();
    assert_eq!(numbers, ["111", "112"]);
    let (status, problem) = product
        .call(
            "POST",
            &path,
            Some(json!({"to": "+919111111111", "text": "a", "from": "999"})),
        )
        .await;
    assert_eq!((status, &problem["code"]), (404, &json!("phone_number_not_found")));
}

async fn transient_refusals_are_retried_five_times_and_then_redriven(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.sim.add_rule(FaultRule::first(7, unavailable()));
    let id = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &id, "dead").await;
    assert_eq!(message["attempts"], 5);
    assert_eq!(message["deadReason"], "attempts_exhausted");
    assert_eq!(message["error"]["code"], 131_016);
    assert_eq!(product.sim.journal().len(), 5);
    let letters = product.get("/dead-letters").await;
    assert_eq!(letters["data"][0]["id"], json!(id));

    let redrive = format!("/tenants/{}/messages/{id}/redrive", tenant.id);
    product.post(&redrive, json!({})).await;
    let message = product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(
        message["attempts"], 8,
        "two more refusals, then the one that went through"
    );
    let counts = product.sim.call_counts();
    assert_eq!(counts.len(), 8, "each call carried an attempt of its own: {counts:?}");
    let (status, problem) = product.call("POST", &redrive, Some(json!({}))).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_redrivable")));
}

async fn a_final_refusal_fails_with_advice(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.sim.add_rule(FaultRule::always(Fault::graph_error(131_047)));
    let id = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &id, "failed").await;
    assert_eq!(
        (&message["attempts"], &message["error"]["code"]),
        (&json!(1), &json!(131_047))
    );
    assert!(!text(&message["error"]["advice"]).is_empty());
    assert_eq!(product.sim.journal().len(), 1, "what cannot succeed is not tried again");
}

async fn a_dead_token_holds_the_number_until_it_is_replaced(backend: Backend) {
    let product = Setup::on(backend).tokens(&["EAAG-new"]).start().await;
    let tenant = product.tenant("111", "EAAG-dead").await;
    let ids: Vec<_> = join_all((0..6).map(|n| {
        let to = format!("+91911111111{n}");
        let (product, tenant) = (&product, &tenant);
        async move { product.send(tenant, &to).await }
    }))
    .await;
    for id in &ids {
        let message = product.until_status(&tenant, id, "held").await;
        assert_eq!(message["holdReason"], "credentials_invalid");
    }
    let held = async || {
        let tenant = product.get(&format!("/tenants/{}", tenant.id)).await;
        tenant["phoneNumbers"][0]["hold"]["reason"] == "credentials_invalid"
    };
    assert!(
        eventually(held).await,
        "{}",
        product.get(&format!("/tenants/{}", tenant.id)).await
    );
    let before = product.sim.journal().len();
    let late = product.send(&tenant, "+919111111119").await;
    product.until_status(&tenant, &late, "held").await;
    assert_eq!(product.sim.journal().len(), before, "a number on hold does not call");

    let (status, body) = product
        .call(
            "PUT",
            &format!("/tenants/{}/access-token", tenant.id),
            Some(json!({"accessToken": "EAAG-new"})),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    for id in ids.iter().chain([&late]) {
        product.until_status(&tenant, id, "delivered").await;
    }
}

async fn a_lost_answer_is_settled_by_the_status_webhook(backend: Backend) {
    let statuses = StatusPlan {
        read_ms: None,
        ..StatusPlan::immediate()
    };
    let product = Setup::on(backend).statuses(statuses).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .sim
        .add_rule(FaultRule::always(Fault::ResetAfterBody { accept: true }));
    product.sim.set_webhook_url(NOBODY);
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "in_doubt").await;
    product.sim.set_webhook_url(&product.url("/whatsapp/webhook"));
    let message = product.until_status(&tenant, &id, "delivered").await;
    assert!(text(&message["wamid"]).starts_with("wamid."));
    assert_eq!(product.sim.journal().len(), 1, "it was not sent a second time");
}

async fn a_lost_answer_without_webhook_ends_by_policy(backend: Backend) {
    let product = Setup::on(backend)
        .statuses(StatusPlan::none())
        .env("UNKNOWN_OUTCOME_GRACE_MS", 300)
        .env("UNKNOWN_OUTCOME_MAX_MS", 900)
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.sim.add_rule(FaultRule::first(3, Fault::HtmlBadGateway));
    let path = format!("/tenants/{}/send", tenant.id);
    let send = async |policy: &str| {
        let body = json!({"to": "+919111111111", "text": policy, "unknownOutcome": policy});
        text(&product.post(&path, body).await["messageId"])
    };
    let failed = send("fail").await;
    let message = product.until_status(&tenant, &failed, "dead").await;
    assert_eq!(
        (&message["deadReason"], &message["attempts"]),
        (&json!("outcome_unknown"), &json!(1))
    );
    let automatic = send("auto").await;
    product.until_status(&tenant, &automatic, "dead").await;
    let resent = send("resend").await;
    let message = product.until_status(&tenant, &resent, "sent").await;
    assert_eq!(message["attempts"], 2);

    let redrive = format!("/tenants/{}/messages/{failed}/redrive", tenant.id);
    let (status, problem) = product.call("POST", &redrive, Some(json!({}))).await;
    assert_eq!((status, &problem["code"]), (409, &json!("duplicate_risk_unconfirmed")));
    product.post(&redrive, json!({"confirmDuplicateRisk": true})).await;
    product.until_status(&tenant, &failed, "sent").await;
}

async fn statuses_of_any_later_call_end_a_doubt(backend: Backend) {
    a_later_call_ends_a_doubt(backend, None).await;
}

async fn statuses_that_come_before_their_answers_end_a_doubt_too(backend: Backend) {
    a_later_call_ends_a_doubt(backend, Some(Fault::WebhookBeforeResponse { ms: 500 })).await;
}

async fn a_later_call_ends_a_doubt(backend: Backend, later: Option<Fault>) {
    let product = Setup::on(backend).env("UNKNOWN_OUTCOME_GRACE_MS", 500).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let send_in = async |seconds: u64| {
        let at = (jiff::Timestamp::now() + Duration::from_secs(seconds)).to_string();
        let body = json!({"to": "+919111111112", "text": "later", "sendAt": at});
        text(&product.post(&path, body).await["messageId"])
    };
    // The time until the start of the process is a gap, and a second more for the difference of clocks.
    let called_before = send_in(3).await;
    product.until_status(&tenant, &called_before, "delivered").await;
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::ResetAfterBody { accept: false }));
    let lost = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &lost, "in_doubt").await;
    if let Some(later) = later {
        product.sim.add_rule(FaultRule::always(later));
    }
    // The one that is called later is neither near the lost one nor among the newest.
    join_all((0..250).map(|_| send_in(3600))).await;
    let called_later = send_in(5).await;
    join_all((0..250).map(|_| send_in(3600))).await;
    product.until_status(&tenant, &called_later, "delivered").await;
    let message = product.until_status(&tenant, &lost, "delivered").await;
    assert_eq!(message["attempts"], 2);
}

async fn a_status_before_the_answer_changes_nothing(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .sim
        .add_rule(FaultRule::always(Fault::WebhookBeforeResponse { ms: 500 }));
    let id = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(message["attempts"], 1);
    product.sim.idle().await;
    assert_eq!(product.sim.journal().len(), 1);
    assert_eq!(product.message(&tenant, &id).await["status"], "delivered");
}

async fn a_pause_holds_and_a_resume_sends(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.post(&format!("/tenants/{}/pause", tenant.id), json!({})).await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "held").await;
    assert_eq!(product.message(&tenant, &id).await["holdReason"], "paused_by_operator");
    let resume = format!("/tenants/{}/resume", tenant.id);
    let by_tenant = product.http.post(product.url(&resume)).bearer_auth(&tenant.api_key);
    assert_eq!(by_tenant.send().await.unwrap().status(), 403, "the operator paused it");
    assert!(product.sim.journal().is_empty());
    product.post(&resume, json!({})).await;
    product.until_status(&tenant, &id, "delivered").await;
}

async fn a_message_for_later_can_be_cancelled(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let at = |seconds: u64| (jiff::Timestamp::now() + Duration::from_secs(seconds)).to_string();
    let later = json!({"to": "+919111111111", "text": "later", "sendAt": at(3600)});
    let id = text(&product.post(&path, later).await["messageId"]);
    let soon = json!({"to": "+919111111112", "text": "soon", "sendAt": at(2)});
    let soon = text(&product.post(&path, soon).await["messageId"]);
    let cancel = format!("/tenants/{}/messages/{id}/cancel", tenant.id);
    for _ in 0..2 {
        assert_eq!(product.post(&cancel, json!({})).await["status"], "cancelled");
    }
    product.until_status(&tenant, &soon, "delivered").await;
    let (status, problem) = product
        .call(
            "POST",
            &format!("/tenants/{}/messages/{soon}/cancel", tenant.id),
            Some(json!({})),
        )
        .await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_cancellable")));
    assert_eq!(product.sim.journal().len(), 1);
}

async fn a_repetition_finds_its_message_after_its_time(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.post(&format!("/tenants/{}/pause", tenant.id), json!({})).await;
    let path = format!("/tenants/{}/send", tenant.id);
    let at = (jiff::Timestamp::now() + Duration::from_secs(2)).to_string();
    let body = json!({"to": "+919111111111", "text": "code 1234", "expiresAt": at, "idempotency_key": "login-1"});
    let first = product.post(&path, body.clone()).await;
    product
        .until_status(&tenant, &text(&first["messageId"]), "expired")
        .await;
    let (status, again) = product.call("POST", &path, Some(body.clone())).await;
    let expected = json!({"messageId": first["messageId"], "status": "expired", "duplicate": true});
    assert_eq!((status, again), (200, expected));
    for (field, value, outcome) in [
        ("text", "code 5678", (409, "idempotency_key_conflict")),
        ("idempotency_key", "login-2", (422, "invalid_expires_at")),
    ] {
        let mut other = body.clone();
        other[field] = json!(value);
        let (status, problem) = product.call("POST", &path, Some(other)).await;
        assert_eq!((status, &problem["code"]), (outcome.0, &json!(outcome.1)), "{field}");
    }
}

async fn a_number_keeps_its_pace_and_does_not_delay_others(backend: Backend) {
    let product = Product::start(backend).await;
    let slow = product.tenant("111", "EAAG-real").await;
    let other = product.tenant("222", "EAAG-real").await;
    let (status, body) = product
        .call(
            "PATCH",
            &format!("/tenants/{}/phone-numbers/111", slow.id),
            Some(json!({"messagesPerSecond": 10})),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    // The rate is read at most a second after the change.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let backlog = join_all((0..200).map(|n| {
        let (product, slow) = (&product, &slow);
        async move { product.send(slow, &format!("+91911111{n:04}")).await }
    }))
    .await;
    let single = product.send(&other, "+919111111111").await;
    product.until_status(&other, &single, "delivered").await;
    // 200 messages at less than ten a second need more than twenty: the single one passed nearly all of them.
    let calls = product.sim.journal();
    let before = calls.iter().take_while(|call| call.phone_number_id != "222").count();
    assert!(before < 100, "{before} messages of another tenant went first");
    assert_eq!(
        product.message(&slow, backlog.last().unwrap()).await["status"],
        "queued"
    );
}

/// More refusals than a message has attempts: asked to slow down, none is charged with one.
async fn a_number_that_meta_slows_down_loses_no_message(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let other = product.tenant("222", "EAAG-real").await;
    let slowed = Match {
        phone_number_id: Some("111".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(12, Fault::rate_limited()).when(slowed));
    let first = product.send(&tenant, "+919111111111").await;
    let second = product.send(&tenant, "+919111111112").await;
    let beside = product.send(&other, "+919111111113").await;
    product.until_status(&other, &beside, "delivered").await;
    for id in [&first, &second] {
        product.until_status(&tenant, id, "delivered").await;
    }
    let calls = product.sim.journal();
    assert_eq!(calls.iter().filter(|call| call.phone_number_id == "111").count(), 14);
    assert_eq!(calls.iter().filter(|call| call.phone_number_id == "222").count(), 1);
    assert_eq!(product.get("/dead-letters").await["data"], json!([]));
}

async fn a_pair_that_meta_slows_down_delays_no_other_person(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let to_the_pair = Match {
        to: Some("919111111111".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::pair_rate_limited()).when(to_the_pair));
    let slowed = product.send(&tenant, "+919111111111").await;
    let others = join_all((0..10).map(|n| {
        let (product, tenant) = (&product, &tenant);
        async move { product.send(tenant, &format!("+91922222220{n}")).await }
    }))
    .await;
    for id in &others {
        product.until_status(&tenant, id, "delivered").await;
    }
    let message = product.message(&tenant, &slowed).await;
    assert_eq!(message["status"], "queued", "the others went before it: {message:#}");
    // What goes to the same person later does not overtake it.
    let behind = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &slowed, "delivered").await;
    assert_eq!(message["attempts"], 2);
    let message = product.until_status(&tenant, &behind, "delivered").await;
    assert_eq!(message["attempts"], 1, "{message:#}");
    let calls = product.sim.journal();
    assert_eq!(calls.len(), 13, "one call for each of the others");
}

async fn a_number_that_changes_hands_brings_no_backlog(backend: Backend) {
    let product = Product::start(backend).await;
    let old = product.tenant("333", "EAAG-real").await;
    let body = json!({"phoneNumberId": "111", "messagesPerSecond": 1});
    product.post(&format!("/tenants/{}/phone-numbers", old.id), body).await;
    let send = format!("/tenants/{}/send", old.id);
    join_all((0..200).map(|n| {
        let body = json!({"to": format!("+91911111{n:04}"), "text": "hello", "from": "111"});
        product.post(&send, body)
    }))
    .await;
    let path = format!("/tenants/{}/phone-numbers/111", old.id);
    assert_eq!(product.call("DELETE", &path, None).await.0, 204);
    let new = product.tenant("111", "EAAG-other").await;
    let id = product.send(&new, "+919222222222").await;
    let message = product.message(&new, &id).await;
    // It has no slot any more if it has gone.
    if let Some(slot_at) = message["scheduledAt"].as_str() {
        let slot_at: jiff::Timestamp = slot_at.parse().expect("a time");
        let ahead = slot_at.duration_since(jiff::Timestamp::now());
        assert!(ahead.as_secs() < 5, "{ahead:?}: {message:#}");
    }
    product.until_status(&new, &id, "delivered").await;
}

async fn an_expired_message_can_be_sent_again(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.post(&format!("/tenants/{}/pause", tenant.id), json!({})).await;
    let at = (jiff::Timestamp::now() + Duration::from_secs(4)).to_string();
    let body = json!({"to": "+919111111111", "text": "in time", "expiresAt": at});
    let id = text(&product.post(&format!("/tenants/{}/send", tenant.id), body).await["messageId"]);
    product.until_status(&tenant, &id, "expired").await;
    product.post(&format!("/tenants/{}/resume", tenant.id), json!({})).await;
    assert!(product.sim.journal().is_empty());
    let redrive = format!("/tenants/{}/messages/{id}/redrive", tenant.id);
    let (status, problem) = product.call("POST", &redrive, Some(json!({}))).await;
    assert_eq!((status, &problem["code"]), (409, &json!("message_expired")));
    product.post(&redrive, json!({"ignoreExpiry": true})).await;
    product.until_status(&tenant, &id, "delivered").await;
}
