//! Departures over HTTP: begun, looked at, retried, called off, and the refusals.

use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::{AppId, WabaId};
use dakghar_testkit::memory::{MemoryOnboarding, MemoryTokens};
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Service, Setup, TestTenant, known_app};

const NUMBER: &str = "111111111111111";
const OTHER: &str = "222222222222222";

/// A service, and a tenant with two numbers of the account 900, to which an app is subscribed.
async fn service() -> (Service, TestTenant, MemoryOnboarding) {
    let onboarding = MemoryOnboarding::default();
    onboarding.add_account("900", &[NUMBER, OTHER]);
    onboarding.subscribe_app("900", &AppId::parse("222").expect("digits"), None);
    let tokens = MemoryTokens::default();
    let facts = TokenFacts {
        app_id: AppId::parse("222").expect("digits"),
        kind: Some("SYSTEM_USER".into()),
        scopes: vec![SEND_SCOPE.into()],
        accounts: vec![WabaId::parse("900").expect("digits")],
        expires_at: None,
    };
    tokens.say("EAA-canary", TokenVerdict::Valid(facts));
    let mut service = Service::start(Setup {
        default_app: known_app(),
        onboarding: onboarding.clone(),
        tokens,
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let body = json!({"name": "Canary", "phoneNumberId": NUMBER, "accessToken": "EAA-canary", "wabaId": "900"});
    let registered = service.post("/tenants/register", &body).await.json;
    let tenant = TestTenant {
        id: registered["tenantId"].as_str().expect("an id").to_owned(),
        key: registered["apiKey"].as_str().expect("a key").to_owned(),
        phone_number_id: NUMBER.to_owned(),
    };
    let numbers = format!("/tenants/{}/phone-numbers", tenant.id);
    let added = service
        .post(&numbers, &json!({"phoneNumberId": OTHER, "wabaId": "900"}))
        .await;
    assert_eq!(added.status, 201, "{}", added.text);
    (service, tenant, onboarding)
}

fn path(tenant: &TestTenant) -> String {
    format!("/tenants/{}/departures", tenant.id)
}

async fn begun(service: &Service, tenant: &TestTenant, body: &Value) -> String {
    let begun = service.post(&path(tenant), body).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let id = begun.json["departureId"].as_str().expect("an id");
    format!("{}/{id}", path(tenant))
}

/// Works until the departure has this state, and returns it as it is shown.
async fn until(service: &Service, one: &str, state: &str) -> Value {
    for _ in 0..200 {
        service.app.departing.work().await.expect("a round");
        let shown = service.get(one).await;
        assert!(!shown.text.contains("canary"), "{}", shown.text);
        if shown.json["state"] == state {
            return shown.json;
        }
        // A wait is over when its time has come.
        if shown.json["state"] == "waiting" {
            service.clock.advance(std::time::Duration::from_secs(5));
        }
    }
    panic!("{}", service.get(one).await.text);
}

fn outcomes(departure: &Value) -> Vec<(String, String)> {
    let steps = departure["steps"].as_array().expect("a list");
    let name = |step: &Value, member: &str| step[member].as_str().unwrap_or("-").to_owned();
    steps
        .iter()
        .map(|step| (name(step, "step"), name(step, "outcome")))
        .collect()
}

#[tokio::test]
async fn a_tenant_leaves_and_every_step_is_shown_also_when_it_is_gone() {
    let (mut service, tenant, onboarding) = service().await;
    let body = json!({"queued": "cancel", "required": ["unsubscribe"]});
    let one = begun(&service, &tenant, &body).await;
    let again = service.post(&path(&tenant), &body).await;
    assert_eq!(again.status, 200, "the same");
    let stopped = until(&service, &one, "stopped").await;
    assert_eq!(
        (&stopped["step"], &stopped["reason"]),
        (&json!("export"), &json!("export_not_fetched"))
    );
    let sent = json!({"to": "+919111111111", "text": "x"});
    let refused = service.post(&format!("/tenants/{}/send", tenant.id), &sent).await;
    assert_eq!(refused.outcome(), (409, "tenant_leaving"));
    assert_eq!(refused.json["errors"][0]["pointer"], "/from");
    assert_eq!(
        service.get(&format!("/tenants/{}", tenant.id)).await.json["leaving"],
        "all"
    );

    // The tenant fetches its export with its own key, and that lets the departure go on.
    service.key = Some(tenant.key.clone());
    let export = service.get(&format!("/tenants/{}/export", tenant.id)).await;
    assert!(
        export.text.trim_end().ends_with(r#"{"kind":"end","data":null}"#),
        "{}",
        export.text
    );
    service.key = Some(ADMIN_KEY.to_owned());
    let done = until(&service, &one, "done").await;
    assert!(done["exportedAt"].is_string() && done["endedAt"].is_string(), "{done}");
    let expected = [
        ("accept", "done"),
        ("queued", "done"),
        ("override", "skipped"),
        ("unsubscribe", "done"),
        ("deregister", "skipped"),
        ("revoke", "skipped"),
        ("export", "done"),
        ("remove", "done"),
    ];
    let expected = expected.map(|(step, outcome)| (step.to_owned(), outcome.to_owned()));
    assert_eq!(outcomes(&done), expected);
    assert_eq!(onboarding.journal(), ["unsubscribe 900"]);
    assert_eq!(service.get(&format!("/tenants/{}", tenant.id)).await.status, 404);
    let listed = service.get(&path(&tenant)).await.json;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn one_number_leaves_and_the_account_stays_subscribed_for_the_other() {
    let (service, tenant, onboarding) = service().await;
    let one = begun(&service, &tenant, &json!({"phoneNumberIds": [OTHER]})).await;
    let done = until(&service, &one, "done").await;
    assert_eq!(done["phoneNumberIds"], json!([OTHER]));
    assert_eq!(done["steps"][3]["note"], "other numbers of the account are served here");
    assert!(onboarding.journal().is_empty());
    let shown = service.get(&format!("/tenants/{}", tenant.id)).await.json;
    assert_eq!(shown["phoneNumbers"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["leaving"], Value::Null);
}

#[tokio::test]
async fn it_is_called_off_or_goes_on_without_a_step() {
    let (service, tenant, onboarding) = service().await;
    let one = begun(&service, &tenant, &json!({})).await;
    let cancelled = service.post(&format!("{one}/cancel"), &json!({})).await;
    assert_eq!(
        (cancelled.status.as_u16(), &cancelled.json["state"]),
        (200, &json!("cancelling"))
    );
    until(&service, &one, "cancelled").await;

    onboarding.refuse_next("unsubscribe", 200);
    let one = begun(
        &service,
        &tenant,
        &json!({"skipExport": true, "required": ["unsubscribe"]}),
    )
    .await;
    let stopped = until(&service, &one, "stopped").await;
    assert_eq!(
        (&stopped["step"], &stopped["error"]["code"]),
        (&json!("unsubscribe"), &json!(200))
    );
    assert!(stopped["advice"].as_str().is_some_and(|advice| advice.len() > 20));
    let late = service.post(&format!("{one}/cancel"), &json!({})).await;
    assert_eq!(late.outcome(), (409, "departure_too_far"));
    service.post(&format!("{one}/retry"), &json!({"skip": true})).await;
    let done = until(&service, &one, "done").await;
    assert_eq!(done["steps"][3]["outcome"], "skipped", "{done}");
}

#[tokio::test]
async fn what_cannot_begin_is_refused() {
    let (mut service, tenant, _) = service().await;
    for (body, outcome, pointer) in [
        (json!({"queued": "drop"}), (422, "invalid_field"), "/queued"),
        (json!({"required": ["accept"]}), (422, "invalid_field"), "/required/0"),
        (json!({"sendUntil": "tomorrow"}), (422, "invalid_field"), "/sendUntil"),
        (
            json!({"sendUntil": "2020-01-01T00:00:00Z"}),
            (422, "invalid_field"),
            "/sendUntil",
        ),
        (json!({"phoneNumberIds": []}), (422, "invalid_field"), "/phoneNumberIds"),
        (
            json!({"phoneNumberIds": [NUMBER, "9"]}),
            (404, "phone_number_not_found"),
            "/phoneNumberIds/1",
        ),
        (json!({"deregister": "yes"}), (422, "invalid_field"), "/deregister"),
        (json!({"why": 1}), (422, "unknown_field"), "/why"),
    ] {
        let refused = service.post(&path(&tenant), &body).await;
        assert_eq!(refused.outcome(), outcome, "{body}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{body}");
    }
    let all = json!({"phoneNumberIds": [NUMBER, OTHER]});
    let refused = service.post(&path(&tenant), &all).await;
    assert_eq!(refused.outcome(), (409, "last_phone_number"));
    begun(&service, &tenant, &json!({})).await;
    let another = service.post(&path(&tenant), &json!({"deregister": true})).await;
    assert_eq!(another.outcome(), (409, "departure_under_way"));
    let missing = service.get(&format!("{}/dep_x", path(&tenant))).await;
    assert_eq!(missing.outcome(), (404, "departure_not_found"));
    let nobody = "/tenants/ten_00000000000000000000000000/departures";
    assert_eq!(
        service.post(nobody, &json!({})).await.outcome(),
        (404, "tenant_not_found")
    );
    // A tenant does not remove itself.
    service.key = Some(tenant.key.clone());
    let refused = service.post(&path(&tenant), &json!({})).await;
    assert_eq!(refused.outcome(), (403, "forbidden"));
}
