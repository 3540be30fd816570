//! One person is one person, on both backends.

use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, on_both_backends, text};

on_both_backends!(
    a_person_with_and_without_a_visible_number_is_one,
    a_changed_number_and_id_are_the_same_person,
    who_answers_under_another_number_than_the_one_called_is_one,
);

async fn receive(product: &Product, message: Value, contact: Option<Value>) {
    let mut value = json!({"messaging_product": "whatsapp", "messages": [message],
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": "111"}});
    if let Some(contact) = contact {
        value["contacts"] = json!([contact]);
    }
    let body = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "9001", "changes": [{"field": "messages", "value": value}]}]});
    let answer = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(answer.expect("an answer"), 200);
}

fn message(id: &str, second: u32, who: &Value) -> Value {
    let mut message =
        json!({"id": id, "timestamp": format!("17600000{second:02}"), "type": "text", "text": {"body": id}});
    for (name, value) in who.as_object().expect("ids") {
        message[name] = value.clone();
    }
    message
}

/// The only one in a list of the tenant.
async fn only(product: &Product, tenant: &Tenant, list: &str) -> Value {
    let listed = product.get(&format!("/tenants/{}/{list}", tenant.id)).await["data"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{list}: {listed:#}");
    listed[0].clone()
}

async fn a_person_with_and_without_a_visible_number_is_one(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let hidden = message("wamid.B1", 10, &json!({"from_user_id": "US.1"}));
    receive(
        &product,
        hidden,
        Some(json!({"user_id": "US.1", "profile": {"name": "Asha"}})),
    )
    .await;
    let before = only(&product, &tenant, "people").await;
    assert_eq!((&before["ids"], &before["name"]), (&json!(["US.1"]), &json!("Asha")));
    let shown = message("wamid.B2", 20, &json!({"from": "16505550101", "from_user_id": "US.1"}));
    let contact = json!({"wa_id": "16505550101", "user_id": "US.1", "parent_user_id": "US.ENT.7",
        "profile": {"name": "Asha E", "username": "asha"}});
    receive(&product, shown, Some(contact)).await;
    let person = only(&product, &tenant, "people").await;
    assert_eq!(person["ids"], json!(["16505550101", "US.1", "US.ENT.7"]));
    assert_eq!(
        (&person["name"], &person["username"]),
        (&json!("Asha E"), &json!("asha"))
    );
    assert_eq!(person["id"], before["id"], "the older record stays");
    assert_eq!(person["firstSeenAt"], "2025-10-09T08:53:30.000Z");
    let conversation = only(&product, &tenant, "conversations").await;
    assert_eq!(
        (&conversation["waId"], &conversation["personId"]),
        (&json!("16505550101"), &person["id"])
    );
    assert_eq!(person["conversationIds"], json!([conversation["id"]]));
    // What is sent to either is in it, too.
    let id = product.send(&tenant, "+16505550101").await;
    product.until_status(&tenant, &id, "delivered").await;
    let conversation = only(&product, &tenant, "conversations").await;
    let path = format!("conversations/{}/messages", text(&conversation["id"]));
    let messages = product.get(&format!("/tenants/{}/{path}", tenant.id)).await["data"].clone();
    let from: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|seen| text(&seen["from"]))
        .collect();
    assert_eq!(from, ["111", "16505550101", "US.1"]);
    let one = product
        .get(&format!("/tenants/{}/people/{}", tenant.id, text(&person["id"])))
        .await;
    assert_eq!(one["ids"], person["ids"]);
}

async fn a_changed_number_and_id_are_the_same_person(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    receive(
        &product,
        message("wamid.C1", 10, &json!({"from": "16505551234", "from_user_id": "US.1"})),
        None,
    )
    .await;
    let number = json!({"from": "16505551234", "id": "wamid.C2", "timestamp": "1760000020", "type": "system", "system": {
        "type": "user_changed_number", "body": "changed", "wa_id": "12195555358", "user_id": "US.3",
        "previous_user_id": "US.1"}});
    let id = json!({"id": "wamid.C3", "timestamp": "1760000030", "type": "system", "system": {
        "type": "user_changed_user_id", "body": "changed", "user_id": "US.5", "previous_user_id": "US.3"}});
    receive(&product, number, None).await;
    receive(&product, id, None).await;
    receive(
        &product,
        message("wamid.C4", 40, &json!({"from": "12195555358", "from_user_id": "US.5"})),
        None,
    )
    .await;
    let person = only(&product, &tenant, "people").await;
    assert_eq!(
        person["ids"],
        json!(["12195555358", "16505551234", "US.1", "US.3", "US.5"])
    );
    let conversation = only(&product, &tenant, "conversations").await;
    assert_eq!(conversation["waId"], "12195555358");
    assert_eq!(conversation["lastInboundAt"], "2025-10-09T08:54:00.000Z");
}

async fn who_answers_under_another_number_than_the_one_called_is_one(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+5541987654321").await;
    product.until_status(&tenant, &id, "delivered").await;
    receive(
        &product,
        message("wamid.D1", 10, &json!({"from": "554187654321"})),
        None,
    )
    .await;
    let person = only(&product, &tenant, "people").await;
    assert_eq!(person["ids"], json!(["554187654321", "5541987654321"]));
    only(&product, &tenant, "conversations").await;
}
