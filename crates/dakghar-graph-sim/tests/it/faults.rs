//! Every fault, as a client and a receiver meet it.

use dakghar_graph_sim::{Fault, FaultRule, GraphSim, Match, Outcome, SimConfig, StatusPlan};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::sender::{PNID, accepted, client, hasty_client, idle, post, post_with, prompt, quiet, start, text};

/// A simulator with one rule, and its receiver.
async fn with_fault(fault: Fault) -> (GraphSim, Receiver) {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    sim.add_rule(FaultRule::always(fault));
    (sim, receiver)
}

fn is_accepted(sim: &GraphSim) -> bool {
    matches!(sim.journal()[0].outcome, Outcome::Accepted { .. })
}

#[tokio::test]
async fn graph_errors_have_their_code_status_and_headers() {
    for (fault, http, code) in [
        (Fault::rate_limited(), 429, 130_429),
        (Fault::pair_rate_limited(), 429, 131_056),
        (Fault::unknown_error(), 500, 131_000),
        (Fault::token_expired(), 401, 190),
    ] {
        let (sim, _receiver) = with_fault(fault).await;
        let (status, body) = post(&sim, &text("hi", "x")).await;
        assert_eq!((status, body["error"]["code"].as_u64()), (http, Some(code)), "{body}");
        assert!(!is_accepted(&sim));
        assert_eq!(sim.pending_webhooks(), 0);
    }
    let (sim, _receiver) = with_fault(Fault::GraphError {
        code: 4,
        subcode: Some(2_494_055),
        http: Some(400),
        is_transient: Some(true),
        details: Some("wait".to_owned()),
        retry_after_seconds: Some(7),
    })
    .await;
    let response = post_with(&client(), &sim, &text("hi", "x")).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["retry-after"], "7");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["error_subcode"], 2_494_055);
    assert_eq!(body["error"]["is_transient"], true);
    assert_eq!(body["error"]["error_data"]["details"], "wait");
}

#[tokio::test]
async fn an_html_page_is_no_acceptance() {
    let (sim, _receiver) = with_fault(Fault::HtmlBadGateway).await;
    let response = post_with(&client(), &sim, &text("hi", "x")).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(response.text().await.unwrap().contains("<html>"));
    let expected = Outcome::Refused { http: 502, code: None };
    assert_eq!(sim.journal()[0].outcome, expected);
}

#[tokio::test]
async fn garbled_answers_hide_an_acceptance() {
    for fault in [Fault::EmptyBody, Fault::BadJson] {
        let (sim, receiver) = with_fault(fault.clone()).await;
        let response = post_with(&client(), &sim, &text("hi", "x")).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.bytes().await.unwrap();
        assert_eq!(body.is_empty(), fault == Fault::EmptyBody);
        assert!(serde_json::from_slice::<Value>(&body).is_err());
        idle(&sim).await;
        assert_eq!(receiver.statuses().len(), 3);
        assert_eq!(sim.accepted_for("x"), 1);
    }
}

#[tokio::test]
async fn a_timeout_after_acceptance_is_settled_by_statuses() {
    let (sim, receiver) = with_fault(Fault::TimeoutAfterAccept).await;
    let error = post_with(&hasty_client(), &sim, &text("hi", "x")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 3);
    assert_eq!(sim.journal()[0].fault.as_deref(), Some("timeout_after_accept"));
    assert_eq!(sim.calls_for("x"), 1);
}

#[tokio::test]
async fn a_reset_after_the_body_leaves_the_client_in_doubt() {
    for accept in [true, false] {
        let (sim, receiver) = with_fault(Fault::ResetAfterBody { accept }).await;
        let error = post_with(&client(), &sim, &text("hi", "x")).await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        idle(&sim).await;
        assert_eq!(is_accepted(&sim), accept);
        assert_eq!(receiver.statuses().len(), if accept { 3 } else { 0 });
        assert_eq!((sim.calls_for("x"), sim.stats().resets), (1, 1));
    }
}

#[tokio::test]
async fn a_reset_before_the_body_is_read_knows_only_the_number() {
    let sim = quiet().await;
    let when = Match {
        phone_number_id: Some(PNID.to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::first(1, Fault::ResetBeforeRead).when(when));
    let error = post_with(&client(), &sim, &text("hi", "x")).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    accepted(&sim, &text("hi", "y")).await;
    let journal = sim.journal();
    assert_eq!(journal[0].outcome, Outcome::Dropped);
    assert_eq!(journal[0].body, Value::Null);
    assert_ne!(journal[0].connection, journal[1].connection);
}

#[tokio::test]
async fn no_byte_is_answered_before_a_reset() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (sim, _receiver) = with_fault(Fault::ResetAfterBody { accept: true }).await;
    let mut stream = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
    let body = text("hi", "x").to_string();
    let head = format!(
        "POST /v25.0/{PNID}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_reset_spares_other_connections() {
    let (sim, _receiver) = with_fault(Fault::ResetAfterBody { accept: false }).await;
    let slow = Match {
        text_contains: Some("slow".to_owned()),
        ..Match::default()
    };
    sim.clear_rules();
    sim.add_rule(FaultRule::always(Fault::Slow { ms: 200 }).when(slow));
    sim.add_rule(FaultRule::always(Fault::ResetAfterBody { accept: false }));
    let client = client();
    let (slow, fast) = (text("slow", "a"), text("fast", "b"));
    let (slow, fast) = tokio::join!(post_with(&client, &sim, &slow), post_with(&client, &sim, &fast));
    assert_eq!(slow.unwrap().status(), 200);
    assert!(fast.is_err());
}

#[tokio::test]
async fn a_slow_answer_is_accepted_at_once() {
    let (sim, receiver) = with_fault(Fault::Slow { ms: 60_000 }).await;
    let error = post_with(&hasty_client(), &sim, &text("hi", "x")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 3);
}

#[tokio::test]
async fn latency_delays_the_answer_not_the_acceptance() {
    let sim = start(SimConfig {
        latency_ms: 60_000,
        ..SimConfig::default()
    })
    .await;
    let error = post_with(&hasty_client(), &sim, &text("hi", "x")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(sim.accepted_for("x"), 1);
}

#[tokio::test]
async fn a_failed_status_replaces_the_planned_ones() {
    let (sim, receiver) = with_fault(Fault::StatusFailed { code: 131_026 }).await;
    let wamid = accepted(&sim, &text("hi", "v1.x")).await;
    idle(&sim).await;
    let statuses = receiver.statuses();
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0]["status"], "failed");
    assert_eq!(statuses[0]["id"], wamid.as_str());
    assert_eq!(statuses[0]["biz_opaque_callback_data"], "v1.x");
    assert_eq!(statuses[0]["errors"][0]["code"], 131_026);
    assert_eq!(statuses[0]["errors"][0]["title"], "Message undeliverable");
}

#[tokio::test]
async fn silence_follows_where_no_webhook_is_wanted() {
    let (sim, _receiver) = with_fault(Fault::NoWebhook).await;
    accepted(&sim, &text("hi", "x")).await;
    assert_eq!(sim.pending_webhooks(), 0);
}

#[tokio::test]
async fn a_status_can_come_before_the_answer() {
    let (sim, receiver) = with_fault(Fault::WebhookBeforeResponse { ms: 60_000 }).await;
    sim.set_statuses(StatusPlan {
        delivered_ms: None,
        read_ms: None,
        ..StatusPlan::immediate()
    });
    let (client, message) = (client(), text("hi", "x"));
    tokio::select! {
        answer = post_with(&client, &sim, &message) => panic!("answered first: {answer:?}"),
        posts = receiver.wait_for(1) => assert_eq!(posts.len(), 1),
    }
    assert_eq!(receiver.statuses()[0]["status"], "sent");
}

#[tokio::test]
async fn a_held_message_has_a_wamid_and_stays_silent() {
    let (sim, _receiver) = with_fault(Fault::HeldForQuality).await;
    let (status, body) = post(&sim, &text("hi", "x")).await;
    assert_eq!(status, 200);
    assert_eq!(body["messages"][0]["message_status"], "held_for_quality_assessment");
    assert_eq!(sim.pending_webhooks(), 0);
}

#[tokio::test]
async fn rules_pick_calls_by_recipient_text_and_own_data() {
    let sim = quiet().await;
    let some = |text: &str| Some(text.to_owned());
    sim.add_rule(FaultRule::always(Fault::pair_rate_limited()).times(1).when(Match {
        to: some("8801711000009"),
        ..Match::default()
    }));
    sim.add_rule(FaultRule::first(1, Fault::rate_limited()).when(Match {
        biz_opaque_prefix: some("v1.msg1."),
        ..Match::default()
    }));
    let mut to_nine = text("hi", "x");
    to_nine["to"] = json!("+880 1711 000009");
    assert_eq!(post(&sim, &to_nine).await.0, 429);
    assert_eq!(post(&sim, &to_nine).await.0, 200);
    assert_eq!(post(&sim, &text("hi", "v1.msg2.1")).await.0, 200);
    assert_eq!(post(&sim, &text("hi", "v1.msg1.1")).await.0, 429);
    assert_eq!(post(&sim, &text("hi", "v1.msg1.2")).await.0, 200);
    let hits: Vec<u64> = sim.rules().iter().map(|view| view.hits).collect();
    assert_eq!(hits, [1, 1]);
}

#[tokio::test]
#[should_panic(expected = "reset_before_read can only match by phone_number_id")]
async fn a_rule_that_cannot_work_is_refused() {
    let sim = quiet().await;
    let when = Match {
        text_contains: Some("x".to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::always(Fault::ResetBeforeRead).when(when));
}
