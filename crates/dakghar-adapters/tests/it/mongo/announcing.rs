//! The three writes of a save that tells something: a writer that is killed or stands still between two of them.

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::feed::{Arrival, Chunk};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::{FeedEntry, Partitions, Place, Subject};
use dakghar_core::ports::{Acceptance, Appended, ArrivalStore as _, MessageStore, Save, Saved, StoreError};
use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::require_services;
use dakghar_testkit::samples::{outbound, tenant_id};
use dakghar_testkit::servers::{Mongo, SharedMongo, direct_uri};
use tokio::task::JoinHandle;

use super::{database, options, store};

/// The names of the commands as they go over the wire.
const ANNOUNCE: &[u8] = b"\x02insert\0\x0e\0\0\0feed_arrivals\0";
const SAVE: &[u8] = b"\x02update\0\x09\0\0\0messages\0";
const SETTLE: &[u8] = b"\x02update\0\x0e\0\0\0feed_arrivals\0";

/// A writer behind a proxy, and one who gives places and is not patient.
struct Pair {
    writer: Arc<MongoStore>,
    placer: Arc<MongoStore>,
    proxy: FaultProxy,
    server: SharedMongo,
}

impl Pair {
    async fn start() -> Self {
        let server = Mongo::shared().await;
        let proxy = FaultProxy::start(server.port()).await;
        let patient = options(&server);
        let writer = MongoStore::connect(&direct_uri(proxy.port()), patient.clone())
            .await
            .expect("the server answers");
        let impatient = MongoOptions {
            write_timeout: Duration::from_secs(1),
            ..patient
        };
        let placer = MongoStore::connect(&server.uri(), impatient)
            .await
            .expect("the server answers");
        Self {
            writer,
            placer,
            proxy,
            server,
        }
    }

    async fn accepted(&self, count: usize) -> Vec<Message> {
        let tenants = [tenant_id(), tenant_id()];
        let messages: Vec<Message> = (0..count).map(|n| outbound(tenants[n % 2])).collect();
        let stored = self.placer.accept(messages.clone()).await;
        assert!(stored.iter().all(|stored| *stored == Ok(Acceptance::Stored)));
        messages
    }

    /// Begins a save whose command is held, or the reply to it.
    async fn held(&self, batch: &[Save], command: &[u8], hold: Hold) -> JoinHandle<Vec<Result<Saved, StoreError>>> {
        let caught = self.proxy.caught();
        self.proxy.trap(command, hold);
        let (writer, batch) = (self.writer.clone(), batch.to_vec());
        let saving = tokio::spawn(async move { MessageStore::save(&*writer, &batch).await });
        self.proxy.until_caught(caught + 1).await;
        saving
    }

    /// What may be placed, as soon as nothing is only announced any more.
    async fn settled(&self) -> Vec<Arrival> {
        let announced = database(&self.server).await.collection::<Document>("feed_arrivals");
        loop {
            let arrived = self
                .placer
                .arrivals(Partitions::ALL, 100)
                .await
                .expect("the server answers");
            let left = announced.count_documents(doc! { "saveId": { "$exists": true } });
            if left.await.expect("the server answers") == 0 {
                let after = self
                    .placer
                    .arrivals(Partitions::ALL, 100)
                    .await
                    .expect("the server answers");
                assert!(after.len() >= arrived.len());
                return after;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The message as it is now.
    async fn load(&self, message: &Message) -> Message {
        let found = self.placer.load(&[message.key()]).await.remove(0);
        found.expect("the server answers").expect("it is there")
    }

    /// Asserts that what changed is told, and nothing else.
    async fn assert_told(&self, messages: &[Message], arrived: &[Arrival]) {
        let mut changed = Vec::new();
        for message in messages {
            let found = self.load(message).await;
            if found.delivery.status != message.delivery.status {
                changed.extend(FeedEntry::of_change(&before(found), message.delivery.status));
            }
        }
        let mut told: Vec<FeedEntry> = arrived.iter().flat_map(|arrival| arrival.entries.clone()).collect();
        told.sort_by(|one, other| one.subject.cmp(&other.subject));
        changed.sort_by(|one, other| one.subject.cmp(&other.subject));
        assert_eq!(told, changed);
    }
}

/// A message that was saved, with the version that its writer had read.
fn before(mut message: Message) -> Message {
    message.delivery.version -= 1;
    message
}

/// A message as it becomes.
fn becomes(message: &Message, status: Status) -> Save {
    let mut after = message.clone();
    after.delivery.status = status;
    Save::after(message.delivery.status, &after)
}

/// All are sent, but the last one, which somebody else was faster with.
fn batch(messages: &[Message]) -> Vec<Save> {
    let mut saves: Vec<Save> = messages.iter().map(|message| becomes(message, Status::Sent)).collect();
    let last = saves.last_mut().expect("a message");
    last.delivery.version += 7;
    saves
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed_between_two_writes_leaves_what_changed_told_and_nothing_else() {
    require_services!(Mongo);
    for (command, hold, saved) in [
        (ANNOUNCE, Hold::Request, 0),
        (ANNOUNCE, Hold::Reply, 0),
        (SAVE, Hold::Request, 0),
        (SAVE, Hold::Reply, 3),
        (SETTLE, Hold::Request, 3),
        (SETTLE, Hold::Reply, 3),
    ] {
        let pair = Pair::start().await;
        let messages = pair.accepted(4).await;
        let saving = pair.held(&batch(&messages), command, hold).await;
        if hold == Hold::Reply {
            pair.until_executed(command, &messages).await;
        }
        saving.abort();
        pair.proxy.cut();
        let arrived = pair.settled().await;
        let told: usize = arrived.iter().map(|arrival| arrival.entries.len()).sum();
        assert_eq!(told, saved, "{} {hold:?}", String::from_utf8_lossy(command));
        pair.assert_told(&messages, &arrived).await;
    }
}

impl Pair {
    /// Waits for what a command does whose reply is held.
    async fn until_executed(&self, command: &[u8], messages: &[Message]) {
        let database = database(&self.server).await;
        let arrivals = database.collection::<Document>("feed_arrivals");
        loop {
            let is_done = match command {
                ANNOUNCE => arrivals.count_documents(doc! {}).await.expect("the server answers") == 2,
                SAVE => self.load(&messages[0]).await.delivery.version > 0,
                _ => {
                    let settled = arrivals.count_documents(doc! { "saveId": { "$exists": false } });
                    settled.await.expect("the server answers") > 0
                }
            };
            if is_done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_comes_after_it_was_judged_is_stale_and_the_next_one_is_told() {
    require_services!(Mongo);
    for (command, hold) in [(ANNOUNCE, Hold::Reply), (SAVE, Hold::Request)] {
        let pair = Pair::start().await;
        let messages = pair.accepted(3).await;
        let saving = pair.held(&batch(&messages), command, hold).await;
        if hold == Hold::Reply {
            pair.until_executed(command, &messages).await;
        }
        let at_once = pair.placer.arrivals(Partitions::ALL, 100).await;
        assert_eq!(at_once, Ok(Vec::new()), "what is only announced gets no place");
        assert_eq!(pair.settled().await, [], "nothing was saved");
        pair.proxy.release();
        let answers = saving.await.expect("it does not panic");
        assert_eq!(answers, vec![Ok(Saved::Stale); 3]);
        pair.assert_told(&messages, &pair.settled().await).await;
        let read = pair.load(&messages[0]).await;
        assert_eq!((read.delivery.status, read.delivery.version), (Status::Queued, 1));
        let again = [becomes(&read, Status::Sent)];
        assert_eq!(MessageStore::save(&*pair.writer, &again).await, [Ok(Saved::Done)]);
        let arrived = pair.settled().await;
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].entries, [again[0].entry.clone().expect("it is sent")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_wakes_after_its_entries_have_places_brings_none_back() {
    require_services!(Mongo);
    let pair = Pair::start().await;
    let messages = pair.accepted(4).await;
    let saving = pair.held(&batch(&messages), SETTLE, Hold::Request).await;
    let arrived = pair.settled().await;
    let chunks: Vec<Chunk> = arrived
        .iter()
        .map(|arrival| Chunk {
            tenant_id: arrival.tenant_id,
            first: Place::new(1),
            entries: arrival.entries.clone(),
        })
        .collect();
    let ids: Vec<Arc<str>> = arrived.iter().map(|arrival| arrival.id.clone()).collect();
    assert_eq!(pair.placer.append(&chunks, &ids).await, Ok(Appended::Done));
    pair.proxy.release();
    let answers = saving.await.expect("it does not panic");
    let saved = answers.iter().filter(|answer| **answer == Ok(Saved::Done)).count();
    assert_eq!((saved, &answers[3]), (3, &Ok(Saved::Stale)));
    assert_eq!(pair.settled().await, []);
    assert_eq!(pair.placer.waiting().await.expect("the server answers").oldest, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_without_an_answer_is_found_although_another_one_followed() {
    require_services!(Mongo);
    let pair = Pair::start().await;
    let messages = pair.accepted(1).await;
    let saving = pair
        .held(&[becomes(&messages[0], Status::Sent)], SAVE, Hold::Reply)
        .await;
    pair.until_executed(SAVE, &messages).await;
    let mut next = pair.load(&messages[0]).await;
    next.delivery.strikes += 1;
    let followed = MessageStore::save(&*pair.placer, &[Save::quiet(&next)]).await;
    assert_eq!(followed, [Ok(Saved::Done)]);
    pair.proxy.disarm();
    pair.proxy.cut();
    assert_eq!(saving.await.expect("it does not panic"), [Ok(Saved::Done)]);
    let arrived = pair.settled().await;
    assert_eq!(arrived.len(), 1);
    assert!(matches!(
        arrived[0].entries[0].subject,
        Subject::Change { version: 1, .. }
    ));
}

#[tokio::test]
async fn a_message_that_refuses_its_save_does_not_keep_the_entries_of_others_from_their_places() {
    let Some((store, server)) = store().await else { return };
    let tenant = tenant_id();
    let messages = [outbound(tenant), outbound(tenant)];
    assert_eq!(store.accept(messages.to_vec()).await.len(), 2);
    let documents = database(&server).await.collection::<Document>("messages");
    let broken = doc! { "_id": messages[1].accepted.id.to_string() };
    let breaking = documents.update_one(broken.clone(), doc! { "$set": { "createdAt": 5 } });
    breaking
        .bypass_document_validation(true)
        .await
        .expect("the server answers");
    let before = documents.find_one(broken.clone()).await.expect("the server answers");
    let saves: Vec<Save> = messages.iter().map(|message| becomes(message, Status::Sent)).collect();
    let answers = MessageStore::save(&*store, &saves).await;
    assert!(
        matches!(answers[..], [Ok(Saved::Done), Err(StoreError::Unreadable(_))]),
        "{answers:?}"
    );
    let arrived = store.arrivals(Partitions::ALL, 100).await.expect("the server answers");
    let told: Vec<FeedEntry> = arrived.into_iter().flat_map(|arrival| arrival.entries).collect();
    assert_eq!(told, [saves[0].entry.clone().expect("it is sent")], "nobody waits");
    let after = documents.find_one(broken).await.expect("the server answers");
    assert_eq!(after, before, "the broken one stays as it is");
}

#[tokio::test]
async fn a_message_carries_the_last_saves_that_are_not_settled_and_no_more() {
    let Some((store, server)) = store().await else { return };
    let message = outbound(tenant_id());
    assert_eq!(store.accept(vec![message.clone()]).await, [Ok(Acceptance::Stored)]);
    let (database, mut read) = (database(&server).await, message.clone());
    let messages = database.collection::<Document>("messages");
    let carried = async || -> Vec<ObjectId> {
        let found = messages
            .find_one(doc! {})
            .await
            .expect("the server answers")
            .expect("it is there");
        let saves = found.get_array("toldSaves").expect("its saves").iter();
        saves.map(|save| save.as_object_id().expect("an id")).collect()
    };
    for n in 1..=40_u64 {
        let status = if n % 2 == 1 { Status::Dead } else { Status::Queued };
        assert_eq!(store.save(&[becomes(&read, status)]).await, [Ok(Saved::Done)], "{n}");
        read = store.load(&[message.key()]).await.remove(0).unwrap().unwrap();
        assert!(carried().await.len() <= 16);
    }
    let arrived = store.arrivals(Partitions::ALL, 100).await.expect("the server answers");
    assert_eq!(arrived.len(), 40, "each is told");

    // As if sixteen writers had died between the second and the third write.
    let saves: Vec<ObjectId> = (0..16).map(|_| ObjectId::new()).collect();
    let by_id = || doc! { "_id": message.accepted.id.to_string() };
    messages
        .update_one(by_id(), doc! { "$set": { "toldSaves": saves.clone() } })
        .await
        .expect("the server answers");
    let arrivals = database.collection::<Document>("feed_arrivals");
    for (arrival, save) in arrived.iter().zip(&saves) {
        arrivals
            .update_one(doc! { "_id": &*arrival.id }, doc! { "$set": { "saveId": *save } })
            .await
            .expect("the server answers");
    }
    let next = [becomes(&read, Status::Dead)];
    assert_eq!(
        store.save(&next).await,
        [Ok(Saved::Stale)],
        "nothing is forgotten that is needed"
    );
    assert_eq!(carried().await, saves);
    arrivals
        .update_one(doc! { "_id": &*arrived[3].id }, doc! { "$unset": { "saveId": "" } })
        .await
        .expect("the server answers");
    let read = store.load(&[message.key()]).await.remove(0).unwrap().unwrap();
    assert_eq!(store.save(&[becomes(&read, Status::Dead)]).await, [Ok(Saved::Done)]);
    let now = carried().await;
    assert_eq!((now.len(), now.contains(&saves[3])), (16, false));
    assert!(
        saves
            .iter()
            .filter(|save| **save != saves[3])
            .all(|save| now.contains(save))
    );
}
