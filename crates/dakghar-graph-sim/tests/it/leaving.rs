//! Taking back what a gateway set up, as a gateway does it.

use dakghar_graph_sim::{Fault, FaultRule, GraphSim, Match, Number, SimConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sender::{client, start};

const WABA: &str = "900";
const NUMBER: &str = "501";
const TOKEN: &str = "EAAG-token";

/// A simulator with a number that was registered long ago.
async fn with_number() -> GraphSim {
    let sim = start(SimConfig::default()).await;
    sim.set_number(Number {
        waba_id: WABA.to_owned(),
        ..Number::derived(NUMBER)
    });
    sim
}

async fn ask(sim: &GraphSim, method: Method, path: &str) -> (StatusCode, Value) {
    let url = format!("{}/v25.0/{path}", sim.base_url());
    let request = client().request(method, url).bearer_auth(TOKEN).json(&json!({}));
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn an_app_is_unsubscribed_as_often_as_anybody_asks_and_the_journal_counts() {
    let sim = with_number().await;
    let path = format!("{WABA}/subscribed_apps");
    ask(&sim, Method::POST, &path).await;
    let subscribed = async || {
        let (_, body) = ask(&sim, Method::GET, &path).await;
        body["data"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(subscribed().await, 1);
    for _ in 0..2 {
        assert_eq!(ask(&sim, Method::DELETE, &path).await.0, StatusCode::OK);
        assert_eq!(subscribed().await, 0);
    }
    let journal = sim.onboarding_journal();
    let done = journal
        .iter()
        .filter(|entry| entry.call == "unsubscribe" && entry.is_done);
    assert_eq!(done.count(), 2);
}

#[tokio::test]
async fn a_number_is_deregistered_ten_times_in_72_hours() {
    let sim = with_number().await;
    let path = format!("{NUMBER}/deregister");
    for _ in 0..10 {
        assert_eq!(ask(&sim, Method::POST, &path).await.0, StatusCode::OK);
    }
    let (status, body) = ask(&sim, Method::POST, &path).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!(133_016))
    );
    assert!(!sim.registration(NUMBER).is_registered);
}

#[tokio::test]
async fn a_revoked_token_does_not_work_any_more() {
    let sim = with_number().await;
    let call = Match {
        call: Some("revoke".to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::first(1, Fault::graph_error(200)).when(call));
    let (_, body) = ask(&sim, Method::DELETE, "me/permissions").await;
    assert_eq!(body["error"]["code"], 200);
    let (_, body) = ask(&sim, Method::DELETE, "77/permissions").await;
    assert_eq!(body["error"]["code"], 100);
    assert_eq!(ask(&sim, Method::DELETE, "me/permissions").await.0, StatusCode::OK);
    for (method, path) in [(Method::DELETE, "me/permissions"), (Method::GET, NUMBER)] {
        let (_, body) = ask(&sim, method, path).await;
        assert_eq!(body["error"]["code"], 190, "{path}");
    }
    let journal = sim.onboarding_journal();
    let done = journal.iter().filter(|entry| entry.call == "revoke" && entry.is_done);
    assert_eq!(done.count(), 1);
}
