//! Opt-outs and the open window over HTTP: what is noted and listed, and what is refused with which code.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Answer, Service, Setup, TestTenant};

const PERSON: &str = "919111111111";

async fn service() -> (Service, TestTenant) {
    let service = Service::start(Setup {
        app_secret: None,
        ..Setup::default()
    });
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, tenant)
}

fn below(tenant: &TestTenant, rest: &str) -> String {
    format!("/tenants/{}{rest}", tenant.id)
}

async fn enforce(service: &Service, tenant: &TestTenant, enforce: &str) {
    let rules = json!({"optOuts": {"enforce": enforce}});
    let set = service.put(&below(tenant, "/sending-rules"), &rules).await;
    assert_eq!(set.status.as_u16(), 200, "{}", set.text);
    assert_eq!(set.json["optOuts"], json!({"enforce": enforce, "stopWords": true}));
    assert_eq!(service.get(&below(tenant, "/sending-rules")).await.json, set.json);
}

async fn send(service: &Service, tenant: &TestTenant, more: Value) -> Answer {
    let mut body = json!({"to": "+919111111111", "text": "Hello"});
    let members = body.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    service.post(&below(tenant, "/send"), &body).await
}

async fn writes(service: &Service, tenant: &TestTenant, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let webhook = json!({"object": "whatsapp_business_account", "entry": [{"id": "7", "changes": [
        {"field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"phone_number_id": tenant.phone_number_id},
            "contacts": [{"wa_id": PERSON, "user_id": "IN.1"}],
            "messages": [{"from": PERSON, "from_user_id": "IN.1", "id": format!("wamid.{}", now.as_nanos()),
                "type": "text", "text": {"body": text}}]}}]}]});
    let posted = service.post("/whatsapp/webhook", &webhook).await;
    assert_eq!(posted.status.as_u16(), 200, "{}", posted.text);
}

fn scopes(answer: &Answer) -> Vec<(&str, &str)> {
    let data = answer.json["data"].as_array().expect("a list");
    let text = |item: &Value, name: &str| item[name].as_str().map(str::to_owned);
    let mut found: Vec<_> = data
        .iter()
        .map(|item| {
            (
                item["scope"].as_str().expect("a scope"),
                item["source"].as_str().expect("a source"),
            )
        })
        .collect();
    assert!(data.iter().all(|item| text(item, "since").is_some()));
    found.sort_unstable();
    found
}

#[tokio::test]
async fn whom_the_tenant_notes_is_refused_and_listed_until_it_is_taken_back() {
    let (service, tenant) = service().await;
    enforce(&service, &tenant, "all").await;
    let opt_outs = below(&tenant, "/opt-outs");
    let person = json!({"person": "+91\u{a0}91111\u{2011}11111", "scope": "marketing"});
    let set = service.put(&opt_outs, &person).await;
    assert_eq!((set.status.as_u16(), scopes(&set)), (200, vec![("marketing", "api")]));
    assert_eq!(set.json["data"][0]["person"], PERSON);
    assert_eq!(send(&service, &tenant, json!({})).await.status.as_u16(), 202);
    let refused = send(&service, &tenant, json!({"marketing": true})).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
    assert_eq!(refused.json["code"], "opted_out");
    assert_eq!(refused.json["errors"][0]["pointer"], "/to");
    assert!(!refused.text.contains(PERSON), "{}", refused.text);

    service.put(&opt_outs, &json!({"person": PERSON})).await;
    assert_eq!(send(&service, &tenant, json!({})).await.json["code"], "opted_out");
    let listed = service.get(&opt_outs).await;
    assert_eq!(scopes(&listed), [("all", "api"), ("marketing", "api")]);
    let one = service.get(&format!("{opt_outs}?person=%2B919111111111")).await;
    assert_eq!(scopes(&one), [("all", "api"), ("marketing", "api")]);
    let other = service.get(&format!("{opt_outs}?person=919222222222")).await;
    assert_eq!(scopes(&other), []);

    let removed = service.delete(&format!("{opt_outs}?person=919111111111")).await;
    assert_eq!((removed.status.as_u16(), scopes(&removed)), (200, Vec::new()));
    assert_eq!(scopes(&service.get(&opt_outs).await), []);
    assert_eq!(
        send(&service, &tenant, json!({"marketing": true}))
            .await
            .status
            .as_u16(),
        202
    );
}

#[tokio::test]
async fn what_a_person_writes_counts_under_all_their_ids_and_in_a_bulk_for_them_alone() {
    let (service, tenant) = service().await;
    enforce(&service, &tenant, "all").await;
    writes(&service, &tenant, "Unsubscribe").await;
    let listed = service.get(&below(&tenant, "/opt-outs")).await;
    assert_eq!(scopes(&listed), [("all", "stop_word"); 2]);
    let bulk = json!([
        {"to": "+919111111111", "text": "one"},
        {"to": "+919222222222", "text": "two"},
        {"raw": {"messaging_product": "whatsapp", "recipient": "IN.1", "type": "text", "text": {"body": "three"}}},
        {"to": "+919222222222", "text": "four", "requireOpenWindow": true},
    ]);
    let answer = service.post(&below(&tenant, "/send-bulk"), &bulk).await;
    assert_eq!(answer.status.as_u16(), 207, "{}", answer.text);
    let result = |place: usize| &answer.json["data"][place];
    assert_eq!(result(0)["problem"]["code"], "opted_out");
    assert_eq!(result(0)["problem"]["errors"][0]["pointer"], "/0/to");
    assert_eq!(result(1)["httpStatus"], 202);
    assert_eq!(result(2)["problem"]["code"], "opted_out");
    assert_eq!(result(3)["problem"]["code"], "window_closed");
    assert_eq!(result(3)["problem"]["errors"][0]["pointer"], "/3/requireOpenWindow");
}

#[tokio::test]
async fn an_open_window_is_asked_for_and_shown_with_the_message() {
    let (service, tenant) = service().await;
    let refused = send(&service, &tenant, json!({"requireOpenWindow": true})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["code"]),
        (422, &json!("window_closed"))
    );
    writes(&service, &tenant, "Hello").await;
    let sent = send(&service, &tenant, json!({"requireOpenWindow": true, "marketing": true})).await;
    assert_eq!(sent.status.as_u16(), 202, "{}", sent.text);
    let id = sent.json["messageId"].as_str().expect("an id");
    let message = service.get(&below(&tenant, &format!("/messages/{id}"))).await;
    assert_eq!(
        (&message.json["requireOpenWindow"], &message.json["marketing"]),
        (&json!(true), &json!(true))
    );
    let conversation = service.get(&below(&tenant, "/conversations")).await;
    assert!(conversation.json["data"][0]["customerServiceWindowUntil"].is_string());
}

fn quiet(from: &str, to: &str, time_zone: &str) -> Value {
    json!({"quietHours": {"from": from, "to": to, "timeZone": time_zone}})
}

#[tokio::test]
async fn quiet_hours_are_set_and_shown_and_taken_back() {
    let (service, tenant) = service().await;
    let path = below(&tenant, "/sending-rules");
    assert_eq!(service.get(&path).await.json["quietHours"], Value::Null);
    let set = service.put(&path, &quiet("21:00", "08:00", "Asia/Kolkata")).await;
    let hours = json!({"from": "21:00", "to": "08:00", "timeZone": "Asia/Kolkata", "messages": "marketing"});
    assert_eq!((set.status.as_u16(), &set.json["quietHours"]), (200, &hours));
    assert_eq!(service.get(&path).await.json, set.json);
    let all_day = json!({"quietHours": {"from": "00:00", "to": "23:59", "timeZone": "UTC", "messages": "all"}});
    assert_eq!(service.put(&path, &all_day).await.json["quietHours"]["messages"], "all");
    // The text of a refusal says what to write.
    for (from, to, expected) in [
        ("21:00", "24:00", "the end of a day is 00:00"),
        ("00:00", "24:00", "the end of a day is 00:00"),
        ("00:00", "00:00", "pause the tenant"),
    ] {
        let refused = service.put(&path, &quiet(from, to, "UTC")).await;
        let message = refused.json["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(message.contains(expected), "{from} {to}: {}", refused.text);
    }
    let evening = service.put(&path, &quiet("21:00", "00:00", "Asia/Kolkata")).await;
    assert_eq!(evening.json["quietHours"]["to"], "00:00", "{}", evening.text);
    assert_eq!(service.put(&path, &json!({})).await.json["quietHours"], Value::Null);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let (service, tenant) = service().await;
    let (rules, opt_outs) = (below(&tenant, "/sending-rules"), below(&tenant, "/opt-outs"));
    for (path, body, pointer) in [
        (&rules, json!({"optOuts": {"enforce": "some"}}), "/optOuts/enforce"),
        (&rules, json!({"optOuts": {"stopWords": "yes"}}), "/optOuts/stopWords"),
        (&rules, json!({"optOut": {}}), "/optOut"),
        (&rules, quiet("9 pm", "08:00", "Asia/Kolkata"), "/quietHours/from"),
        (&rules, quiet("21:00", "24:00", "Asia/Kolkata"), "/quietHours/to"),
        (&rules, quiet("21:00", "21:00", "Asia/Kolkata"), "/quietHours/to"),
        (&rules, quiet("21:00", "08:00", "+05:30"), "/quietHours/timeZone"),
        (
            &rules,
            json!({"quietHours": {"from": "21:00", "to": "08:00"}}),
            "/quietHours/timeZone",
        ),
        (&rules, json!({"quietHours": "night"}), "/quietHours"),
        (&opt_outs, json!({"scope": "all"}), "/person"),
        (&opt_outs, json!({"person": "not a person"}), "/person"),
        (&opt_outs, json!({"person": PERSON, "scope": "none"}), "/scope"),
    ] {
        let answer = service.put(path, &body).await;
        assert_eq!(answer.status.as_u16(), 422, "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    for wrong in [json!({"marketing": "yes"}), json!({"requireOpenWindow": 1})] {
        assert_eq!(send(&service, &tenant, wrong).await.json["code"], "invalid_field");
    }
    assert_eq!(service.delete(&opt_outs).await.status.as_u16(), 422);
    let unknown = service.get(&format!("{opt_outs}?who=1")).await;
    assert_eq!(unknown.json["code"], "invalid_filter");
}
