//! Numbers that drift at Meta, through the whole product: each kind is told within one check, what cannot send is held and goes
//! on by itself, and events of accounts count at once.

use dakghar_graph_sim::{Drift, Token};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    each_kind_of_drift_is_told_within_a_check,
    a_number_that_cannot_send_is_held_and_goes_on_by_itself,
    the_shell_looks_and_checks,
);

const APP: &str = "4242";
const TOKEN: &str = "EAAG-watched";
const NUMBER: &str = "111";
const ACCOUNT: &str = "9111";

/// A product that checks each number once in this time, and a tenant with a number that was checked once.
async fn checked(backend: Backend, seconds: u32) -> (Product, Tenant) {
    let setup = Setup::on(backend)
        .env("APP_ID", APP)
        .env("NUMBER_CHECK_SECONDS", seconds);
    let product = setup.start().await;
    product.sim.set_token(Token {
        app_id: Some(APP.to_owned()),
        ..Token::plain(TOKEN)
    });
    let tenant = product.tenant(NUMBER, TOKEN).await;
    if seconds > 0 {
        let is_checked = eventually(async || number(&product, &tenant).await["standing"]["checkedAt"].is_string());
        assert!(is_checked.await, "{}", product.log());
        assert_eq!(changes(&product, &tenant).await, [] as [Value; 0]);
    }
    (product, tenant)
}

async fn number(product: &Product, tenant: &Tenant) -> Value {
    let shown = product.get(&format!("/tenants/{}", tenant.id)).await;
    shown["phoneNumbers"][0].clone()
}

/// Everything that the tenant was told of its number, in its order.
async fn changes(product: &Product, tenant: &Tenant) -> Vec<Value> {
    let path = format!("/tenants/{}/feed?after=0&limit=200", tenant.id);
    let feed = product.get(&path).await;
    let entries = feed["data"].as_array().cloned().unwrap_or_default();
    let told = entries.iter().filter(|entry| entry["kind"] == "number.changed");
    let changes = told.flat_map(|entry| {
        let changes = &entry["data"]["payload"]["changes"];
        changes.as_array().unwrap_or_else(|| panic!("{entry}")).clone()
    });
    changes.collect()
}

async fn until_hold(product: &Product, tenant: &Tenant, reason: &Value) {
    let is_so = eventually(async || number(product, tenant).await["hold"]["reason"] == *reason);
    assert!(is_so.await, "{}", number(product, tenant).await);
}

async fn each_kind_of_drift_is_told_within_a_check(backend: Backend) {
    let (product, tenant) = checked(backend, 1).await;
    assert_eq!(number(&product, &tenant).await["wabaId"], ACCOUNT, "it was learned");
    let of_number = |fields: Value| Drift::of_number(NUMBER, fields);
    let drifts = [
        ("name", "Boats", of_number(json!({"verified_name": "Boats"}))),
        ("name_status", "DECLINED", of_number(json!({"name_status": "DECLINED"}))),
        ("quality", "RED", of_number(json!({"quality_rating": "RED"}))),
        (
            "messaging_limit",
            "TIER_2K",
            of_number(json!({"whatsapp_business_manager_messaging_limit": "TIER_2K"})),
        ),
        (
            "throughput",
            "HIGH",
            of_number(json!({"throughput": {"level": "HIGH"}})),
        ),
        ("pin", "not set", of_number(json!({"is_pin_enabled": false}))),
        ("account_mode", "SANDBOX", of_number(json!({"account_mode": "SANDBOX"}))),
        (
            "health",
            "LIMITED",
            of_number(json!({"health_status": {"can_send_message": "LIMITED"}})),
        ),
        ("status", "FLAGGED", of_number(json!({"status": "FLAGGED"}))),
        (
            "account_review",
            "PENDING",
            Drift::of_account(ACCOUNT, json!({"account_review_status": "PENDING"})),
        ),
        (
            "subscription",
            "overridden",
            Drift::of_subscriptions(ACCOUNT, &[(APP, Some("https://others.example/hook"))]),
        ),
        ("subscription", "lost", Drift::of_subscriptions(ACCOUNT, &[("5", None)])),
    ];
    for (told, (kind, after, drift)) in drifts.into_iter().enumerate() {
        product.sim.drift(drift);
        let is_told = eventually(async || changes(&product, &tenant).await.len() > told).await;
        let all = changes(&product, &tenant).await;
        assert!(is_told, "{kind} is not told: {all:#?}");
        assert_eq!(
            (&all[told]["kind"], &all[told]["after"]),
            (&json!(kind), &json!(after)),
            "{all:#?}"
        );
        assert!(all[told]["before"].is_string(), "{:#?}", all[told]);
    }
    let seen = number(&product, &tenant).await;
    assert_eq!(seen["messagesPerSecond"], 1_000, "{seen}");
    assert_eq!(seen["hold"], Value::Null, "{seen}");
    assert_eq!(
        seen["standing"]["concerns"].as_array().map(Vec::len),
        Some(8),
        "{seen:#}"
    );
    assert!(!product.log().contains(TOKEN), "a token is in the log");
}

async fn a_number_that_cannot_send_is_held_and_goes_on_by_itself(backend: Backend) {
    let (product, tenant) = checked(backend, 1).await;
    let held = json!("account_restricted");
    product.sim.drift(Drift::of_number(NUMBER, json!({"status": "BANNED"})));
    until_hold(&product, &tenant, &held).await;
    let waiting = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &waiting, "held").await;
    product.sim.drift(Drift::of_number(NUMBER, json!({"status": null})));
    product.until_status(&tenant, &waiting, "delivered").await;
    assert_eq!(number(&product, &tenant).await["hold"], Value::Null);

    let post = async |state: &str| {
        let change = json!({"field": "account_update", "value":
            {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}});
        let entry = json!({"id": ACCOUNT, "changes": [change]});
        let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
        let answered = product.sim.post_webhook_raw(body.into_bytes()).await;
        assert_eq!(answered.expect("an answer"), 200);
    };
    post("DISABLE").await;
    assert_eq!(number(&product, &tenant).await["hold"]["reason"], held, "at once");
    post("REINSTATE").await;
    until_hold(&product, &tenant, &Value::Null).await;

    product.sim.set_token(Token {
        app_id: Some(APP.to_owned()),
        is_valid: false,
        ..Token::plain(TOKEN)
    });
    until_hold(&product, &tenant, &json!("credentials_invalid")).await;
}

async fn the_shell_looks_and_checks(backend: Backend) {
    let (product, tenant) = checked(backend, 0).await;
    let id = tenant.id.as_str();
    let (code, out, err) = product.run(&["number", "check", "--tenant", id, NUMBER]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("CONNECTED") && out.contains("subscribed"), "{out}");
    let (_, out, err) = product.run(&["doctor", "--tenant", id]);
    assert!(out.contains("as it was at the last check"), "{out}{err}");

    product
        .sim
        .drift(Drift::of_number(NUMBER, json!({"quality_rating": "RED"})));
    product.sim.drift(Drift::of_subscriptions(ACCOUNT, &[]));
    let (code, out, err) = product.run(&["doctor", "--tenant", id]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("quality was GREEN at the last check, and is RED"), "{out}");
    assert!(out.contains("subscription is lost"), "{out}");
    assert_eq!(
        changes(&product, &tenant).await,
        [] as [Value; 0],
        "the doctor keeps nothing"
    );

    let path = format!("/tenants/{id}/phone-numbers/{NUMBER}/check");
    let checked = product.post(&path, Value::Null).await;
    assert_eq!(text(&checked["phoneNumbers"][0]["standing"]["quality"]), "RED");
    // The feed tells of them once they have their places.
    assert!(eventually(async || changes(&product, &tenant).await.len() == 2).await);
    let (code, _, err) = product.run(&["number", "check", "--tenant", id, "999"]);
    assert_eq!(code, Some(1), "{err}");
}
