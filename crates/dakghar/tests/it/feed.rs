//! The feed of a tenant: everything that happens to it, in one order.

use dakghar_graph_sim::StatusPlan;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    everything_that_happens_is_told_once_and_in_order,
    a_feed_is_read_on_behind_each_place,
    a_place_that_a_feed_does_not_have_is_refused,
    a_feed_goes_on_after_a_kill,
    what_was_revoked_is_not_told_in_the_feed,
    a_message_that_comes_again_with_another_content_is_told_and_kept,
    a_hold_is_told_when_it_begins_and_when_it_ends,
);

/// The feed behind a place, when it has so many entries.
async fn feed(product: &Product, tenant: &Tenant, after: u64, count: usize) -> Vec<Value> {
    let path = format!("/tenants/{}/feed?limit=200&after={after}", tenant.id);
    let mut entries = Vec::new();
    for _ in 0..600 {
        let page = product.get(&path).await;
        entries = page["data"].as_array().expect("entries").clone();
        if entries.len() >= count {
            break;
        }
        // Where places are given later, that takes a moment.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(entries.len(), count, "{:#?}", kinds(&entries));
    entries
}

fn kinds(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| text(&entry["kind"])).collect()
}

async fn post(product: &Product, field: &str, value: &Value) {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "time": 1_760_000_000, "changes": [
        {"field": field, "value": value},
    ]}]});
    let posted = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(posted.unwrap(), 200);
}

fn inbound(wamid: &str, body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1555", "phone_number_id": "111"},
        "contacts": [{"wa_id": "919111111111", "profile": {"name": "Asha"}}],
        "messages": [{"from": "919111111111", "id": wamid, "timestamp": "1760000000", "type": "text", "text": {"body": body}}],
    })
}

async fn everything_that_happens_is_told_once_and_in_order(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let other = product.tenant("222", "EAAG-other").await;
    let id = product.send(&tenant, "+919111111111").await;
    let message = product.until_status(&tenant, &id, "sent").await;
    feed(&product, &tenant, 0, 1).await;
    let opaque = product
        .sim
        .journal()
        .pop()
        .expect("a call")
        .biz_opaque
        .expect("callback data");
    let report = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1555", "phone_number_id": "111"},
        "statuses": [{
            "id": message["wamid"], "status": "delivered", "timestamp": "1760000000", "recipient_id": "919111111111",
            "biz_opaque_callback_data": opaque, "pricing": {"category": "utility"},
        }],
    });
    let account = json!({"event": "VERIFIED_ACCOUNT", "phone_number": "1555"});
    for (field, value) in [
        ("messages", &inbound("wamid.IN", "hello")),
        ("messages", &report),
        ("messages", &inbound("wamid.IN", "hello")),
        ("messages", &report),
        ("account_update", &account),
        ("account_update", &account),
    ] {
        post(&product, field, value).await;
    }
    let entries = feed(&product, &tenant, 0, 4).await;
    assert_eq!(
        kinds(&entries),
        [
            "message.sent",
            "message.received",
            "status.delivered",
            "meta.account_update"
        ]
    );
    let places: Vec<String> = entries.iter().map(|entry| text(&entry["place"])).collect();
    assert_eq!(places, ["1", "2", "3", "4"]);
    let [sent, received, delivered, event] = &entries[..] else {
        panic!("{entries:#?}")
    };
    assert_eq!(sent["data"]["status"], "sent");
    assert_eq!(sent["data"]["attempts"], 1);
    assert_eq!(sent["data"]["message"]["id"], id.as_str());
    assert_eq!(received["data"]["content"]["body"], "hello");
    assert_eq!(received["reportedAt"], "2025-10-09T08:53:20.000Z");
    assert!(
        received["delayMs"].as_u64().expect("a delay") > 86_400_000,
        "{received:#?}"
    );
    assert_eq!(delivered["data"]["report"]["pricing"]["category"], "utility");
    assert_eq!(delivered["data"]["message"]["id"], id.as_str());
    assert!(
        event["data"]["payload"].to_string().contains("VERIFIED_ACCOUNT"),
        "{event:#?}"
    );
    assert!(received["data"].get("raw").is_none());
    let raw = product
        .get(&format!("/tenants/{}/feed?after=1&limit=2&raw=true", tenant.id))
        .await;
    let [received, delivered] = &raw["data"].as_array().expect("entries")[..] else {
        panic!("{raw:#?}")
    };
    assert_eq!(
        received["data"]["raw"]["changes"][0]["value"]["contacts"][0]["profile"]["name"],
        "Asha"
    );
    assert_eq!(
        delivered["data"]["report"]["raw"]["changes"][0]["value"]["statuses"][0],
        report["statuses"][0]
    );
    feed(&product, &other, 0, 0).await;
}

async fn a_feed_is_read_on_behind_each_place(backend: Backend) {
    let product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let messages: Vec<Value> = (0..7)
        .map(|n| inbound(&format!("wamid.{n}"), "hello")["messages"][0].clone())
        .collect();
    let mut value = inbound("wamid.0", "hello");
    value["messages"] = json!(messages);
    post(&product, "messages", &value).await;
    let whole = feed(&product, &tenant, 0, 7).await;
    let path = format!("/tenants/{}/feed", tenant.id);
    let first = product.get(&format!("{path}?limit=3")).await;
    assert_eq!(
        first["data"].as_array().expect("entries")[..],
        whole[..3],
        "from the earliest on"
    );
    assert_eq!(first["nextCursor"], "3");
    let next = product.get(&format!("{path}?limit=3&after=3")).await;
    assert_eq!(next["data"].as_array().expect("entries")[..], whole[3..6]);
    let last = product.get(&format!("{path}?after=7")).await;
    assert_eq!(last, json!({"data": [], "nextCursor": "7"}), "the end for now");
    post(&product, "messages", &inbound("wamid.8", "one more")).await;
    let more = feed(&product, &tenant, 7, 1).await;
    assert_eq!(more[0]["place"], "8");
    assert_eq!(
        feed(&product, &tenant, 0, 8).await[..7],
        whole,
        "what was read stays as it is"
    );
}

async fn a_place_that_a_feed_does_not_have_is_refused(backend: Backend) {
    let product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    post(&product, "messages", &inbound("wamid.IN", "hello")).await;
    feed(&product, &tenant, 0, 1).await;
    for wrong in ["2", "-1", "01", "x", "18446744073709551616", ""] {
        let path = format!("/tenants/{}/feed?after={wrong}", tenant.id);
        let (status, problem) = product.call("GET", &path, None).await;
        assert_eq!(status, 400, "{wrong}");
        assert_eq!(problem["code"], "feed_place_unknown", "{wrong}");
    }
}

async fn a_feed_goes_on_after_a_kill(backend: Backend) {
    let mut product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    for n in 0..3 {
        post(&product, "messages", &inbound(&format!("wamid.{n}"), "hello")).await;
        // What was answered has its entry, placed or not.
        product.kill();
        product.restart().await;
    }
    post(&product, "messages", &inbound("wamid.0", "hello")).await;
    let entries = feed(&product, &tenant, 0, 3).await;
    let bodies: Vec<String> = entries.iter().map(|entry| text(&entry["data"]["wamid"])).collect();
    assert_eq!(bodies, ["wamid.0", "wamid.1", "wamid.2"]);
}

async fn what_was_revoked_is_not_told_in_the_feed(backend: Backend) {
    let product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    post(&product, "messages", &inbound("wamid.IN", "a secret")).await;
    let mut revoke = inbound("wamid.REVOKE", "");
    revoke["messages"][0] = json!({
        "from": "919111111111", "id": "wamid.REVOKE", "timestamp": "1760000001", "type": "revoke",
        "revoke": {"original_message_id": "wamid.IN"},
    });
    post(&product, "messages", &revoke).await;
    let entries = feed(&product, &tenant, 0, 2).await;
    assert_eq!(kinds(&entries), ["message.received", "message.revoked"]);
    assert_eq!(entries[0]["data"]["content"], Value::Null);
    assert!(!entries[0].to_string().contains("a secret"), "{entries:#?}");
}

async fn a_message_that_comes_again_with_another_content_is_told_and_kept(backend: Backend) {
    let product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    for body in ["hello", "hello", "hello!", "hello!", "hello"] {
        post(&product, "messages", &inbound("wamid.IN", body)).await;
    }
    let entries = feed(&product, &tenant, 0, 2).await;
    assert_eq!(kinds(&entries), ["message.received", "message.corrected"]);
    assert_eq!(entries[0]["data"]["content"]["body"], "hello");
    assert!(
        entries[1]["data"]["payload"].to_string().contains("hello!"),
        "{entries:#?}"
    );
    let events = product.get(&format!("/tenants/{}/events", tenant.id)).await;
    assert_eq!(events["data"][0]["reason"], "corrected");
}

async fn a_hold_is_told_when_it_begins_and_when_it_ends(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    for verb in ["pause", "pause", "resume"] {
        product.post(&format!("/tenants/{}/{verb}", tenant.id), json!({})).await;
    }
    let entries = feed(&product, &tenant, 0, 2).await;
    assert_eq!(kinds(&entries), ["sending.held", "sending.released"]);
    for entry in &entries {
        let payload = &entry["data"]["payload"];
        assert_eq!(payload["reason"], json!("paused_by_operator"));
        assert_eq!(payload["phoneNumberId"], Value::Null);
        assert!(payload["since"].is_string(), "{entry:#}");
    }
    let [held, released] = [0, 1].map(|place| &entries[place]["data"]["payload"]["since"]);
    assert_eq!(held, released);
}
