//! The control API, as another process uses it.

use dakghar_graph_sim::{GraphSim, SimConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::sender::{PNID, accepted, client, idle, post, post_with, prompt, quiet, start, text};

/// Calls the control API and gives HTTP status and JSON body (null if there is none).
async fn call(sim: &GraphSim, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = client().request(method, format!("{}{path}", sim.base_url()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn get(sim: &GraphSim, path: &str) -> Value {
    let (status, body) = call(sim, Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

#[tokio::test]
async fn the_first_page_names_every_endpoint() {
    let sim = quiet().await;
    let page = client().get(sim.base_url()).send().await.unwrap();
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let page = page.text().await.unwrap();
    for path in [
        "journal", "stats", "rules", "inbound", "status", "webhook", "statuses", "numbers", "health", "kinds",
        "mixture", "usage",
    ] {
        assert!(page.contains(&format!("/_sim/{path}")), "{path}");
    }
    assert_eq!(get(&sim, "/_sim/health").await, json!({"status": "ok"}));
}

#[tokio::test]
async fn the_journal_can_be_read_filtered_counted_and_cleared() {
    let sim = quiet().await;
    accepted(&sim, &text("hi", "a")).await;
    accepted(&sim, &text("hi", "b")).await;
    accepted(&sim, &text("hi", "b")).await;
    let all = get(&sim, "/_sim/journal").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 3);
    assert_eq!(all["data"][0]["outcome"]["result"], "accepted");
    let some = get(
        &sim,
        &format!("/_sim/journal?phone_number_id={PNID}&biz_opaque=b&limit=1"),
    )
    .await;
    assert_eq!(some["data"][0]["seq"], 2);
    let counts = get(&sim, "/_sim/journal?counts=1").await;
    assert_eq!(counts["counts"]["b"], json!({"calls": 2, "accepted": 2}));
    let (status, _) = call(&sim, Method::DELETE, "/_sim/journal", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(get(&sim, "/_sim/journal").await["data"], json!([]));
    assert_eq!(get(&sim, "/_sim/stats").await["accepted"], 3);
    let (status, error) = call(&sim, Method::GET, "/_sim/journal?colour=red", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].as_str().unwrap().contains("colour"), "{error}");
}

#[tokio::test]
async fn rules_come_and_go() {
    let sim = quiet().await;
    let rules = json!([
        {"rate": {"first": 1}, "fault": {"graph_error": {"code": 130_429}}},
        {"when": {"text_contains": "reset"}, "fault": {"reset_after_body": {"accept": false}}}]);
    let (status, added) = call(&sim, Method::POST, "/_sim/rules", Some(rules)).await;
    assert_eq!((status, &added["ids"]), (StatusCode::CREATED, &json!([1, 2])));
    assert_eq!(post(&sim, &text("hi", "x")).await.0, 429);
    let listed = get(&sim, "/_sim/rules").await;
    assert_eq!(listed["data"][0]["hits"], 1);
    let (status, _) = call(&sim, Method::DELETE, "/_sim/rules/1", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = call(&sim, Method::DELETE, "/_sim/rules/1", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    call(&sim, Method::DELETE, "/_sim/rules", None).await;
    assert_eq!(get(&sim, "/_sim/rules").await["data"], json!([]));

    for (bad, hint) in [
        (json!({"fault": "explode"}), "unknown variant"),
        (json!({"fault": "empty_body", "colour": 1}), "colour"),
        (
            json!({"fault": "empty_body", "rate": {"probability": 2.0}}),
            "between 0 and 1",
        ),
        (
            json!({"fault": "reset_before_read", "when": {"to": "1"}}),
            "phone_number_id",
        ),
    ] {
        let (status, error) = call(&sim, Method::POST, "/_sim/rules", Some(bad)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(error["error"].as_str().unwrap().contains(hint), "{error}");
    }
    assert!(sim.rules().is_empty());
}

#[tokio::test]
async fn webhooks_can_be_made_and_directed() {
    let receiver = Receiver::start().await;
    let sim = start(SimConfig {
        webhook_url: None,
        ..prompt(&receiver)
    })
    .await;
    let inbound = json!({"phone_number_id": PNID, "from": "8801711000000", "text": "নমস্কার"});
    let (status, _) = call(&sim, Method::POST, "/_sim/inbound", Some(inbound.clone())).await;
    assert_eq!(status, StatusCode::CONFLICT);

    let target = json!({"url": receiver.url});
    let (status, _) = call(&sim, Method::PUT, "/_sim/webhook", Some(target)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, made) = call(&sim, Method::POST, "/_sim/inbound", Some(inbound)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    idle(&sim).await;
    assert_eq!(receiver.messages()[0]["id"], made["wamid"]);
    assert!(receiver.posts()[0].signature.is_some());

    let location = json!({"phone_number_id": PNID, "from": "8801711000000",
        "message": {"type": "location", "location": {"latitude": 23.8, "longitude": 90.4}}});
    call(&sim, Method::POST, "/_sim/inbound", Some(location)).await;
    let status = json!({"phone_number_id": PNID, "wamid": "wamid.X", "status": "played"});
    let (answer, _) = call(&sim, Method::POST, "/_sim/status", Some(status)).await;
    assert_eq!(answer, StatusCode::ACCEPTED);
    idle(&sim).await;
    assert_eq!(receiver.messages()[1]["type"], "location");
    assert_eq!(receiver.statuses()[0]["status"], "played");

    let event = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
        {"field": "account_update", "value": {"event": "PARTNER_REMOVED"}}]}]});
    let (_, answer) = call(&sim, Method::POST, "/_sim/webhook", Some(event)).await;
    assert_eq!(answer, json!({"status": 200}));

    for (path, bad) in [
        (
            "/_sim/inbound",
            json!({"phone_number_id": PNID, "from": "8801711000000"}),
        ),
        ("/_sim/inbound", json!({"phone_number_id": PNID, "text": "hi"})),
        (
            "/_sim/inbound",
            json!({"phone_number_id": PNID, "from": "x", "text": "hi"}),
        ),
        (
            "/_sim/status",
            json!({"phone_number_id": PNID, "wamid": "w", "status": "eaten"}),
        ),
        ("/_sim/webhook", json!("not an address")),
    ] {
        let method = if path == "/_sim/webhook" {
            Method::PUT
        } else {
            Method::POST
        };
        let (status, error) = call(&sim, method, path, Some(bad)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(error["error"].is_string(), "{error}");
    }
    let (status, _) = call(&sim, Method::PUT, "/_sim/webhook", Some(json!({"url": "nowhere"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn plan_and_numbers_can_be_changed() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let plan = json!({"sent_ms": 0, "delivered_ms": null, "read_ms": null});
    let (status, _) = call(&sim, Method::PUT, "/_sim/statuses", Some(plan)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(get(&sim, "/_sim/statuses").await["delivered_ms"], Value::Null);
    let number = json!([{"phone_number_id": PNID, "waba_id": "77", "display_phone_number": "15550000001"}]);
    call(&sim, Method::PUT, "/_sim/numbers", Some(number.clone())).await;
    assert_eq!(get(&sim, "/_sim/numbers").await["data"], number);
    accepted(&sim, &text("hi", "x")).await;
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 1);
    let entry = receiver.posts()[0].json()["entry"][0].clone();
    assert_eq!(entry["id"], "77");
    assert_eq!(
        entry["changes"][0]["value"]["metadata"]["display_phone_number"],
        "15550000001"
    );

    let odd = json!({"batch_max": 0});
    let (status, error) = call(&sim, Method::PUT, "/_sim/statuses", Some(odd)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].as_str().unwrap().contains("batch_max"), "{error}");
}

#[tokio::test]
async fn how_much_is_used_is_told_with_each_answer_and_what_is_used_up_is_refused() {
    let sim = quiet().await;
    let send = async || {
        let answer = post_with(&client(), &sim, &text("hi", "x")).await.unwrap();
        let header = |name: &str| -> Value {
            let value = answer.headers().get(name).map(|value| value.to_str().unwrap());
            value.map_or(Value::Null, |value| serde_json::from_str(value).unwrap())
        };
        let told = [header("x-business-use-case-usage"), header("x-app-usage")];
        let body: Value = answer.json().await.unwrap();
        (body["error"]["code"].clone(), told)
    };
    assert_eq!(send().await, (Value::Null, [Value::Null, Value::Null]));
    // The account that the number is derived to be of.
    let account = format!("9{PNID}");
    let used = |of_account: u32, of_app: u32| {
        json!({"accounts": {account.as_str(): {"call_count": of_account, "total_cputime": 1, "total_time": 2,
            "estimated_time_to_regain_access": 3}}, "app": {"call_count": of_app}})
    };
    for (of_account, of_app, code) in [
        (99, 99, Value::Null),
        (100, 99, json!(80_007)),
        (99, 100, json!(4)),
        (5, 5, Value::Null),
    ] {
        let (status, _) = call(&sim, Method::PUT, "/_sim/usage", Some(used(of_account, of_app))).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        let told = [
            json!({account.as_str(): [{"type": "whatsapp", "call_count": of_account, "total_cputime": 1, "total_time": 2,
                "estimated_time_to_regain_access": 3}]}),
            json!({"call_count": of_app, "total_cputime": 0, "total_time": 0}),
        ];
        assert_eq!(send().await, (code, told), "{of_account} {of_app}");
    }
    let templates = format!("{}/v25.0/{account}/message_templates", sim.base_url());
    call(&sim, Method::PUT, "/_sim/usage", Some(used(100, 5))).await;
    let refused = client().get(templates).bearer_auth("token").send().await.unwrap();
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["code"], 80_007, "{refused}");
    let shown = get(&sim, "/_sim/usage").await;
    assert_eq!(shown["accounts"][account.as_str()]["call_count"], 100);
}
