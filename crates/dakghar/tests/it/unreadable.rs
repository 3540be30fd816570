//! Messages and tenants that somebody broke by hand in the store: they are shown as broken, and stop nobody else.

use bson::{Document, doc};
use serde_json::json;

use crate::product::{Backend, Product, eventually, on_both_backends, text};

on_both_backends!(
    a_broken_message_stops_nobody_else,
    a_broken_tenant_stops_nobody_else,
    a_message_of_no_tenant_is_given_up
);

/// Changes a document of a collection, or a row of the table of the same name, past the program.
async fn alter(product: &Product, collection: &str, id: &str, fields: Document, columns: &str) {
    if product.is_distributed() {
        let documents = product.database().await.collection::<Document>(collection);
        let update = documents.update_one(doc! { "_id": id }, doc! { "$set": fields });
        assert_eq!(update.await.unwrap().modified_count, 1);
    } else {
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).unwrap();
        let update = file.execute(&format!("UPDATE {collection} SET {columns} WHERE id = ?"), [id]);
        assert_eq!(update.unwrap(), 1);
    }
}

/// Has a message looked at in this status, and as due since 1970.
async fn make_due(product: &Product, id: &str, status: &str) {
    let long_ago = bson::DateTime::from_millis(0);
    let fields = doc! { "wakeAt": long_ago, "slotAt": long_ago, "status": status };
    let columns = format!("wake_at = 0, slot_at = 0, status = '{status}'");
    alter(product, "messages", id, fields, &columns).await;
}

/// What mends a broken tenant again.
async fn mend(product: &Product, collection: &str, id: &str) {
    let fields = doc! { "unknownOutcome": "auto" };
    alter(product, collection, id, fields, "unknown_outcome = 'auto'").await;
}

/// A value that means nothing, in a message or a tenant.
pub async fn break_it(product: &Product, collection: &str, id: &str) {
    let fields = doc! { "unknownOutcome": "sometimes" };
    alter(product, collection, id, fields, "unknown_outcome = 'sometimes'").await;
}

async fn a_broken_message_stops_nobody_else(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let of_tenant = |path: &str| format!("/tenants/{}/{path}", tenant.id);
    let (mut delivered, mut wamids) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let id = product.send(&tenant, "+919111111111").await;
        wamids.push(product.until_status(&tenant, &id, "delivered").await["wamid"].clone());
        delivered.push(id);
    }
    assert_eq!(product.call("POST", &of_tenant("pause"), None).await.0, 200);
    let mut held = Vec::new();
    for _ in 0..3 {
        let id = product.send(&tenant, "+919111111111").await;
        product.until_status(&tenant, &id, "held").await;
        held.push(id);
    }
    break_it(&product, "messages", &delivered[0]).await;
    make_due(&product, &delivered[0], "delivered").await;
    break_it(&product, "messages", &held[0]).await;
    make_due(&product, &held[0], "held").await;
    break_it(&product, "messages", &held[1]).await;
    make_due(&product, &held[1], "queued").await;

    // The timers and the worker.
    assert_eq!(product.call("POST", &of_tenant("resume"), None).await.0, 200);
    product.until_status(&tenant, &held[2], "delivered").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;

    // A webhook with a status of each; one that the broken one should be changed by is kept as an event as well.
    let statuses: Vec<_> = (wamids.iter().zip(["failed", "read"]))
        .map(|(wamid, status)| {
            json!({"id": wamid, "status": status, "timestamp": "1760000000", "recipient_id": "919111111111"})
        })
        .collect();
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "111"}, "statuses": statuses});
    let entry = json!({"id": "9001", "changes": [{"field": "messages", "value": value}]});
    let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
    assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);
    product.until_status(&tenant, &delivered[1], "read").await;
    let events = product.until_count(&of_tenant("events"), 1).await;
    assert_eq!(events[0]["reason"], "unknown_message");

    // The one itself is an error; lists leave it out.
    for broken in [&delivered[0], &held[0], &held[1]] {
        let (status, problem) = product
            .call("GET", &of_tenant(&format!("messages/{broken}")), None)
            .await;
        assert_eq!(
            (status, problem["code"].clone()),
            (500, json!("record_unreadable")),
            "{problem}"
        );
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = product.get(&of_tenant(&format!("messages?limit=1{cursor}"))).await;
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| text(&message["id"])),
        );
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [id, held[2].clone(), delivered[1].clone()]);

    // Told once each, however often they are found.
    for broken in [&delivered[0], &held[0], &held[1]] {
        let told = || {
            let log = product.log();
            let lines = log
                .lines()
                .filter(|line| line.contains(broken) && line.contains("is left out until"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(eventually(async || !told().is_empty()).await, "nobody told of {broken}");
        let told = told();
        assert!(
            told.len() == 1 && told[0].to_lowercase().contains("unknown"),
            "{told:?}"
        );
    }
}

async fn a_broken_tenant_stops_nobody_else(backend: Backend) {
    let product = Product::start(backend).await;
    let (broken, whole) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    for (tenant, number) in [(&broken, "1110"), (&whole, "2220")] {
        let number = json!({"phoneNumberId": number, "wabaId": "9001", "accessToken": "EAAG-real"});
        product
            .post(&format!("/tenants/{}/phone-numbers", tenant.id), number)
            .await;
    }
    let mut held = Vec::new();
    for tenant in [&broken, &broken, &whole] {
        let pause = format!("/tenants/{}/pause", tenant.id);
        assert_eq!(product.call("POST", &pause, None).await.0, 200);
        let id = product.send(tenant, "+919111111111").await;
        product.until_status(tenant, &id, "held").await;
        held.push(id);
    }
    break_it(&product, "tenants", &broken.id).await;
    make_due(&product, &held[0], "held").await;
    make_due(&product, &held[1], "queued").await;

    let messages = format!("/tenants/{}/messages", broken.id);
    assert!(
        eventually(async || product.call("GET", &messages, None).await.0 == 500).await,
        "it is remembered for ever"
    );
    // The timers and the worker of the other one.
    assert_eq!(
        product
            .call("POST", &format!("/tenants/{}/resume", whole.id), None)
            .await
            .0,
        200
    );
    product.until_status(&whole, &held[2], "delivered").await;
    let id = product.send(&whole, "+919111111111").await;
    product.until_status(&whole, &id, "delivered").await;

    // One POST with a message to each: Meta must post it again, but the whole one need not wait for that.
    let changes: Vec<_> = [("111", "wamid.1"), ("222", "wamid.2")]
        .into_iter()
        .map(|(number, wamid)| {
            let message = json!({"from": "919111111111", "id": wamid, "type": "text", "text": {"body": "hi"}});
            let value = json!({"metadata": {"phone_number_id": number}, "messages": [message]});
            json!({"field": "messages", "value": value})
        })
        .collect();
    let account_event = json!({"field": "account_update", "value": {"event": "ACCOUNT_RESTRICTION"}});
    let entries = json!([{"id": "9001", "changes": changes}, {"id": "9001", "changes": [account_event]}]);
    let body = json!({"object": "whatsapp_business_account", "entry": entries}).to_string();
    let post = async || product.sim.post_webhook_raw(body.clone().into_bytes()).await.unwrap();
    let inbound = async |tenant: &str| {
        let list = product
            .get(&format!("/tenants/{tenant}/messages?direction=inbound"))
            .await;
        list["data"].as_array().unwrap().len()
    };
    assert_eq!(post().await, 500);
    assert_eq!(inbound(&whole.id).await, 1);
    mend(&product, "tenants", &broken.id).await;
    assert!(eventually(async || post().await == 200).await);
    assert_eq!((inbound(&broken.id).await, inbound(&whole.id).await), (1, 1));
    for tenant in [&broken, &whole] {
        product.until_count(&format!("/tenants/{}/events", tenant.id), 1).await;
    }
}

/// What is left when a message is accepted while its tenant is being removed.
async fn a_message_of_no_tenant_is_given_up(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let pause = format!("/tenants/{}/pause", tenant.id);
    assert_eq!(product.call("POST", &pause, None).await.0, 200);
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "held").await;
    let nobody = "ten_00000000000000000000000000";
    let columns = format!("tenant_id = '{nobody}'");
    alter(&product, "messages", &id, doc! { "tenantId": nobody }, &columns).await;
    make_due(&product, &id, "queued").await;
    let is_dead = async || stored_status(&product, &id).await == "dead";
    assert!(
        eventually(is_dead).await,
        "it is {}",
        stored_status(&product, &id).await
    );
    assert!(product.sim.journal().is_empty(), "it was sent");
}

async fn stored_status(product: &Product, id: &str) -> String {
    if product.is_distributed() {
        let messages = product.database().await.collection::<Document>("messages");
        let found = messages.find_one(doc! { "_id": id }).await.unwrap();
        found.unwrap().get_str("status").unwrap().to_owned()
    } else {
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).unwrap();
        file.query_row("SELECT status FROM messages WHERE id = ?", [id], |row| row.get(0))
            .unwrap()
    }
}
