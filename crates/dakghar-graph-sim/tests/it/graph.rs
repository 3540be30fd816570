//! Answers of the Graph endpoints.

use dakghar_graph_sim::{AcceptedTokens, Number, SimConfig};
use serde_json::{Value, json};

use crate::sender::{PNID, accepted, client, messages_url, post, quiet, start, text};

#[tokio::test]
async fn a_text_is_accepted_with_contact_and_wamid() {
    let sim = quiet().await;
    let response = client()
        .post(messages_url(&sim))
        .bearer_auth("token")
        .json(&text("নমস্কার 😀", "v1.a.1"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["facebook-api-version"], "v25.0");
    let mut body: Value = response.json().await.unwrap();
    let wamid = body["messages"][0]["id"].take();
    assert!(wamid.as_str().unwrap().starts_with("wamid.HBg"), "{wamid}");
    let expected = json!({"messaging_product": "whatsapp", "messages": [{"id": null}],
        "contacts": [{"input": "+8801711000000", "wa_id": "8801711000000"}]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_template_tells_its_message_status() {
    let sim = quiet().await;
    let template = json!({"messaging_product": "whatsapp", "to": "+8801711000000", "type": "template",
        "template": {"name": "hello", "language": {"code": "bn"}}});
    let (_, body) = post(&sim, &template).await;
    assert_eq!(body["messages"][0]["message_status"], "accepted");
}

#[tokio::test]
async fn a_user_id_is_answered_without_a_phone_number() {
    let sim = quiet().await;
    let mut message = text("hi", "x");
    message.as_object_mut().unwrap().remove("to");
    message["recipient"] = json!("BD.123");
    let (status, body) = post(&sim, &message).await;
    assert_eq!(status, 200);
    assert_eq!(body["contacts"], json!([{"input": "BD.123", "user_id": "BD.123"}]));
}

#[tokio::test]
async fn a_read_mark_succeeds_without_a_message() {
    let sim = quiet().await;
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X",
        "typing_indicator": {"type": "text"}});
    assert_eq!(post(&sim, &mark).await, (200, json!({"success": true})));
    assert_eq!(sim.stats().accepted, 0);
}

#[tokio::test]
async fn an_invalid_message_gets_metas_envelope() {
    let sim = quiet().await;
    let mut message = text("hi", "x");
    message["to"] = json!("not a number");
    let (status, mut body) = post(&sim, &message).await;
    assert_eq!(status, 400);
    assert!(body["error"]["fbtrace_id"].take().is_string());
    let expected = json!({"error": {"message": "(#131009) Parameter value is not valid",
        "type": "OAuthException", "code": 131_009, "fbtrace_id": null,
        "error_data": {"messaging_product": "whatsapp",
            "details": "Parameter 'to' is not a valid phone number"}}});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_is_not_json_is_code_100() {
    let sim = quiet().await;
    let response = client()
        .post(messages_url(&sim))
        .bearer_auth("token")
        .body("{oops")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], 100);
    assert_eq!(sim.journal()[0].body, json!("{oops"));
}

#[tokio::test]
async fn tokens_are_checked() {
    let only = AcceptedTokens::Only(vec!["good".to_owned()]);
    let sim = start(SimConfig {
        accepted_tokens: only,
        ..SimConfig::default()
    })
    .await;
    for (token, expected) in [(Some("good"), 200), (Some("bad"), 401), (None, 401)] {
        let request = client().post(messages_url(&sim)).json(&text("hi", "x"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{token:?}");
        if expected == 401 {
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["error"]["code"], 190);
        }
    }
    let journal = sim.journal();
    assert_ne!(journal[0].token_fingerprint, journal[1].token_fingerprint);
    assert_eq!(journal[2].token_fingerprint, None);
    let kept = serde_json::to_string(&journal).unwrap();
    assert!(!kept.contains("good"), "{kept}");
}

#[tokio::test]
async fn versions_are_served_lifted_or_unknown() {
    let sim = quiet().await;
    for (version, served, expected) in [
        ("v26.0", "v26.0", 200),
        ("v19.0", "v21.0", 200),
        ("v99.0", "v26.0", 400),
    ] {
        let response = client()
            .post(format!("{}/{version}/{PNID}/messages", sim.base_url()))
            .bearer_auth("token")
            .json(&text("hi", "x"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), expected, "{version}");
        assert_eq!(response.headers()["facebook-api-version"], served);
    }
    let lost = client()
        .get(format!("{}/nowhere/at/all/x", sim.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(lost.status(), 400);
    let body: Value = lost.json().await.unwrap();
    assert_eq!(body["error"]["code"], 2500);
}

#[tokio::test]
async fn numbers_can_be_read() {
    let number = Number {
        phone_number_id: PNID.to_owned(),
        waba_id: "102290129340398".to_owned(),
        display_phone_number: "15550783881".to_owned(),
    };
    let sim = start(SimConfig {
        numbers: vec![number],
        ..SimConfig::default()
    })
    .await;
    let get = async |path: &str| -> (u16, Value) {
        let url = format!("{}/v25.0/{path}", sim.base_url());
        let response = client().get(url).bearer_auth("token").send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    };
    let (_, node) = get(&format!("{PNID}?fields=display_phone_number,status,throughput")).await;
    let expected = json!({"id": PNID, "display_phone_number": "+15550783881", "status": "CONNECTED",
        "throughput": {"level": "STANDARD"}});
    assert_eq!(node, expected);
    let (_, list) = get("102290129340398/phone_numbers?fields=id&limit=5").await;
    assert_eq!(list["data"], json!([{"id": PNID}]));
    let (_, waba) = get("102290129340398").await;
    assert_eq!(waba["name"], "Simulated Business");
    let (status, error) = get("not-a-number").await;
    assert_eq!((status, &error["error"]["error_subcode"]), (400, &json!(33)));

    let subscribed = client()
        .post(format!("{}/v25.0/102290129340398/subscribed_apps", sim.base_url()))
        .bearer_auth("token")
        .send()
        .await
        .unwrap();
    assert_eq!(subscribed.json::<Value>().await.unwrap(), json!({"success": true}));
}

#[tokio::test]
async fn wamids_never_repeat() {
    let sim = quiet().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        assert!(seen.insert(accepted(&sim, &text("hi", "x")).await));
    }
}

#[tokio::test]
async fn stopping_closes_the_port() {
    let sim = quiet().await;
    let url = messages_url(&sim);
    accepted(&sim, &text("hi", "x")).await;
    sim.stop().await;
    let error = client().post(url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}
