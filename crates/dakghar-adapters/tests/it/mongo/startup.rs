//! Connecting, and what must be in place before the store may be used.

use std::time::Duration;

use bson::{Document, doc};
use dakghar_adapters::mongo::{ConnectError, MongoStore};
use dakghar_core::domain::ConversationKind;
use dakghar_core::domain::{ConversationId, ConversationTouch};
use dakghar_core::ports::{
    Acceptance, ConversationStore, EventStore, MessageStore, StoreError, StoreHealth, TenantSaved, TenantStore,
};
use dakghar_testkit::samples::{event, outbound_full, person, tenant_full, tenant_id, with_key};
use dakghar_testkit::servers::Mongo;
use dakghar_testkit::{Port, require_services};
use futures_util::TryStreamExt as _;

use super::{database, options, store};

#[tokio::test]
async fn a_fresh_database_is_ready() {
    let Some((store, server)) = store().await else { return };
    assert_eq!(store.ping().await, Ok(()));
    assert_eq!(store.ping().await, Ok(()));
    // Another process of the same version finds everything in place.
    let second = MongoStore::connect(&server.uri(), options(&server))
        .await
        .expect("the server answers");
    assert_eq!(second.ping().await, Ok(()));
}

#[tokio::test]
async fn without_a_unique_index_it_is_not_ready() {
    let Some((store, server)) = store().await else { return };
    let database = database(&server).await;
    for (collection, index) in [
        ("messages", "tenant_idempotency_key"),
        ("messages", "inbound_key"),
        ("webhook_events", "fingerprint"),
        ("tenants", "phone_number"),
    ] {
        let collection = database.collection::<Document>(collection);
        collection.drop_index(index).await.expect("the index is there");
        let refusal = store.ping().await.expect_err("a promise cannot be kept");
        assert!(
            matches!(&refusal, StoreError::Corrupt(why) if why.contains(index)),
            "{refusal}"
        );
        // A start creates what is missing.
        MongoStore::connect(&server.uri(), options(&server))
            .await
            .expect("the server answers");
        assert_eq!(store.ping().await, Ok(()));
    }
}

#[tokio::test]
async fn a_start_drops_an_index_that_nothing_uses_any_more() {
    let Some((_, server)) = store().await else { return };
    let messages = database(&server).await.collection::<Document>("messages");
    let of_conversations = mongodb::IndexModel::builder()
        .keys(doc! { "tenantId": 1, "conversationId": 1, "_id": -1 })
        .options(
            mongodb::options::IndexOptions::builder()
                .name("tenant_conversation".to_owned())
                .build(),
        )
        .build();
    messages
        .create_index(of_conversations)
        .await
        .expect("an earlier version had it");
    // The second of these starts finds nothing to drop.
    for _ in 0..2 {
        let store = MongoStore::connect(&server.uri(), options(&server))
            .await
            .expect("the server answers");
        assert_eq!(store.ping().await, Ok(()));
        let names = messages.list_index_names().await.expect("indexes");
        assert!(!names.iter().any(|name| name == "tenant_conversation"), "{names:?}");
    }
}

#[tokio::test]
async fn an_index_that_is_not_unique_does_not_count() {
    let Some((store, server)) = store().await else { return };
    let messages = database(&server).await.collection::<Document>("messages");
    messages
        .drop_index("tenant_idempotency_key")
        .await
        .expect("the index is there");
    let plain = mongodb::IndexModel::builder()
        .keys(doc! { "tenantId": 1, "idempotencyKey": 1 })
        .options(
            mongodb::options::IndexOptions::builder()
                .name("tenant_idempotency_key".to_owned())
                .partial_filter_expression(doc! { "idempotencyKey": { "$exists": true } })
                .build(),
        )
        .build();
    messages.create_index(plain).await.expect("the index can be built");
    let again = MongoStore::connect(&server.uri(), options(&server))
        .await
        .expect("the server answers");
    for store in [store, again] {
        let refusal = store.ping().await.expect_err("a promise cannot be kept");
        assert!(refusal.to_string().contains("tenant_idempotency_key"), "{refusal}");
    }
}

#[tokio::test]
async fn duplicates_from_elsewhere_keep_it_from_being_ready() {
    require_services!(Mongo);
    let server = Mongo::shared().await;
    let messages = database(&server).await.collection::<Document>("messages");
    let duplicate = |id: &str| doc! { "_id": id, "tenantId": "ten_1", "idempotencyKey": "order-1" };
    messages
        .insert_many([duplicate("a"), duplicate("b")])
        .await
        .expect("nothing is unique yet");
    let store = MongoStore::connect(&server.uri(), options(&server))
        .await
        .expect("the server answers");
    let refusal = store.ping().await.expect_err("a promise cannot be kept");
    assert!(refusal.to_string().contains("tenant_idempotency_key"), "{refusal}");

    // A repeated request could be a second message.
    let message = with_key(tenant_id(), "a");
    let refused = [
        store.accept(vec![message.clone()]).await.remove(0).map(drop),
        store.may_claim(),
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("tenant_idempotency_key")),
            "{refused:?}"
        );
    }
    messages
        .delete_one(doc! { "_id": "b" })
        .await
        .expect("the server answers");
    while store.may_claim().is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.ping().await, Ok(()));
    assert_eq!(store.accept(vec![message]).await, [Ok(Acceptance::Stored)]);
}

#[tokio::test]
async fn documents_of_another_shape_are_refused() {
    let Some((_store, server)) = store().await else { return };
    let database = database(&server).await;
    for collection in ["tenants", "messages", "conversations", "webhook_events"] {
        let insert = database
            .collection::<Document>(collection)
            .insert_one(doc! { "_id": "odd" })
            .await;
        let error = insert.expect_err("it has none of the fields");
        assert!(error.to_string().contains("121"), "{error}");
    }
}

#[tokio::test]
async fn a_document_of_each_kind_is_refused_without_any_of_its_fields() {
    let Some((store, server)) = store().await else { return };
    let database = database(&server).await;
    let tenant = tenant_full();
    let message = outbound_full(tenant.id);
    let touch = ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&tenant.id, &message.accepted.phone_number_id, &person("919111111111")),
        tenant_id: tenant.id,
        phone_number_id: message.accepted.phone_number_id.clone(),
        wa_id: person("919111111111"),
        message_id: message.accepted.id,
        at: message.accepted.created_at,
        opens_window: false,
    };
    assert_eq!(TenantStore::insert(&*store, &tenant).await, Ok(TenantSaved::Done));
    assert_eq!(store.accept(vec![message]).await, [Ok(Acceptance::Stored)]);
    assert_eq!(store.touch(&[touch]).await, Ok(()));
    assert_eq!(store.record(&[event(tenant.id)]).await, Ok(()));

    for name in ["tenants", "messages", "conversations", "webhook_events"] {
        let listed = database.list_collections().filter(doc! { "name": name }).await;
        let listed = listed.expect("the server answers").try_next().await;
        let collection = listed.expect("the server answers").expect("the collection");
        let validator = collection.options.validator.expect("it has a validator");
        let schema = validator.get_document("$jsonSchema").expect("a JSON schema");
        let required = schema.get_array("required").expect("required fields");
        let required: Vec<&str> = required.iter().filter_map(bson::Bson::as_str).collect();
        assert!(required.contains(&"schemaVersion"), "{name}: {required:?}");

        let collection = database.collection::<Document>(name);
        let found = collection.find_one(doc! {}).await;
        let whole = found.expect("the server answers").expect("a document of ours");
        for field in required {
            let mut without = whole.clone();
            without.remove(field);
            let mut wrong = whole.clone();
            wrong.insert(field, bson::Bson::Null);
            for odd in [without, wrong] {
                let error = collection.insert_one(odd).await.expect_err("it is not whole");
                assert!(error.to_string().contains("121"), "{name} {field}: {error}");
            }
        }
    }
}

/// The names are what people see in a database browser, and what other software may rely on.
#[tokio::test]
async fn documents_show_the_names_of_the_api() {
    let Some((store, server)) = store().await else { return };
    let message = outbound_full(tenant_id());
    assert_eq!(store.accept(vec![message.clone()]).await, [Ok(Acceptance::Stored)]);
    let messages = database(&server).await.collection::<Document>("messages");
    let found = messages
        .find_one(doc! {})
        .await
        .expect("the server answers")
        .expect("one document");
    assert_eq!(
        found.get_str("_id").ok(),
        Some(message.accepted.id.to_string().as_str())
    );
    assert_eq!(
        found.get_str("tenantId").ok(),
        Some(message.accepted.tenant_id.to_string().as_str())
    );
    assert_eq!(
        found.get_str("phoneNumberId").ok(),
        Some(message.accepted.phone_number_id.as_str())
    );
    assert_eq!(found.get_str("idempotencyKey").ok(), Some("order 1234/~"));
    assert_eq!(found.get_str("status").ok(), Some("in_doubt"));
    assert_eq!(found.get_str("wamid").ok(), Some("wamid.FULL1"));
    assert_eq!(found.get_i32("schemaVersion").ok(), Some(1));
    let created_at = found.get_datetime("createdAt").expect("a date");
    assert_eq!(created_at.timestamp_millis(), message.accepted.created_at.as_millis());
}

#[tokio::test]
async fn connecting_tries_again_and_then_says_what_it_tried() {
    let port = Port::claim();
    let uri = format!("mongodb://user:s3cret@127.0.0.1:{port}/?serverSelectionTimeoutMS=50");
    let options = dakghar_adapters::mongo::MongoOptions {
        connect_patience: Duration::from_secs(3),
        ..dakghar_adapters::mongo::MongoOptions::default()
    };
    let error = MongoStore::connect(&uri, options).await.expect_err("nobody listens");
    let text = error.to_string();
    assert!(matches!(error, ConnectError::Unreachable { tries: 2.., .. }), "{text}");
    assert!(text.contains(&port.to_string()) && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn the_uri_names_the_database() {
    require_services!(Mongo);
    let server = Mongo::shared().await;
    let name = format!("{}_named", server.database());
    let uri = server.uri().replace("/?", &format!("/{name}?"));
    let store = MongoStore::connect(&uri, options(&server))
        .await
        .expect("the server answers");
    assert_eq!(
        store.accept(vec![with_key(tenant_id(), "a")]).await,
        [Ok(Acceptance::Stored)]
    );
    let named = database(&server)
        .await
        .client()
        .database(&name)
        .collection::<Document>("messages");
    assert_eq!(named.count_documents(doc! {}).await.expect("the server answers"), 1);
}
