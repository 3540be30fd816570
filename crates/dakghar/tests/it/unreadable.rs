//! Messages and tenants that somebody broke by hand in the store: they are shown as broken, and stop nobody else.

use bson::{Document, doc};
use dakghar_testkit::receiver::Receiver;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_broken_message_stops_nobody_else,
    a_broken_tenant_stops_nobody_else,
    a_message_of_no_tenant_is_given_up,
    a_broken_entry_of_a_feed_is_told_where_it_stands,
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

/// Has a person write to a tenant's number so often, each time in a POST of its own.
async fn write_to(product: &Product, number: &str, wamids: impl IntoIterator<Item = usize>) {
    for n in wamids {
        let message = json!({"from": "919111111111", "id": format!("wamid.{number}.{n}"), "type": "text",
            "timestamp": "1760000000", "text": {"body": "hi"}});
        let value =
            json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": number}, "messages": [message]});
        let entry = json!({"id": "9001", "changes": [{"field": "messages", "value": value}]});
        let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
        assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);
    }
}

/// Breaks what stands at these places of a feed, past the program.
async fn break_places(product: &Product, tenant: &Tenant, places: &[u64]) {
    if product.is_distributed() {
        let chunks = product.database().await.collection::<Document>("feed");
        for place in places {
            let id = format!("{}/{place:016x}", tenant.id);
            let broken = doc! { "$set": { "entries": "whim" }, "$unset": { "last": 1 } };
            let update = chunks.update_one(doc! { "_id": id }, broken);
            let updated = update.bypass_document_validation(true).await.unwrap();
            assert_eq!(updated.modified_count, 1, "place {place}");
        }
    } else {
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).unwrap();
        for place in places {
            let update = "UPDATE feed SET subject = 'whim' WHERE tenant_id = ? AND place = ?";
            let place = place.cast_signed();
            assert_eq!(file.execute(update, rusqlite::params![tenant.id, place]).unwrap(), 1);
        }
    }
}

fn lines(product: &Product, of: &str, words: &str) -> usize {
    let log = product.log();
    log.lines()
        .filter(|line| line.contains(of) && line.contains(words))
        .count()
}

/// Entries of which each is a chunk of its own.
async fn entries_one_by_one(product: &Product, tenant: &Tenant, number: &str, count: usize) {
    let feed = format!("/tenants/{}/feed", tenant.id);
    for n in 1..=count {
        write_to(product, number, [n]).await;
        product.until_count(&feed, n).await;
    }
}

async fn a_broken_entry_of_a_feed_is_told_where_it_stands(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    entries_one_by_one(&product, &tenant, "111", 6).await;
    let feed = format!("/tenants/{}/feed", tenant.id);
    let whole = product.get(&feed).await["data"].clone();
    let message = text(&whole[0]["data"]["id"]);
    break_it(&product, "messages", &message).await;
    break_places(&product, &tenant, &[3, 6]).await;

    // In pages of each size, past a filter that wants something else, and by the end.
    for query in [
        "limit=50",
        "limit=1",
        "limit=2&kinds=status.*",
        "limit=50&kinds=message.*&phoneNumberIds=111",
    ] {
        let (mut read, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = product.get(&format!("{feed}?{query}&after={after}")).await;
            let next = text(&page["nextCursor"]);
            read.extend(page["data"].as_array().unwrap().clone());
            if next == after {
                break;
            }
            after = next;
        }
        assert_eq!(after, "6", "{query}");
        let is_all = query.starts_with("limit=50") || query == "limit=1";
        let told: Vec<&Value> = read.iter().filter(|entry| entry["unreadable"] == true).collect();
        let places: Vec<&str> = told.iter().map(|entry| entry["place"].as_str().unwrap()).collect();
        assert_eq!(
            places,
            if is_all { vec!["1", "3", "6"] } else { vec!["3", "6"] },
            "{query}: {read:?}"
        );
        for entry in &told {
            assert_eq!(entry["data"], Value::Null);
            let kind = if entry["place"] == "1" {
                &whole[0]["kind"]
            } else {
                &json!("entry.unreadable")
            };
            assert_eq!(&entry["kind"], kind);
        }
        let others: Vec<&Value> = read.iter().filter(|entry| entry["unreadable"] != true).collect();
        let expected: Vec<&Value> = if is_all {
            [1, 3, 4].map(|n| &whole[n]).to_vec()
        } else {
            Vec::new()
        };
        assert_eq!(others, expected, "{query}");
    }

    // Endpoints are told as well, each place once.
    let receiver = Receiver::start([]).await;
    let endpoint = json!({"url": receiver.url(), "startAt": "beginning"});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;
    assert!(
        eventually(async || receiver.requests().len() >= 6).await,
        "{:?}",
        receiver.requests().len()
    );
    let mut came: Vec<(String, bool)> = receiver
        .requests()
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            (text(&body["place"]), body["unreadable"] == true)
        })
        .collect();
    came.sort();
    came.dedup();
    let expected = [true, false, true, false, false, true];
    assert_eq!(
        came,
        (1..)
            .map(|place: u64| place.to_string())
            .zip(expected)
            .collect::<Vec<_>>()
    );

    // The log names each once, however often it was read.
    let id = |place: u64| format!("{}/{place:016x}", tenant.id);
    for broken in [message, id(3), id(6)] {
        assert_eq!(lines(&product, &broken, "is left out until"), 1, "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_end_is_broken_holds_up_itself_alone_and_is_told_of_once() {
    let product = Product::start(Backend::Distributed).await;
    let (broken, well) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    let feed = |tenant: &Tenant| format!("/tenants/{}/feed", tenant.id);
    entries_one_by_one(&product, &broken, "111", 2).await;
    let chunks = product.database().await.collection::<Document>("feed");
    let id = doc! { "_id": format!("{}/{:016x}", broken.id, 2) };
    let whole = chunks.find_one(id.clone()).await.unwrap().unwrap();
    break_places(&product, &broken, &[2]).await;
    // What the process knows of the end is forgotten with it.
    let mut product = product;
    product.restart().await;
    for n in 1..=4 {
        write_to(&product, "111", [10 + n]).await;
        write_to(&product, "222", [n]).await;
        product.until_count(&feed(&well), n).await;
    }
    let aside = product.database().await.collection::<Document>("feed_aside");
    let is_aside = async || aside.count_documents(doc! {}).await.unwrap() == 4;
    assert!(eventually(is_aside).await, "they are put aside");
    assert_eq!(lines(&product, &broken.id, "entries of a feed cannot be placed"), 1);
    let read = product.get(&feed(&broken)).await["data"].clone();
    assert_eq!(
        (read[0]["unreadable"].clone(), read[1]["unreadable"].clone()),
        (Value::Null, json!(true)),
        "{read}"
    );

    let restored = chunks.replace_one(id, whole).await.unwrap();
    assert_eq!(restored.modified_count, 1);
    let (code, said, _) = product.run(&["feed", "retry"]);
    assert_eq!((code, said.contains("4 groups")), (Some(0), true), "{said}");
    let read = product.until_count(&feed(&broken), 6).await;
    assert!(read.iter().all(|entry| entry["unreadable"] != true), "{read:?}");
    assert!(eventually(async || lines(&product, &broken.id, "entries of a feed are placed again") == 1).await);
    let left: Vec<Document> = aside.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}
