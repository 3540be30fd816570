//! Numbers that move from one tenant to another while what Meta tells about them is on its way, and accounts that several
//! tenants share.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dakghar_core::domain::Secret;
use dakghar_core::vault::MasterKey;
use dakghar_graph_sim::{Fault, FaultRule, Outcome, StatusPlan};
use serde_json::{Value, json};

use crate::installation::of_an_earlier_release;
use crate::product::{Backend, MASTER_KEY, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    statuses_reach_the_tenant_that_sent_and_not_the_one_that_has_the_number,
    events_of_an_account_reach_whom_they_are_about,
);

/// A message of which Meta took a call.
struct Sent {
    id: String,
    wamid: String,
    opaque: String,
}

/// Sends a message; it has this status when Meta was called.
async fn send(product: &Product, tenant: &Tenant, status: &str) -> Sent {
    let id = product.send(tenant, "+919111111111").await;
    product.until_status(tenant, &id, status).await;
    let journal = product.sim.journal();
    let entry = journal.last().expect("a call");
    let Outcome::Accepted { wamid } = &entry.outcome else {
        panic!("{entry:?}")
    };
    let opaque = entry.biz_opaque.clone().expect("callback data");
    assert!(opaque.contains(&id), "{opaque}");
    let wamid = wamid.clone();
    Sent { id, wamid, opaque }
}

fn status(wamid: &str, status: &str, opaque: Option<&str>) -> Value {
    let mut value = json!({"id": wamid, "status": status, "timestamp": "1760000000", "recipient_id": "919111111111"});
    if let Some(opaque) = opaque {
        value["biz_opaque_callback_data"] = json!(opaque);
    }
    value
}

/// Meta posts these statuses of the number 111.
async fn post_statuses(product: &Product, statuses: &[Value]) {
    let metadata = json!({"display_phone_number": "15550783881", "phone_number_id": "111"});
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata, "statuses": statuses});
    post_change(product, json!({"field": "messages", "value": value})).await;
}

async fn post_change(product: &Product, change: Value) {
    let entry = json!({"id": "9001", "changes": [change]});
    let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
    assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);
}

async fn add_number(product: &Product, tenant: &Tenant, body: Value) {
    let path = format!("/tenants/{}/phone-numbers", tenant.id);
    product.post(&path, body).await;
}

async fn remove_number(product: &Product, tenant: &Tenant, number: &str) {
    let path = format!("/tenants/{}/phone-numbers/{number}", tenant.id);
    let (status, body) = product.call("DELETE", &path, None).await;
    assert_eq!(status, 204, "{body}");
}

/// Callback data as an earlier release made it: it names no tenant.
fn opaque_of_version_1(sender: &Tenant, message: &str) -> String {
    let master_key = MasterKey::new(&Secret::new(MASTER_KEY)).unwrap();
    let secret: [u8; 32] = master_key.root().derive("callback data");
    let signed = format!("{}|111|{message}|1", sender.id);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
    format!("v1.{message}.1.{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..12]))
}

async fn list(product: &Product, tenant: &Tenant, of: &str) -> Value {
    product.get(&format!("/tenants/{}/{of}", tenant.id)).await["data"].clone()
}

async fn statuses_reach_the_tenant_that_sent_and_not_the_one_that_has_the_number(backend: Backend) {
    let mut product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    of_an_earlier_release(&mut product).await;
    let (sender, next) = (
        product.tenant("111", "EAAG-a").await,
        product.tenant("222", "EAAG-b").await,
    );
    add_number(&product, &sender, json!({"phoneNumberId": "112"})).await;
    let named = send(&product, &sender, "sent").await;
    let known = send(&product, &sender, "sent").await;
    let untouched = send(&product, &sender, "sent").await;
    product
        .sim
        .add_rule(FaultRule::first(2, Fault::ResetAfterBody { accept: true }));
    let in_doubt = send(&product, &sender, "in_doubt").await;
    let of_version_1 = send(&product, &sender, "in_doubt").await;

    remove_number(&product, &sender, "111").await;
    add_number(
        &product,
        &next,
        json!({"phoneNumberId": "111", "accessToken": "EAAG-b"}),
    )
    .await;
    let version_1 = opaque_of_version_1(&sender, &of_version_1.id);
    let statuses = [
        status(&named.wamid, "read", Some(&named.opaque)),
        status(&known.wamid, "delivered", None),
        status(&in_doubt.wamid, "delivered", Some(&in_doubt.opaque)),
        status(&of_version_1.wamid, "read", Some(&version_1)),
    ];
    post_statuses(&product, &statuses).await;
    for (sent, status) in [
        (&named, "read"),
        (&known, "delivered"),
        (&in_doubt, "delivered"),
        (&of_version_1, "read"),
    ] {
        let message = product.message(&sender, &sent.id).await;
        assert_eq!(
            (&message["status"], &message["wamid"]),
            (&json!(status), &json!(sent.wamid))
        );
    }

    // What nobody could have signed moves nothing, and is nobody's.
    let (unsigned, mac) = untouched.opaque.rsplit_once('.').expect("a MAC");
    let forged = [
        untouched.opaque.replace(&sender.id, &next.id),
        format!("{unsigned}.{}", "A".repeat(mac.len())),
        format!("{unsigned}."),
        format!("v1.{}.1.{mac}", untouched.id),
        opaque_of_version_1(&product.tenant("333", "EAAG-c").await, &untouched.id),
    ];
    let statuses: Vec<Value> = (0..)
        .zip(&forged)
        .map(|(n, opaque)| status(&format!("wamid.foreign.{n}"), "read", Some(opaque)))
        .collect();
    post_statuses(&product, &statuses).await;
    let unrouted = product.until_count("/unrouted", forged.len()).await;
    assert_eq!(unrouted.len(), forged.len(), "{unrouted:#?}");
    for event in &unrouted {
        assert_eq!(
            (&event["reason"], &event["field"]),
            (&json!("unknown_message"), &json!("statuses"))
        );
    }
    assert_eq!(product.message(&sender, &untouched.id).await["status"], "sent");

    // The new owner sees none of it.
    for of in ["messages", "events", "conversations"] {
        assert_eq!(list(&product, &next, of).await, json!([]), "{of}");
    }
    let theirs = format!("/tenants/{}/messages/{}", next.id, named.id);
    assert_eq!(product.call("GET", &theirs, None).await.0, 404);
    assert_eq!(list(&product, &sender, "events").await, json!([]));

    // What it sends itself is its own.
    let path = format!("/tenants/{}/send", next.id);
    let body = json!({"to": "+919111111111", "text": "hello", "from": "111"});
    let id = text(&product.post(&path, body).await["messageId"]);
    product.until_status(&next, &id, "sent").await;
    let opaque = product.sim.journal().last().unwrap().biz_opaque.clone();
    post_statuses(&product, &[status("wamid.next", "delivered", opaque.as_deref())]).await;
    assert_eq!(product.message(&next, &id).await["status"], "delivered");
}

async fn events_of_an_account_reach_whom_they_are_about(backend: Backend) {
    let product = Product::start(backend).await;
    let register = async |number: &str, display: &str| {
        let body = json!({
            "name": number, "phoneNumberId": number, "accessToken": "mock_a", "wabaId": "9001",
            "displayPhoneNumber": display,
        });
        let answer = product.post("/tenants/register", body).await;
        Tenant {
            id: text(&answer["tenantId"]),
            api_key: text(&answer["apiKey"]),
        }
    };
    let (first, second) = (
        register("111", "+1 555-078-3881").await,
        register("222", "+1 555-078-3882").await,
    );
    let post = async |field: &str, value: Value| post_change(&product, json!({"field": field, "value": value})).await;
    let fields = async |tenant: &Tenant| {
        let events = list(&product, tenant, "events").await;
        let events = events.as_array().unwrap().iter();
        events.map(|event| text(&event["field"])).collect::<Vec<_>>()
    };
    post(
        "security",
        json!({"display_phone_number": "15550783881", "event": "PIN_CHANGED"}),
    )
    .await;
    post(
        "account_settings_update",
        json!({"phone_number_settings": {"phone_number_id": "222"}}),
    )
    .await;
    post("account_update", json!({"event": "ACCOUNT_VIOLATION"})).await;
    assert_eq!(fields(&first).await, ["account_update", "security"]);
    assert_eq!(fields(&second).await, ["account_update", "account_settings_update"]);
    assert_eq!(product.get("/unrouted").await["data"], json!([]));

    // The number moves, and what is told about it from then on.
    add_number(
        &product,
        &first,
        json!({"phoneNumberId": "112", "wabaId": "9001", "displayPhoneNumber": "113"}),
    )
    .await;
    remove_number(&product, &first, "111").await;
    let moved = json!({"phoneNumberId": "111", "wabaId": "9001", "displayPhoneNumber": "+1 (555) 078 3881"});
    add_number(&product, &second, moved).await;
    post(
        "phone_number_quality_update",
        json!({"display_phone_number": "15550783881", "event": "ONBOARDING"}),
    )
    .await;
    post(
        "business_username_updates",
        json!({"display_phone_number": "15550783889", "status": "approved"}),
    )
    .await;
    assert_eq!(fields(&first).await.len(), 2);
    assert_eq!(fields(&second).await[0], "phone_number_quality_update");
    assert_eq!(fields(&second).await.len(), 3);
    let unrouted = product.get("/unrouted").await["data"].clone();
    assert_eq!(unrouted.as_array().unwrap().len(), 1, "{unrouted:#}");
    assert_eq!(unrouted[0]["reason"], "unknown_number");

    // A tenant cannot claim another one's number.
    let path = format!("/tenants/{}/phone-numbers/112", first.id);
    let claim = json!({"displayPhoneNumber": "15550783881"});
    let request = product
        .http
        .patch(product.url(&path))
        .bearer_auth(&first.api_key)
        .json(&claim);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 403);
}
