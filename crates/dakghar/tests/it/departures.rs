//! Departures through the whole product: what is at Meta is taken back once, whatever is killed on the way, and then nothing is left.

use dakghar_graph_sim::{Fault, FaultRule, Match, Number, Token};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_tenant_leaves_though_the_process_is_killed_on_the_way,
    the_shell_lets_a_tenant_leave_and_shows_what_became_of_it,
);

const WABA: &str = "900";
const NUMBER: &str = "501";
const TOKEN: &str = "EAAG-leaving-canary";
const APP_ID: &str = "4242";

/// A product, and a tenant whose number is connected: its app is subscribed to the account.
async fn with_tenant(backend: Backend) -> (Product, Tenant) {
    let product = Setup::on(backend).env("APP_ID", APP_ID).start().await;
    product.sim.set_number(Number {
        waba_id: WABA.to_owned(),
        ..Number::derived(NUMBER)
    });
    product.sim.set_token(Token {
        app_id: Some(APP_ID.to_owned()),
        waba_ids: vec![WABA.to_owned()],
        ..Token::plain(TOKEN)
    });
    let url = format!("{}/v25.0/{WABA}/subscribed_apps", product.sim.base_url());
    let subscribe = product.http.post(url).bearer_auth(TOKEN).json(&json!({}));
    assert!(subscribe.send().await.expect("an answer").status().is_success());
    let body = json!({"name": "Leaving", "phoneNumberId": NUMBER, "accessToken": TOKEN, "wabaId": WABA});
    let registered = product.post("/tenants/register", body).await;
    let tenant = Tenant {
        id: text(&registered["tenantId"]),
        api_key: text(&registered["apiKey"]),
    };
    (product, tenant)
}

async fn until(product: &Product, path: &str, state: &str) -> Value {
    let is_there = eventually(async || {
        let (status, departure) = product.call("GET", path, None).await;
        status == 200 && departure["state"] == state
    });
    assert!(is_there.await, "{}", product.get(path).await);
    product.get(path).await
}

/// The times that Meta did this call.
fn done(product: &Product, call: &str) -> usize {
    let journal = product.sim.onboarding_journal();
    journal
        .iter()
        .filter(|entry| entry.call == call && entry.is_done)
        .count()
}

async fn a_tenant_leaves_though_the_process_is_killed_on_the_way(backend: Backend) {
    let (mut product, tenant) = with_tenant(backend).await;
    let sent = json!({"to": "+919111111111", "text": "the last"});
    let message = product.post(&format!("/tenants/{}/send", tenant.id), sent).await;
    let id = text(&message["messageId"]);
    product.until_status(&tenant, &id, "delivered").await;
    // Meta takes its time with the deregistration, and the process dies meanwhile.
    let deregister = Match {
        call: Some("deregister".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::Slow { ms: 60_000 }).when(deregister));
    let path = format!("/tenants/{}/departures", tenant.id);
    let body = json!({"deregister": true, "revokeToken": true, "required": ["unsubscribe", "deregister", "revoke"]});
    let begun = product.post(&path, body).await;
    let one = format!("{path}/{}", text(&begun["departureId"]));
    assert!(eventually(async || done(&product, "deregister") == 1).await);
    product.restart().await;

    let stopped = until(&product, &one, "stopped").await;
    assert_eq!(stopped["reason"], "export_not_fetched", "{stopped}");
    let (status, refused) = product
        .call(
            "POST",
            &format!("/tenants/{}/send", tenant.id),
            Some(json!({"to": "+919111111111", "text": "too late"})),
        )
        .await;
    assert_eq!((status, &refused["code"]), (409, &json!("tenant_leaving")));
    let url = product.url(&format!("/tenants/{}/export", tenant.id));
    let export = product.http.get(url).bearer_auth(&tenant.api_key).send().await;
    let export = export.expect("an answer").text().await.expect("text");
    assert!(export.contains("the last") && export.trim_end().ends_with(r#""data":null}"#));
    product.restart().await;

    let over = until(&product, &one, "done").await;
    for call in ["unsubscribe", "deregister", "revoke"] {
        assert_eq!(
            done(&product, call),
            1,
            "{call}: {:#?}",
            product.sim.onboarding_journal()
        );
    }
    let steps = over["steps"].as_array().expect("a list");
    assert!(steps.iter().all(|step| step["outcome"] != "failed"), "{over}");
    let (status, _) = product.call("GET", &format!("/tenants/{}", tenant.id), None).await;
    assert_eq!(status, 404);
    let stored = product.stored_bytes().await;
    let is_stored = stored.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
    assert!(!is_stored && !over.to_string().contains("919111111111"));
    // The number is free.
    let body = json!({"name": "Next", "phoneNumberId": NUMBER, "accessToken": "mock_next"});
    assert_eq!(product.call("POST", "/tenants/register", Some(body)).await.0, 201);
}

async fn the_shell_lets_a_tenant_leave_and_shows_what_became_of_it(backend: Backend) {
    let (product, tenant) = with_tenant(backend).await;
    let when = Match {
        call: Some("unsubscribe".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::graph_error(200)).when(when));
    let (code, left, errors) = product.run(&["tenant", "leave", &tenant.id, "--skip-export", "--cancel-queued"]);
    assert_eq!(code, Some(0), "{left}{errors}");
    assert!(
        left.contains("unsubscribe") && left.contains("(200)") && left.contains("is done"),
        "{left}"
    );
    let id = left
        .split_whitespace()
        .find(|word| word.starts_with("dep_"))
        .expect("an id");
    let of = ["--tenant", tenant.id.as_str()];
    let (code, listed, errors) = product.run(&["departure", "list", of[0], of[1]]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(listed.contains(id) && listed.contains("done"), "{listed}");
    let (code, shown, errors) = product.run(&["departure", "show", of[0], of[1], id]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(shown.contains("failed") && shown.contains("remove"), "{shown}");
    let (code, _, errors) = product.run(&["departure", "cancel", of[0], of[1], id]);
    assert_eq!(code, Some(1), "{errors}");
}
