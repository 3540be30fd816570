//! Checks of numbers at Meta that somebody asks for, and what is shown of them.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, Setup, request};

const NUMBER: &str = "111111111111111";

/// A tenant whose number has an account and a real token.
async fn service() -> (Service, Setup, String) {
    let setup = Setup::default();
    setup.onboarding.add_account("900", &[NUMBER]);
    let service = Service::start(setup.clone());
    let body = json!({"name": "Tenant A", "phoneNumberId": NUMBER, "accessToken": "EAAG-1", "wabaId": "900"});
    let answer = service.post("/tenants/register", &body).await;
    let id = answer.json["tenantId"].as_str().expect("an id").to_owned();
    (service, setup, format!("/tenants/{id}"))
}

async fn check(service: &Service, of: &str, number: &str) -> Answer {
    let path = format!("{of}/phone-numbers/{number}/check");
    service.call(request(Method::POST, &path, None)).await
}

async fn standing(service: &Service, of: &str) -> Value {
    let numbers = service.get(&format!("{of}/phone-numbers")).await;
    numbers.json["data"][0]["standing"].clone()
}

#[tokio::test]
async fn a_check_shows_how_the_number_stands_and_what_to_do() {
    let (service, setup, of) = service().await;
    assert_eq!(standing(&service, &of).await, Value::Null);
    let checked = check(&service, &of, NUMBER).await;
    assert_eq!(checked.status.as_u16(), 200, "{}", checked.text);
    let seen = standing(&service, &of).await;
    assert_eq!(checked.json["phoneNumbers"][0]["standing"], seen);
    assert_eq!(
        (&seen["status"], &seen["quality"]),
        (&json!("CONNECTED"), &json!("GREEN"))
    );
    assert_eq!(seen["reviewStatus"], "APPROVED");
    assert_eq!(seen["webhooks"], "lost", "nobody is subscribed");
    assert_eq!(seen["concerns"][0]["kind"], "subscription");
    assert!(seen["checkedAt"].is_string() && seen["concerns"][0]["advice"].is_string());

    setup
        .onboarding
        .change_standing(NUMBER, |seen| seen.status = Some("BANNED".into()));
    service.clock.advance(Duration::from_secs(1));
    check(&service, &of, NUMBER).await;
    let tenant = service.get(&of).await;
    let number = &tenant.json["phoneNumbers"][0];
    assert_eq!(number["hold"]["reason"], "account_restricted", "{number}");
    let feed = service.get(&format!("{of}/feed?after=0")).await;
    let kinds: Vec<&str> = feed.json["data"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "number.changed").count(),
        2,
        "{kinds:?}"
    );
    assert!(kinds.contains(&"sending.held"), "{kinds:?}");
}

#[tokio::test]
async fn what_cannot_be_checked_is_told() {
    let (service, setup, of) = service().await;
    assert_eq!(
        check(&service, &of, "222222222222222").await.outcome(),
        (404, "phone_number_not_found")
    );
    assert_eq!(
        check(&service, &of, "x").await.outcome(),
        (404, "phone_number_not_found")
    );
    setup.onboarding.ignore_next("standing");
    assert_eq!(check(&service, &of, NUMBER).await.outcome(), (502, "meta_unavailable"));
    assert_eq!(standing(&service, &of).await, Value::Null);

    let simulated = service.register("Tenant B", "333333333333333").await;
    let of = format!("/tenants/{}", simulated.id);
    let checked = check(&service, &of, "333333333333333").await;
    assert_eq!(checked.status.as_u16(), 200, "{}", checked.text);
    assert_eq!(standing(&service, &of).await, Value::Null, "nothing goes to Meta");
}
