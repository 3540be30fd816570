//! A server that is killed, stopped or behind a bad network.

use dakghar_testkit::samples::saves;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::Partitions;
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::ports::{
    Acceptance, ArrivalStore as _, EventStore, MessageStore, Received, Saved, StoreError, StoreHealth, TenantSaved,
    TenantStore,
};
use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::require_services;
use dakghar_testkit::samples::{event, inbound, outbound, tenant, tenant_id, with_key};
use dakghar_testkit::servers::{Mongo, SharedMongo, direct_uri};
use mongodb::options::ReadConcern;

use super::{assert_stored, database, store};

/// A store behind a proxy, and a way around it to see what the server holds.
pub(super) struct Behind {
    pub(super) store: Arc<MongoStore>,
    pub(super) proxy: FaultProxy,
    pub(super) server: SharedMongo,
}

impl Behind {
    pub(super) async fn start() -> Self {
        let server = Mongo::shared().await;
        let proxy = FaultProxy::start(server.port()).await;
        let options = MongoOptions {
            database: server.database().to_owned(),
            write_timeout: Duration::from_secs(3),
            reread_timeout: Duration::from_secs(10),
            ..MongoOptions::default()
        };
        let store = MongoStore::connect(&direct_uri(proxy.port()), options)
            .await
            .expect("the server answers");
        // Opens several connections. With a single one, the clock might be asking on it when the replies stop, and the
        // write that is to lose its answer would never leave.
        assert_eq!(store.ping().await, Ok(()));
        Self { store, proxy, server }
    }

    /// Catches the next commit of a transaction on its way to the server; then as [`Behind::lose_replies_until`].
    async fn lose_the_commit_of(&self, collection: &str, filter: Document, cut: bool) {
        self.proxy.until_caught(self.proxy.caught() + 1).await;
        self.proxy.drop_replies();
        self.proxy.release();
        self.lose_replies_until(collection, filter, cut).await;
    }

    /// Loses the replies until the server has what `filter` finds in `collection`. Then the network works again, the
    /// connections that lost something being silent, or cut.
    async fn lose_replies_until(&self, collection: &str, filter: Document, cut: bool) {
        let collection = database(&self.server).await.collection::<Document>(collection);
        let is_there = async || {
            let found = collection
                .find_one(filter.clone())
                .read_concern(ReadConcern::majority());
            found.await.expect("the server answers").is_some()
        };
        while !is_there().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The reply is on its way now, and must be lost as well.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.proxy.heal().await;
        if cut {
            self.proxy.cut();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_without_an_answer_is_looked_up() {
    require_services!(Mongo);
    for cut in [false, true] {
        let behind = Behind::start().await;
        let tenant_id = tenant_id();
        let earlier = with_key(tenant_id, "earlier");
        assert_eq!(
            behind.store.accept(vec![earlier.clone()]).await,
            [Ok(Acceptance::Stored)]
        );
        let batch = vec![
            with_key(tenant_id, "a"),
            with_key(tenant_id, "earlier"),
            outbound(tenant_id),
        ];

        behind.proxy.drop_replies();
        let last = doc! { "_id": batch[2].accepted.id.to_string() };
        let (answers, ()) = tokio::join!(
            behind.store.accept(batch.clone()),
            behind.lose_replies_until("messages", last, cut)
        );
        let replay = Acceptance::Replay {
            message_id: earlier.accepted.id,
            status: Status::Queued,
            fingerprint: earlier.accepted.idempotency.expect("it has a key").fingerprint,
        };
        assert_eq!(
            answers,
            [Ok(Acceptance::Stored), Ok(replay), Ok(Acceptance::Stored)],
            "cut: {cut}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receive_without_an_answer_is_looked_up() {
    require_services!(Mongo);
    for cut in [false, true] {
        let behind = Behind::start().await;
        let tenant_id = tenant_id();
        let first = inbound(tenant_id, "wamid.A");
        let again = Received::Duplicate(Some(first.key()));
        assert_eq!(behind.store.receive(vec![first.into()]).await, [Ok(Received::New)]);
        let batch = vec![inbound(tenant_id, "wamid.A"), inbound(tenant_id, "wamid.B")];

        behind.proxy.trap(b"commitTransaction", Hold::Request);
        let last = doc! { "_id": batch[1].accepted.id.to_string() };
        let (answers, ()) = tokio::join!(
            behind.store.receive(batch.into_iter().map(Into::into).collect()),
            behind.lose_the_commit_of("messages", last, cut)
        );
        assert_eq!(answers, [Ok(again), Ok(Received::New)], "cut: {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_without_an_answer_is_looked_up() {
    require_services!(Mongo);
    for cut in [false, true] {
        let behind = Behind::start().await;
        let tenant_id = tenant_id();
        let mut batch = vec![outbound(tenant_id), outbound(tenant_id)];
        assert!(behind.store.accept(batch.clone()).await.iter().all(Result::is_ok));
        // The second one is stale.
        batch[1].delivery.version = 5;
        for message in &mut batch {
            message.delivery.status = Status::Held;
        }

        behind.proxy.drop_replies();
        let saved = doc! { "_id": batch[0].accepted.id.to_string(), "status": "held" };
        let batch = saves(&batch);
        let (answers, ()) = tokio::join!(
            MessageStore::save(&*behind.store, &batch),
            behind.lose_replies_until("messages", saved, cut)
        );
        assert_eq!(answers[0], Ok(Saved::Done), "cut: {cut}");
        // Over a silent connection nobody can know that it was refused.
        assert!(
            matches!(answers[1], Ok(Saved::Stale) | Err(StoreError::Unavailable(_))),
            "{:?}",
            answers[1]
        );
        let loaded = behind.store.load(&[batch[0].key]).await;
        assert_eq!(
            loaded[0]
                .as_ref()
                .map(|message| message.as_ref().map(|message| message.delivery.version)),
            Ok(Some(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_without_an_answer_are_looked_up() {
    require_services!(Mongo);
    let tenant = {
        let behind = Behind::start().await;
        let tenant = tenant();
        let by_id = doc! { "_id": tenant.id.to_string() };
        behind.proxy.drop_replies();
        let (answer, ()) = tokio::join!(
            TenantStore::insert(&*behind.store, &tenant),
            behind.lose_replies_until("tenants", by_id, false)
        );
        assert_eq!(answer, Ok(TenantSaved::Done));
        tenant
    };

    let behind = Behind::start().await;
    // Every installation behind a proxy has a database of its own.
    assert_eq!(
        TenantStore::insert(&*behind.store, &tenant).await,
        Ok(TenantSaved::Done)
    );
    let mut renamed = tenant.clone();
    renamed.name = "Renamed".to_owned();
    behind.proxy.drop_replies();
    let by_name = doc! { "name": "Renamed" };
    let (answer, ()) = tokio::join!(
        TenantStore::save(&*behind.store, &renamed, &[]),
        behind.lose_replies_until("tenants", by_name, false)
    );
    assert_eq!(answer, Ok(TenantSaved::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_told_save_of_a_tenant_without_an_answer_is_looked_up() {
    require_services!(Mongo);
    let behind = Behind::start().await;
    let tenant = tenant();
    assert_eq!(
        TenantStore::insert(&*behind.store, &tenant).await,
        Ok(TenantSaved::Done)
    );
    let told = [event(tenant.id)];
    let last = doc! { "_id": told[0].id.to_string() };
    behind.proxy.trap(b"commitTransaction", Hold::Request);
    let (answer, ()) = tokio::join!(
        TenantStore::save(&*behind.store, &tenant, &told),
        behind.lose_the_commit_of("webhook_events", last, false)
    );
    assert_eq!(answer, Ok(TenantSaved::Done));
    let again = TenantStore::save(&*behind.store, &tenant, &told).await;
    assert_eq!(again, Ok(TenantSaved::Stale));
    let arrivals = behind.store.arrivals(Partitions::ALL, 10).await;
    assert_eq!(arrivals.expect("the server answers").len(), 1, "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_an_answer_are_looked_up() {
    require_services!(Mongo);
    let behind = Behind::start().await;
    let tenant = tenant();
    let events = [event(tenant.id), event(tenant.id)];
    let last = doc! { "_id": events[1].id.to_string() };
    behind.proxy.trap(b"commitTransaction", Hold::Request);
    let (answer, ()) = tokio::join!(
        behind.store.record(&events),
        behind.lose_the_commit_of("webhook_events", last, false)
    );
    assert_eq!(answer, Ok(()));
    let arrivals = behind
        .store
        .arrivals(Partitions::ALL, 10)
        .await
        .expect("the server answers");
    let told: usize = arrivals.iter().map(|arrival| arrival.entries.len()).sum();
    assert_eq!(told, 2, "each with its entry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_out_of_reach_is_unavailable_and_comes_back() {
    require_services!(Mongo);
    let behind = Behind::start().await;
    let message = with_key(tenant_id(), "a");
    behind.proxy.refuse().await;
    let answers = behind.store.accept(vec![message.clone()]).await;
    assert!(matches!(answers[..], [Err(StoreError::Unavailable(_))]), "{answers:?}");
    let loaded = behind.store.load(&[message.key()]).await;
    assert!(matches!(loaded[..], [Err(StoreError::Unavailable(_))]), "{loaded:?}");
    let saved = MessageStore::save(&*behind.store, &saves([&message])).await;
    assert!(matches!(saved[..], [Err(StoreError::Unavailable(_))]), "{saved:?}");
    assert!(behind.store.ping().await.is_err());

    behind.proxy.heal().await;
    assert_eq!(
        accept_in_the_end(&behind.store, vec![message]).await,
        [Acceptance::Stored]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_batch_is_answered_one_by_one() {
    let Some((store, _server)) = store().await else { return };
    let (tenant_id, other) = (tenant_id(), tenant_id());
    let first = with_key(tenant_id, "a");
    assert_eq!(store.accept(vec![first.clone()]).await, [Ok(Acceptance::Stored)]);
    let batch = vec![
        with_key(tenant_id, "b"),
        with_key(tenant_id, "a"),
        outbound(tenant_id),
        with_key(other, "a"),
        with_key(tenant_id, "b"),
        with_key(other, "a"),
        first.clone(),
    ];
    let replay_of = |message: &Message| {
        Ok(Acceptance::Replay {
            message_id: message.accepted.id,
            status: message.delivery.status,
            fingerprint: message.accepted.idempotency.as_ref().expect("it has a key").fingerprint,
        })
    };
    let stored = || Ok(Acceptance::Stored);
    let expected = [
        stored(),
        replay_of(&first),
        stored(),
        stored(),
        replay_of(&batch[0]),
        replay_of(&batch[3]),
        // The very same message once more is not a replay of another one.
        stored(),
    ];
    assert_eq!(store.accept(batch).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    require_services!(Mongo);
    let mut server = Mongo::start().await;
    let store = MongoStore::connect(&server.uri(), MongoOptions::default())
        .await
        .expect("the server answers");
    let tenant_id = tenant_id();
    let mut kept = Vec::new();
    for _ in 0..3 {
        // After a restart the driver may need a moment to find the server.
        accept_in_the_end(&store, vec![outbound(tenant_id)]).await;
        let (acknowledged, mut seen) = tokio::sync::watch::channel(0);
        let writing = {
            let store = store.clone();
            tokio::spawn(async move { write_until_it_fails(&store, tenant_id, &acknowledged).await })
        };
        seen.wait_for(|messages| *messages >= 100).await.expect("it writes on");
        server.kill();
        kept.extend(writing.await.expect("it does not panic"));
        server.restart().await;
        server.writable().await;
    }
    assert!(kept.len() >= 300, "{}", kept.len());
    accept_in_the_end(&store, vec![outbound(tenant_id)]).await;
    assert_stored(&store, &kept).await;
}

/// Accepts and saves batches until one fails; answers the messages as they were last acknowledged, those of the failed
/// write apart.
async fn write_until_it_fails(
    store: &MongoStore,
    tenant_id: dakghar_core::domain::TenantId,
    acknowledged: &tokio::sync::watch::Sender<usize>,
) -> Vec<Message> {
    let mut kept = Vec::new();
    loop {
        let mut batch: Vec<Message> = (0..20).map(|_| outbound(tenant_id)).collect();
        if store.accept(batch.clone()).await.iter().any(Result::is_err) {
            return kept;
        }
        for message in &mut batch {
            message.delivery.status = Status::Sending;
            message.delivery.epoch += 1;
        }
        let saved = MessageStore::save(store, &saves(&batch)).await;
        for (mut message, saved) in batch.into_iter().zip(saved) {
            if saved == Ok(Saved::Done) {
                message.delivery.version += 1;
                kept.push(message);
            }
        }
        acknowledged.send_replace(kept.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_unavailable_and_loses_nothing() {
    require_services!(Mongo);
    let server = Mongo::start().await;
    let store = MongoStore::connect(&server.uri(), MongoOptions::default())
        .await
        .expect("the server answers");
    let message = with_key(tenant_id(), "a");
    server.stop();
    let keys = [message.key()];
    let (accepted, loaded) = tokio::join!(store.accept(vec![message.clone()]), store.load(&keys));
    server.cont();
    assert!(
        matches!(accepted[..], [Err(StoreError::Unavailable(_))]),
        "{accepted:?}"
    );
    assert!(matches!(loaded[..], [Err(StoreError::Unavailable(_))]), "{loaded:?}");
    // The write that nobody waited for may have happened meanwhile: the same message again, either way.
    assert_eq!(accept_in_the_end(&store, vec![message]).await, [Acceptance::Stored]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_primary_loses_and_doubles_nothing() {
    require_services!(Mongo);
    let set = Mongo::start_replica_set(3).await;
    let store = MongoStore::connect(&set.uri(), MongoOptions::default())
        .await
        .expect("the server answers");
    let tenant_id = tenant_id();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for _ in 0..60 {
                let batch: Vec<Message> = (0..10).map(|_| outbound(tenant_id)).collect();
                for accepted in accept_in_the_end(&store, batch.clone()).await {
                    assert_eq!(accepted, Acceptance::Stored);
                }
                kept.extend(batch);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            kept
        })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    set.step_down(20).await;
    let kept = writing.await.expect("it does not panic");
    assert_eq!(kept.len(), 600);
    assert_stored(&store, &kept).await;
}

/// Accepts a batch, again and again until the store answers.
pub(super) async fn accept_in_the_end(store: &MongoStore, batch: Vec<Message>) -> Vec<Acceptance> {
    for _ in 0..60 {
        let answers: Result<Vec<Acceptance>, StoreError> = store.accept(batch.clone()).await.into_iter().collect();
        if let Ok(answers) = answers {
            return answers;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the store does not come back");
}
