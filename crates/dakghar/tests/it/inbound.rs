//! What Meta posts: verified, routed, stored once, merged in any order, and never dropped.

use dakghar_graph_sim::{InboundMessage, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, on_both_backends, text};

on_both_backends!(
    a_batch_reaches_every_tenant_in_it,
    a_repeated_webhook_changes_nothing,
    only_signed_bodies_are_taken,
    what_nobody_owns_is_kept_and_shown,
    odd_but_signed_bodies_are_kept_and_answered,
    statuses_arrive_shuffled_and_doubled,
    an_inbound_message_opens_a_conversation,
    one_bad_status_among_a_hundred_costs_no_other,
    what_meta_says_beside_a_message_is_kept,
    a_system_notice_opens_no_window,
    a_payment_that_fails_is_no_failed_message,
    an_account_that_nobody_gave_is_learned,
    edits_and_revocations_change_the_message_they_name,
    what_the_business_writes_in_its_app_is_in_the_thread,
    a_history_is_stored_as_such,
    a_group_is_one_conversation,
);

fn change(number: &str, value: Value) -> Value {
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": "15550001111", "phone_number_id": number});
    json!({"field": "messages", "value": value})
}

fn message(id: &str, body: &str) -> Value {
    json!({"from": "16505551234", "id": id, "timestamp": "1760000000", "type": "text", "text": {"body": body}})
}

fn body(entries: &[Value]) -> Vec<u8> {
    json!({"object": "whatsapp_business_account", "entry": entries})
        .to_string()
        .into_bytes()
}

async fn post(product: &Product, body: Vec<u8>) -> u16 {
    product.sim.post_webhook_raw(body).await.expect("an answer")
}

async fn a_batch_reaches_every_tenant_in_it(backend: Backend) {
    let product = Product::start(backend).await;
    let (a, b) = (
        product.tenant("111", "mock_a").await,
        product.tenant("222", "mock_b").await,
    );
    let entries = [
        json!({"id": "9001", "changes": [
            change("111", json!({"messages": [message("wamid.A1", "১"), message("wamid.A2", "two")]})),
            change("222", json!({"messages": [message("wamid.B1", "b")]})),
        ]}),
        json!({"id": "9002", "changes": [change("222", json!({"messages": [message("wamid.B2", "😀")]}))]}),
    ];
    assert_eq!(post(&product, body(&entries)).await, 200);
    let of = async |tenant: &crate::product::Tenant| {
        let list = product
            .get(&format!("/tenants/{}/messages?direction=inbound", tenant.id))
            .await;
        let mut wamids: Vec<_> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| text(&m["wamid"]))
            .collect();
        wamids.sort();
        wamids
    };
    assert_eq!(of(&a).await, ["wamid.A1", "wamid.A2"]);
    assert_eq!(of(&b).await, ["wamid.B1", "wamid.B2"]);
}

async fn a_repeated_webhook_changes_nothing(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let post_all = async |wamids: &[&str]| {
        let messages: Vec<_> = wamids.iter().map(|wamid| message(wamid, "x")).collect();
        let entries = [json!({"id": "9001", "changes": [change("111", json!({"messages": messages}))]})];
        assert_eq!(post(&product, body(&entries)).await, 200);
    };
    let everything = async || {
        let list = async |of: &str| product.get(&format!("/tenants/{}/{of}", tenant.id)).await["data"].clone();
        (list("messages").await, list("conversations").await)
    };
    // All of the same second, as Meta tells it.
    post_all(&["wamid.A1", "wamid.A2"]).await;
    post_all(&["wamid.A3"]).await;
    let before = everything().await;
    let (messages, conversations) = &before;
    assert_eq!(messages.as_array().unwrap().len(), 3);
    assert_eq!(conversations[0]["lastMessageId"], messages[0]["id"]);
    for again in [
        &["wamid.A1"][..],
        &["wamid.A3", "wamid.A1"],
        &["wamid.A2", "wamid.A2", "wamid.A3"],
    ] {
        post_all(again).await;
        assert_eq!(everything().await, before, "{again:?}");
    }
}

async fn only_signed_bodies_are_taken(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let entries = [json!({"id": "9001", "changes": [change("111", json!({"messages": [message("wamid.A1", "x")]}))]})];
    let bytes = body(&entries);
    for signature in [
        None,
        Some("sha256=00"),
        Some("sha1=abc"),
        Some(&*format!("sha256={}", "0".repeat(64))),
    ] {
        let mut request = product.http.post(product.url("/whatsapp/webhook")).body(bytes.clone());
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        let answer = request.header("Content-Type", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{signature:?}");
    }
    let list = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list["data"], json!([]));
}

async fn what_nobody_owns_is_kept_and_shown(backend: Backend) {
    let product = Product::start(backend).await;
    let body_of_tenant = json!({"name": "A", "phoneNumberId": "111", "accessToken": "mock_a", "wabaId": "9001"});
    let tenant = text(&product.post("/tenants/register", body_of_tenant).await["tenantId"]);
    let account = json!({"field": "account_update", "value": {"event": "ACCOUNT_VIOLATION"}});
    let entries = [
        json!({"id": "9001", "changes": [account]}),
        json!({"id": "7777", "changes": [change("999", json!({"messages": [message("wamid.X", "x")]}))]}),
        json!({"id": "8888", "changes": [{"field": "brand_new_field", "value": {"surprise": true}}]}),
    ];
    assert_eq!(post(&product, body(&entries)).await, 200);
    let unrouted = product.until_count("/unrouted", 2).await;
    let reasons: Vec<_> = unrouted.iter().map(|event| text(&event["reason"])).collect();
    assert!(
        reasons.contains(&"unknown_number".to_owned()) && reasons.contains(&"unknown_waba".to_owned()),
        "{unrouted:?}"
    );
    let events = product.until_count(&format!("/tenants/{tenant}/events"), 1).await;
    assert_eq!(events[0]["field"], "account_update");
}

async fn odd_but_signed_bodies_are_kept_and_answered(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let bad = json!({"id": 17, "text": null});
    let entries = [json!({"id": "9001", "changes": [
        change("111", json!({"messages": [bad, message("wamid.good", "x")]})),
        {"field": "messages", "value": "not an object"},
    ]})];
    assert_eq!(post(&product, body(&entries)).await, 200);
    for odd in [&b"not json"[..], b"[]", b"{}", b"{\"entry\":null}", b"\xff\xfe", b""] {
        assert_eq!(post(&product, odd.to_vec()).await, 200, "{odd:?}");
    }
    let list = product
        .until_count(&format!("/tenants/{}/messages", tenant.id), 2)
        .await;
    let taken: Vec<_> = list.iter().map(|message| text(&message["wamid"])).collect();
    assert_eq!(taken, ["wamid.good", "17"], "one odd part does not spoil the others");
    let unrouted = product.until_count("/unrouted", 6).await;
    assert_eq!(unrouted.len(), 6, "{unrouted:#?}");
    // The messages beside it show whose account it is about.
    let events = product.until_count(&format!("/tenants/{}/events", tenant.id), 1).await;
    let part = json!({"id": "9001", "changes": [{"field": "messages", "value": "not an object"}]});
    assert_eq!(events[0]["payload"], part);
    assert!(
        unrouted
            .iter()
            .chain(&events)
            .all(|event| event["reason"] == "malformed"),
        "{unrouted:#?}"
    );
    for whole in [
        json!("not json"),
        json!([]),
        json!({}),
        json!({"entry": null}),
        json!("\u{fffd}\u{fffd}"),
        json!(""),
    ] {
        assert!(
            unrouted.iter().any(|event| event["payload"] == whole),
            "{whole} of {unrouted:#?}"
        );
    }
}

async fn statuses_arrive_shuffled_and_doubled(backend: Backend) {
    let statuses = StatusPlan {
        read_ms: Some(40),
        duplicate_probability: 0.5,
        shuffle: true,
        ..StatusPlan::immediate()
    };
    let product = Setup::on(backend).statuses(statuses).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(product.send(&tenant, &format!("+9191111111{n:02}")).await);
    }
    for id in &ids {
        product.until_status(&tenant, id, "read").await;
    }
    product.sim.idle().await;
    for id in &ids {
        assert_eq!(
            product.message(&tenant, id).await["status"],
            "read",
            "nothing takes back a read"
        );
    }
}

async fn an_inbound_message_opens_a_conversation(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .sim
        .send_inbound(InboundMessage::text("111", "+16505551234", "নমস্কার 🙏"))
        .expect("planned");
    let path = format!("/tenants/{}/conversations", tenant.id);
    let conversations = product.until_count(&path, 1).await;
    assert_eq!(conversations[0]["waId"], "16505551234");
    assert!(
        conversations[0]["customerServiceWindowUntil"].is_string(),
        "{conversations:?}"
    );
    let reply = product.send(&tenant, "+16505551234").await;
    product.until_status(&tenant, &reply, "delivered").await;
    let conversations = product.get(&path).await;
    assert_eq!(
        conversations["data"].as_array().unwrap().len(),
        1,
        "the reply belongs to the same conversation"
    );
    let conversation = text(&conversations["data"][0]["id"]);
    let messages = product.get(&format!("{path}/{conversation}/messages")).await;
    let directions: Vec<_> = messages["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| text(&m["direction"]))
        .collect();
    assert_eq!(directions, ["outbound", "inbound"]);
    assert_eq!(messages["data"][1]["content"]["body"], "নমস্কার 🙏");
}

async fn one_bad_status_among_a_hundred_costs_no_other(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.fast_tenant("111").await;
    let sending = (0..99).map(|n| {
        let (product, tenant) = (&product, &tenant);
        async move { product.send(tenant, &format!("+91911111{n:04}")).await }
    });
    let ids = futures_util::future::join_all(sending).await;
    let mut statuses = Vec::new();
    for id in &ids {
        let message = product.until_status(&tenant, id, "sent").await;
        statuses.push(
            json!({"id": message["wamid"], "status": "delivered", "timestamp": "1795341600",
            "recipient_id": "919111111111"}),
        );
    }
    let bad = json!({"id": {"wamid": 7}, "status": ["delivered"], "timestamp": null});
    statuses.insert(50, bad.clone());
    let entries = [json!({"id": "9001", "changes": [change("111", json!({"statuses": statuses}))]})];
    assert_eq!(post(&product, body(&entries)).await, 200);
    for id in &ids {
        assert_eq!(product.message(&tenant, id).await["status"], "delivered", "{id}");
    }
    let events = product.until_count(&format!("/tenants/{}/events", tenant.id), 1).await;
    assert_eq!((events.len(), &events[0]["payload"]), (1, &bad), "{events:#?}");
}

async fn what_meta_says_beside_a_message_is_kept(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let asha =
        json!({"profile": {"name": "আশা", "username": "asha.example"}, "wa_id": "16505551234", "user_id": "US.1"});
    let of_message = json!({"contacts": [asha], "messages": [message("wamid.A1", "hello")]});
    let mut whole = of_message.clone();
    let nobody = json!({"profile": {"name": "Nobody here"}, "wa_id": "16505550000"});
    whole["contacts"] = json!([asha, nobody]);
    whole["calls"] = json!([{"id": "wacid.CALL1", "event": "connect"}]);
    whole["errors"] = json!([{"code": 130_429, "title": "Rate limit hit"}]);
    whole["never_heard_of"] = json!({"deep": [{"er": "thing.1"}]});
    let mut entry = json!({"id": "9001", "time": 1_760_000_000, "changes": [change("111", whole.clone())]});
    assert_eq!(post(&product, body(&[entry.clone()])).await, 200);
    assert_eq!(post(&product, body(&[entry.clone()])).await, 200, "and once more");

    let list = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list}");
    let seen = &list["data"][0];
    assert_eq!((&seen["contact"], seen.get("raw")), (&asha, None));
    let one = format!("/tenants/{}/messages/{}", tenant.id, text(&seen["id"]));
    assert_eq!(product.get(&one).await.get("raw"), None);
    entry["changes"][0] = change("111", of_message);
    assert_eq!(product.get(&format!("{one}?raw=true")).await["raw"], entry);

    let events = product.get(&format!("/tenants/{}/events", tenant.id)).await;
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1), "{events}");
    whole["contacts"].as_array_mut().unwrap().remove(0);
    whole.as_object_mut().unwrap().remove("messages");
    entry["changes"][0] = change("111", whole);
    assert_eq!(events["data"][0]["payload"], entry);
}

async fn a_system_notice_opens_no_window(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let notice = json!({"from": "16505551234", "id": "wamid.S1", "timestamp": "1760000000", "type": "system",
        "system": {"type": "customer_identity_changed", "body": "identity changed"}});
    let of = |message: Value| json!({"id": "9001", "changes": [change("111", json!({"messages": [message]}))]});
    assert_eq!(post(&product, body(&[of(notice)])).await, 200);
    let conversations = format!("/tenants/{}/conversations", tenant.id);
    let before = product.get(&conversations).await["data"][0].clone();
    assert_eq!(before["customerServiceWindowUntil"], json!(null), "{before}");
    assert_eq!(post(&product, body(&[of(message("wamid.A1", "hello"))])).await, 200);
    let after = product.get(&conversations).await["data"][0].clone();
    assert_eq!(after["id"], before["id"]);
    assert!(after["customerServiceWindowUntil"].is_string(), "{after}");
}

async fn a_payment_that_fails_is_no_failed_message(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.fast_tenant("111").await;
    let id = product.send(&tenant, "+16505551234").await;
    let sent = product.until_status(&tenant, &id, "sent").await;
    let notice = |status: &str| {
        json!({"id": sent["wamid"], "status": status, "type": "payment", "timestamp": "1760000000",
            "recipient_id": "16505551234", "payment": {"reference_id": "order-1"}})
    };
    let statuses = json!({"statuses": [notice("failed"), notice("captured")]});
    let entry = json!({"id": "9001", "changes": [change("111", statuses)]});
    assert_eq!(post(&product, body(&[entry])).await, 200);
    let message = product.get(&format!("/tenants/{}/messages/{id}", tenant.id)).await;
    assert_ne!(message["status"], "failed", "{message}");
    let events = product.get(&format!("/tenants/{}/events", tenant.id)).await;
    let reasons: Vec<_> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(&event["reason"]))
        .collect();
    assert_eq!(reasons, ["routed", "routed"], "{events}");
}

async fn an_account_that_nobody_gave_is_learned(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let paused = json!({"field": "message_template_status_update", "value": {"event": "PAUSED"}});
    let message = change("111", json!({"messages": [message("wamid.W1", "hello")]}));
    for change in [message, paused] {
        assert_eq!(
            post(&product, body(&[json!({"id": "9001", "changes": [change]})])).await,
            200
        );
    }
    let events = product.until_count(&format!("/tenants/{}/events", tenant.id), 1).await;
    assert_eq!(events[0]["field"], "message_template_status_update");
    let number = product.get(&format!("/tenants/{}", tenant.id)).await["phoneNumbers"][0].clone();
    assert_eq!(
        (&number["wabaId"], &number["wabaIsLearned"]),
        (&json!("9001"), &json!(true))
    );
}

async fn edits_and_revocations_change_the_message_they_name(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let send = async |messages: &[Value]| {
        let entry = json!({"id": "9001", "changes": [change("111", json!({"messages": messages}))]});
        assert_eq!(post(&product, body(&[entry])).await, 200);
    };
    let edit = |id: &str, second: u32, text: &str| {
        json!({"from": "16505551234", "id": id, "timestamp": format!("17600000{second}"), "type": "edit", "edit": {
            "original_message_id": "wamid.A1", "message": {"type": "text", "text": {"body": text}}}})
    };
    let list = format!("/tenants/{}/messages", tenant.id);
    let events = format!("/tenants/{}/events", tenant.id);
    let only = async || {
        let listed = product.get(&list).await["data"].clone();
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        listed[0].clone()
    };
    // The second edit comes first of all, and what is late or repeated does not count.
    send(&[edit("wamid.E2", 20, "third")]).await;
    assert_eq!(product.get(&list).await["data"], json!([]));
    send(&[message("wamid.A1", "first")]).await;
    send(&[edit("wamid.E1", 10, "second"), edit("wamid.E2", 20, "third")]).await;
    let seen = only().await;
    assert_eq!(seen["content"], json!({"body": "third"}));
    assert_eq!(
        (&seen["editedAt"], &seen["revokedAt"]),
        (&json!("2025-10-09T08:53:40.000Z"), &json!(null))
    );
    let one = format!("{list}/{}", text(&seen["id"]));
    let whole = product.get(&one).await;
    let said = |versions: &Value| -> Vec<String> {
        let versions = versions.as_array().expect("versions").iter();
        versions.map(|version| text(&version["content"]["body"])).collect()
    };
    assert_eq!(said(&whole["versions"]), ["first", "second", "third"]);
    assert_eq!(product.get(&events).await["data"].as_array().map(Vec::len), Some(2));

    let revocation = json!({"from": "16505551234", "id": "wamid.R1", "timestamp": "1760000020", "type": "revoke",
        "revoke": {"original_message_id": "wamid.A1"}});
    send(std::slice::from_ref(&revocation)).await;
    send(&[revocation, edit("wamid.E2", 20, "third")]).await;
    for seen in [only().await, product.get(&one).await] {
        assert_eq!((&seen["content"], &seen["envelope"]), (&json!(null), &json!(null)));
        assert_eq!(
            (&seen["type"], &seen["revokedAt"]),
            (&json!("text"), &json!("2025-10-09T08:53:40.000Z"))
        );
        let shown = seen.to_string();
        assert!(
            !["first", "second", "third"].iter().any(|said| shown.contains(said)),
            "{shown}"
        );
    }
    let raw = product.get(&format!("{one}?raw=true")).await;
    assert_eq!(said(&raw["versions"]), ["first", "second", "third"]);
    assert_eq!(
        raw["raw"]["changes"][0]["value"]["messages"][0],
        message("wamid.A1", "first")
    );
    assert_eq!(product.get(&events).await["data"].as_array().map(Vec::len), Some(3));
}

/// A change of another field of the number 111.
fn change_of(field: &str, value: Value) -> Value {
    let mut change = change("111", value);
    change["field"] = json!(field);
    change
}

async fn what_the_business_writes_in_its_app_is_in_the_thread(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let send = async |change: Value| {
        let entry = json!({"id": "9001", "changes": [change]});
        assert_eq!(post(&product, body(&[entry])).await, 200);
    };
    let typed = json!({"from": "15550001111", "to": "16505551234", "id": "wamid.E1", "timestamp": "1760000000",
        "type": "text", "text": {"body": "typed on the phone"}});
    let echo = change_of("smb_message_echoes", json!({"message_echoes": [typed]}));
    send(echo.clone()).await;
    send(echo).await;
    let path = |of: &str| format!("/tenants/{}/{of}", tenant.id);
    let listed = product.get(&path("messages")).await["data"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let seen = &listed[0];
    assert_eq!(
        (&seen["origin"], &seen["direction"]),
        (&json!("business_app"), &json!("outbound"))
    );
    assert_eq!((&seen["status"], &seen["to"]), (&json!("sent"), &json!("16505551234")));
    let conversation = product.get(&path("conversations")).await["data"].clone();
    assert_eq!(conversation.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&conversation[0]["waId"], &conversation[0]["kind"]),
        (&json!("16505551234"), &json!("person"))
    );
    assert_eq!(conversation[0]["customerServiceWindowUntil"], json!(null));
    let one = path(&format!("messages/{}", text(&seen["id"])));
    let raw = product.get(&format!("{one}?raw=true")).await["raw"].clone();
    assert_eq!(raw["changes"][0]["value"]["message_echoes"], json!([typed]));

    let status = |status: &str| {
        json!({"id": "wamid.E1", "status": status, "timestamp": "1760000100", "recipient_id": "16505551234",
            "errors": [{"code": 131_026, "title": "Message undeliverable"}]})
    };
    for (reported, shown) in [("failed", "sent"), ("delivered", "delivered"), ("read", "read")] {
        send(change("111", json!({"statuses": [status(reported)]}))).await;
        assert_eq!(product.get(&one).await["status"], shown, "{reported}");
        assert_eq!(product.get(&path("dead-letters")).await["data"], json!([]));
    }
}

async fn a_history_is_stored_as_such(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let past = |id: &str, from: &str| {
        json!({"from": from, "id": id, "timestamp": "1750000000", "type": "text", "text": {"body": id},
            "history_context": {"status": "READ"}})
    };
    let wave = json!({"metadata": {"phase": 1, "chunk_order": 2, "progress": 70}, "threads": [
        {"id": "16505551234", "messages": [past("wamid.H1", "16505551234"), past("wamid.H2", "15550001111")]}]});
    let history = change_of("history", json!({"history": [wave]}));
    for _ in 0..2 {
        let entry = json!({"id": "9001", "changes": [history]});
        assert_eq!(post(&product, body(&[entry])).await, 200);
    }
    let path = |of: &str| format!("/tenants/{}/{of}", tenant.id);
    let listed = product.get(&path("messages")).await["data"].clone();
    let listed = listed.as_array().expect("a list").iter();
    let mut seen: Vec<_> = listed
        .map(|seen| ["wamid", "origin", "direction", "status"].map(|field| text(&seen[field])))
        .collect();
    seen.sort();
    let expected = [
        ["wamid.H1", "history", "inbound", "received"],
        ["wamid.H2", "history", "outbound", "read"],
    ];
    assert_eq!(seen, expected);
    let conversations = product.get(&path("conversations")).await["data"].clone();
    assert_eq!(conversations.as_array().map(Vec::len), Some(1));
    assert_eq!(conversations[0]["customerServiceWindowUntil"], json!(null));
    assert_eq!(conversations[0]["lastMessageAt"], "2025-06-15T15:06:40.000Z");
    let events = product.get(&path("events")).await["data"].clone();
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    let waves = &events[0]["payload"]["changes"][0]["value"]["history"];
    assert_eq!(
        waves[0]["metadata"],
        json!({"phase": 1, "chunk_order": 2, "progress": 70})
    );
    assert!(!waves.to_string().contains("wamid"), "{waves}");
}

async fn a_group_is_one_conversation(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.fast_tenant("111").await;
    let mut written = message("wamid.G1", "in the group");
    written["group_id"] = json!("Y2FwaV9ncm91cDox");
    let entry = json!({"id": "9001", "changes": [change("111", json!({"messages": [written]}))]});
    assert_eq!(post(&product, body(&[entry])).await, 200);
    let answer =
        json!({"to": "Y2FwaV9ncm91cDox", "recipient_type": "group", "type": "text", "text": {"body": "answer"}});
    let sent = product.post(&format!("/tenants/{}/send", tenant.id), answer).await;
    product.until_status(&tenant, &text(&sent["messageId"]), "sent").await;
    let path = format!("/tenants/{}/conversations", tenant.id);
    let conversations = product.get(&path).await["data"].clone();
    assert_eq!(conversations.as_array().map(Vec::len), Some(1), "{conversations}");
    let group = &conversations[0];
    assert_eq!(
        (&group["kind"], &group["waId"]),
        (&json!("group"), &json!("Y2FwaV9ncm91cDox"))
    );
    assert_eq!(group["customerServiceWindowUntil"], json!(null));
    let messages = product.get(&format!("{path}/{}/messages", text(&group["id"]))).await["data"].clone();
    let seen: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|seen| (text(&seen["direction"]), text(&seen["groupId"]), seen["from"].clone()))
        .collect();
    let group = "Y2FwaV9ncm91cDox".to_owned();
    let expected = [
        ("outbound".to_owned(), group.clone(), json!("111")),
        ("inbound".to_owned(), group, json!("16505551234")),
    ];
    assert_eq!(seen, expected);
}
