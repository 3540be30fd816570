//! How the stores write: one command for many, and no answer before a majority has it.

use bson::{Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::ConversationKind;
use dakghar_core::domain::conversation::ConversationTouch;
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::{ConversationId, Timestamp, WaId};
use dakghar_core::ports::{Acceptance, ConversationStore, MessageStore, Saved, StoreError};
use dakghar_testkit::require_services;
use dakghar_testkit::samples::saves;
use dakghar_testkit::samples::{outbound, phone_number_id, tenant_id, with_key};
use dakghar_testkit::servers::Mongo;

use super::store;

const MANY: usize = 300;

/// How often the server has executed a command.
async fn executed(admin: &mongodb::Database, command: &str) -> i64 {
    let status = admin.run_command(doc! { "serverStatus": 1 }).await;
    let status = status.expect("the server answers");
    let counters = status
        .get_document("metrics")
        .and_then(|metrics| metrics.get_document("commands"));
    let counter = counters.and_then(|counters| counters.get_document(command));
    counter.and_then(|counter| counter.get_i64("total")).expect("a counter")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_inserts_are_one_command_and_many_saves_too() {
    require_services!(Mongo);
    // A server of its own: its counters count everybody's commands.
    let server = Mongo::start().await;
    let store = MongoStore::connect(&server.uri(), MongoOptions::default())
        .await
        .expect("the server answers");
    let client = mongodb::Client::with_uri_str(server.uri())
        .await
        .expect("the server answers");
    let admin = client.database("admin");
    let tenant_id = tenant_id();
    let mut batch: Vec<Message> = (0..MANY).map(|n| with_key(tenant_id, &format!("key-{n}"))).collect();

    let before = executed(&admin, "insert").await;
    let accepted = store.accept(batch.clone()).await;
    assert!(accepted.iter().all(|accepted| *accepted == Ok(Acceptance::Stored)));
    assert_eq!(executed(&admin, "insert").await, before + 1);

    for message in &mut batch {
        message.delivery.status = Status::Held;
    }
    let before = executed(&admin, "update").await;
    let saved = MessageStore::save(&*store, &saves(&batch)).await;
    assert!(saved.iter().all(|saved| *saved == Ok(Saved::Done)));
    assert_eq!(executed(&admin, "update").await, before + 1);
}

/// Cannot happen, because the id of a conversation is derived from its tenant. It must neither pass unnoticed nor keep the
/// conversations beside it from moving.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_of_another_tenant_is_not_moved() {
    require_services!(Mongo);
    let Some((store, _server)) = store().await else { return };
    let (owner, stranger) = (tenant_id(), tenant_id());
    let wa_id = WaId::parse("919111111111").expect("digits");
    let touch = |tenant_id, at| ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&owner, &phone_number_id(), &wa_id),
        tenant_id,
        phone_number_id: phone_number_id(),
        wa_id: wa_id.clone(),
        message_id: outbound(tenant_id).accepted.id,
        at: Timestamp::from_millis(at),
        opens_window: false,
    };
    let own = touch(owner, 1_000);
    store
        .touch(std::slice::from_ref(&own))
        .await
        .expect("the store answers");
    let elsewhere = ConversationTouch {
        id: ConversationId::of(&owner, &phone_number_id(), &WaId::parse("918").expect("digits")),
        ..touch(owner, 1_000)
    };
    let told = dakghar_adapters::unreadable_records().get();
    assert_eq!(store.touch(&[elsewhere.clone(), touch(stranger, 2_000)]).await, Ok(()));
    assert!(
        dakghar_adapters::unreadable_records().get() > told,
        "it passed unnoticed"
    );
    let beside = ConversationStore::find(&*store, &owner, &elsewhere.id).await;
    assert_eq!(beside, Ok(Some(elsewhere.opening())));
    let conversation = ConversationStore::find(&*store, &owner, &own.id)
        .await
        .expect("the store answers");
    assert_eq!(conversation, Some(own.opening()));
}

/// Both secondaries hang: the primary alone is not the majority, whatever the URI would be content with.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_primary_has_is_not_acknowledged() {
    require_services!(Mongo);
    let set = Mongo::start_replica_set(3).await;
    let uri = format!("{}&w=1&journal=false", set.uri());
    let store = MongoStore::connect(&uri, MongoOptions::default())
        .await
        .expect("the server answers");
    let tenant_id = tenant_id();
    let kept = outbound(tenant_id);
    assert_eq!(store.accept(vec![kept.clone()]).await, [Ok(Acceptance::Stored)]);
    let mut changed = kept.clone();
    changed.delivery.status = Status::Held;
    let message = with_key(tenant_id, "a");

    let primary = set.primary().await;
    let secondaries = || set.members.iter().enumerate().filter(|(index, _)| *index != primary);
    secondaries().for_each(|(_, member)| member.stop());
    let changes = saves([&changed]);
    let (accepted, saved) = tokio::join!(
        store.accept(vec![message.clone()]),
        MessageStore::save(&*store, &changes)
    );
    secondaries().for_each(|(_, member)| member.cont());
    assert!(
        matches!(accepted[..], [Err(StoreError::Unavailable(_))]),
        "{accepted:?}"
    );
    assert!(matches!(saved[..], [Err(StoreError::Unavailable(_))]), "{saved:?}");
    // Nobody was told that it is there, so both are fine; the same message again settles it.
    assert_eq!(
        super::faults::accept_in_the_end(&store, vec![message]).await,
        [Acceptance::Stored]
    );
}

/// The majority is asked for in the command itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_insert_asks_for_the_journal_of_a_majority() {
    let Some((store, server)) = super::store().await else {
        return;
    };
    let database = super::database(&server).await;
    let level = async |level: i32| {
        let set = database.run_command(doc! { "profile": level }).await;
        set.expect("the server answers");
    };
    level(2).await;
    let message = outbound(tenant_id());
    assert_eq!(store.accept(vec![message]).await, [Ok(Acceptance::Stored)]);
    level(0).await;
    let profile = database.collection::<Document>("system.profile");
    let insert = profile.find_one(doc! { "op": "insert" }).await;
    let insert = insert.expect("the server answers").expect("it was profiled");
    let concern = insert
        .get_document("command")
        .and_then(|command| command.get_document("writeConcern"))
        .expect("a write concern");
    assert_eq!(concern.get_str("w").ok(), Some("majority"), "{concern}");
    assert_eq!(concern.get_bool("j").ok(), Some(true), "{concern}");
}
