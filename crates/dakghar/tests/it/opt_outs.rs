//! People who want no messages, through the whole product: what they say reaches what is sent, also what waits.

use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_person_who_says_stop_gets_nothing_until_they_say_start,
    a_window_is_known_from_messages_and_calls,
);

const PERSON: &str = "919111111111";

async fn post(product: &Product, field: &str, value: Value) {
    let body = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "9001", "time": 1_760_000_000, "changes": [{"field": field, "value": value}]}]});
    let answer = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(answer.expect("an answer"), 200);
}

/// The person writes now.
async fn writes(product: &Product, text: &str, n: u32) {
    let value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": "111"},
        "contacts": [{"wa_id": PERSON, "profile": {"name": "Asha"}}],
        "messages": [{"from": PERSON, "id": format!("wamid.W{n}"), "type": "text", "text": {"body": text}}]});
    post(product, "messages", value).await;
}

async fn send(product: &Product, tenant: &Tenant, more: Value) -> (u16, Value) {
    let mut body = json!({"to": format!("+{PERSON}"), "text": "Hello"});
    let members = body.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    product
        .call("POST", &format!("/tenants/{}/send", tenant.id), Some(body))
        .await
}

async fn a_person_who_says_stop_gets_nothing_until_they_say_start(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let rules = format!("/tenants/{}/sending-rules", tenant.id);
    let set = json!({"optOuts": {"enforce": "all"}});
    assert_eq!(product.call("PUT", &rules, Some(set)).await.0, 200);
    let (status, first) = send(&product, &tenant, json!({})).await;
    assert_eq!(status, 202, "{first}");
    product
        .until_status(&tenant, &text(&first["messageId"]), "delivered")
        .await;
    // It is told to wait, so that the STOP comes before its call.
    let pause = format!("/tenants/{}/pause", tenant.id);
    assert_eq!(product.call("POST", &pause, None).await.0, 200);
    let (status, waits) = send(&product, &tenant, json!({})).await;
    assert_eq!(status, 202, "{waits}");
    writes(&product, "STOP", 1).await;
    let (status, refused) = send(&product, &tenant, json!({})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("opted_out")), "{refused}");
    let resume = format!("/tenants/{}/resume", tenant.id);
    assert_eq!(product.call("POST", &resume, None).await.0, 200);
    let waits = text(&waits["messageId"]);
    product.until_status(&tenant, &waits, "dead").await;
    let ended = product.message(&tenant, &waits).await;
    assert_eq!(
        (&ended["deadReason"], &ended["attempts"]),
        (&json!("opted_out"), &json!(0))
    );

    // The shell shows and ends it as well.
    let owner = ["--tenant", tenant.id.as_str()];
    let (status, listed, errors) = product.run(&["opt-out", "list", owner[0], owner[1]]);
    assert!(status == Some(0), "{errors}");
    assert!(listed.contains(PERSON) && listed.contains("stop_word"), "{listed}");
    writes(&product, "start", 2).await;
    assert!(
        eventually(async || send(&product, &tenant, json!({})).await.0 == 202).await,
        "they want messages again"
    );
    let (status, _, errors) = product.run(&["opt-out", "set", owner[0], owner[1], PERSON, "--scope", "marketing"]);
    assert!(status == Some(0), "{errors}");
    let (status, refused) = send(&product, &tenant, json!({"marketing": true})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("opted_out")), "{refused}");
    let (status, removed, errors) = product.run(&["opt-out", "remove", owner[0], owner[1], PERSON]);
    assert!(status == Some(0) && removed.contains("nothing"), "{errors}{removed}");
    assert_eq!(send(&product, &tenant, json!({"marketing": true})).await.0, 202);
}

async fn a_window_is_known_from_messages_and_calls(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let open = json!({"requireOpenWindow": true});
    let (status, refused) = send(&product, &tenant, open.clone()).await;
    assert_eq!((status, &refused["code"]), (422, &json!("window_closed")), "{refused}");
    let call = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "111"},
        "calls": [{"id": "wacid.1", "event": "connect", "direction": "USER_INITIATED", "from": PERSON}]});
    post(&product, "calls", call).await;
    let (status, sent) = send(&product, &tenant, open).await;
    assert_eq!(status, 202, "{sent}");
    product
        .until_status(&tenant, &text(&sent["messageId"]), "delivered")
        .await;
    let listed = product.get(&format!("/tenants/{}/conversations", tenant.id)).await;
    let conversation = &listed["data"][0];
    assert_eq!(conversation["lastMessageId"], sent["messageId"]);
    assert!(conversation["customerServiceWindowUntil"].is_string(), "{conversation}");
}
