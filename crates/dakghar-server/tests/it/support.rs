//! Support reads without bodies: a canary in everything that people, tenants and Meta wrote is in no answer to it.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{Method, Request};
use dakghar_core::domain::Status;
use dakghar_testkit::samples::{self, With as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::contract::{Access, operations};
use crate::harness::{ADMIN_KEY, Service, Setup, TestTenant};

const CANARY: &str = "canary-7e3b";

/// Everything that answers can show: messages in both directions, an event, and webhooks of nobody.
async fn filled(service: &Service) -> TestTenant {
    let tenant = service.register("Tenant A", "111111111111111").await;
    let endpoint = json!({"url": "https://receiver.example.com/hook"});
    let endpoints = format!("/tenants/{}/endpoints", tenant.id);
    assert_eq!(service.post(&endpoints, &endpoint).await.status.as_u16(), 201);
    let redrives = format!("/tenants/{}/dead-letters/redrive", tenant.id);
    service.post(&redrives, &json!({})).await;
    service.post("/dead-letters/redrive", &json!({})).await;
    let message = json!({"to": "+919111111111", "text": CANARY, "metadata": {"order": CANARY},
        "bizOpaqueCallbackData": CANARY});
    let sent = service.post(&format!("/tenants/{}/send", tenant.id), &message).await;
    assert_eq!(sent.status.as_u16(), 202, "{}", sent.text);
    let letter = samples::outbound(samples::tenant_id()).with(|letter| {
        letter.accepted.content.body = format!(r#"{{"body":"{CANARY}"}}"#).into();
        letter.accepted.content.envelope = Some(format!(r#"{{"context":"{CANARY}"}}"#).into());
        letter.delivery.status = Status::Dead;
    });
    service.store_message(&tenant, letter).await;
    for number in [tenant.phone_number_id.as_str(), "999999999999999"] {
        let webhook = json!({"object": "whatsapp_business_account", "entry": [{"id": "7", "changes": [
            {"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": {"phone_number_id": number},
                "contacts": [{"wa_id": "919222222222", "profile": {"name": "Asha"}, "note": CANARY}],
                "messages": [{"from": "919222222222", "id": format!("wamid.{number}"), "timestamp": "1700000000",
                    "type": "text", "text": {"body": CANARY}}]}},
            {"field": "something_new", "value": {"metadata": {"phone_number_id": number}, "text": CANARY}},
        ]}]});
        let posted = service.post("/whatsapp/webhook", &webhook).await;
        assert_eq!(posted.status.as_u16(), 200, "{}", posted.text);
    }
    tenant
}

/// The text of an answer to a GET; of a stream what is there at once.
async fn text(service: &Service, path: &str, key: &str, media_type: &str) -> (u16, String) {
    let asked = Request::get(path).header("x-api-key", key).header(ACCEPT, media_type);
    let asked = asked.body(Body::empty()).expect("a request");
    let response = service.router.clone().oneshot(asked).await.expect("infallible");
    let status = response.status().as_u16();
    // Whatever is asked for, a stream does not end.
    let found = response.headers().get(CONTENT_TYPE);
    let is_stream = found.is_some_and(|found| found == "text/event-stream");
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    if is_stream {
        // What was there when the stream began comes in one piece, behind a comment.
        while !bytes.ends_with(b"}\n\n") {
            let piece = body.frame().await.expect("a frame").expect("a whole frame");
            bytes.extend_from_slice(&piece.into_data().expect("data"));
        }
    } else {
        bytes.extend_from_slice(&body.collect().await.expect("a whole answer").to_bytes());
    }
    (status, String::from_utf8(bytes).expect("UTF-8"))
}

async fn first_id(service: &Service, path: &str, name: &str) -> String {
    let listed = service.get(path).await;
    let id = listed.json["data"][0][name].as_str();
    id.unwrap_or_else(|| panic!("{path}: {}", listed.text)).to_owned()
}

#[tokio::test]
async fn no_answer_shows_support_what_people_and_tenants_wrote() {
    let mut service = Service::start(Setup {
        app_secret: None,
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.into());
    let tenant = filled(&service).await;
    let made = service
        .post("/operators/keys", &json!({"name": "s", "role": "support"}))
        .await;
    let support = made.json["key"].as_str().expect("a key").to_owned();
    let below = |rest: &str| format!("/tenants/{}{rest}", tenant.id);
    let conversation = first_id(&service, &below("/conversations"), "id").await;
    let endpoint = first_id(&service, &below("/endpoints"), "endpointId").await;
    let replays = below(&format!("/endpoints/{endpoint}/replays"));
    service.post(&replays, &json!({"from": "1"})).await;
    let ids = [
        ("{tenantId}", tenant.id.clone()),
        ("{phoneNumberId}", "111111111111111".to_owned()),
        ("{messageId}", first_id(&service, &below("/messages"), "id").await),
        ("{conversationId}", conversation),
        ("{personId}", first_id(&service, &below("/people"), "id").await),
        ("{redriveId}", first_id(&service, "/dead-letters/redrives", "id").await),
        ("{replayId}", first_id(&service, &replays, "id").await),
        ("{endpointId}", endpoint),
        ("{appId}", "1".to_owned()),
        ("{erasureId}", "ers_x".to_owned()),
        ("{signupId}", "sgn_x".to_owned()),
        ("{departureId}", "dep_x".to_owned()),
    ];
    let (mut shown, mut looked) = (Vec::new(), 0);
    for operation in operations() {
        let is_for_operators = operation.access() != Access::Anybody;
        if operation.method != Method::GET || !is_for_operators {
            continue;
        }
        let path = ids
            .iter()
            .fold(operation.path.clone(), |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "{path} needs an id here");
        for query in ["", "?raw=true"] {
            for media_type in ["application/json", "application/x-ndjson", "text/event-stream"] {
                let path = format!("{path}{query}");
                let (status, all) = text(&service, &path, ADMIN_KEY, media_type).await;
                let (same, seen) = text(&service, &path, &support, media_type).await;
                assert!(!seen.contains(CANARY), "{path} as {media_type}: {seen}");
                if operation.roles().contains(&"support") {
                    assert_eq!(same, status, "{path}: {seen}");
                }
                if status == 200 && all.contains(CANARY) && operation.roles().contains(&"support") {
                    shown.push(operation.name());
                    looked += 1;
                    let id = serde_json::from_str::<Value>(&all).ok();
                    let id = id.and_then(|answer| answer["data"][0]["id"].as_str().map(str::to_owned));
                    assert!(id.is_none_or(|id| seen.contains(&id)), "the rest is shown: {seen}");
                }
            }
        }
    }
    // Otherwise there was nothing to be found.
    for operation in [
        "listMessages",
        "getMessage",
        "listConversationMessages",
        "listDeadLetters",
        "listAllDeadLetters",
        "listEvents",
        "listUnrouted",
        "readFeed",
        "followFeed",
        "exportTenant",
    ] {
        assert!(shown.contains(&operation), "{operation} shows no canary: {shown:?}");
    }
    assert!(looked > 20, "{looked}");
}
