//! A database that an installation is moving into: what is kept from being used, and what a bad network does.

use dakghar_testkit::samples::With as _;
use std::time::Duration;

use bson::doc;
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::migration::{Kind, Migration, Record, Stage};
use dakghar_core::ports::{MigrationTarget, Saved, StoreError, StoreHealth, TimerStore};
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::require_services;
use dakghar_testkit::samples::{at, event, outbound, tenant_id};
use dakghar_testkit::servers::{Mongo, direct_uri};

use super::{database, options, store};

fn migration(stage: Stage, version: u64) -> Migration {
    Migration {
        id: "0123456789abcdef".into(),
        origin: "/srv/dakghar/data".into(),
        source_state: [1; 32],
        stage,
        kinds: Vec::new(),
        started_at: at(0),
        finished_at: None,
        version,
    }
}

#[tokio::test]
async fn half_an_installation_is_neither_ready_nor_sent_from() {
    let Some((store, _server)) = store().await else { return };
    let due = outbound(tenant_id()).with(|message| message.delivery.wake_at = Some(at(1)));
    let migrated = Record::Message(Box::new(due.clone()));
    for (version, stage) in (0..).zip([Stage::Copying, Stage::Clearing, Stage::Copying]) {
        assert_eq!(store.save_migration(&migration(stage, version)).await, Ok(Saved::Done));
        store.put(std::slice::from_ref(&migrated)).await.expect("put");
        for refused in [store.ping().await, store.due(at(2), None, 10).await.map(drop)] {
            let Err(StoreError::Unavailable(why)) = refused else {
                panic!("{refused:?}")
            };
            assert!(why.contains("/srv/dakghar/data"), "{why}");
        }
        // What there is nothing of is answered.
        assert_eq!(store.due(at(0), None, 10).await, Ok(vec![]));
    }
    assert_eq!(
        store.save_migration(&migration(Stage::Finished, 3)).await,
        Ok(Saved::Done)
    );
    assert_eq!(store.ping().await, Ok(()));
    assert_eq!(store.due(at(2), None, 10).await, Ok(vec![due]));
}

#[tokio::test]
async fn looking_at_a_database_creates_nothing() {
    require_services!(Mongo);
    let server = Mongo::shared().await;
    let options = MongoOptions {
        prepare: false,
        ..options(&server)
    };
    let store = MongoStore::connect(&server.uri(), options)
        .await
        .expect("the server answers");
    assert_eq!(store.migration().await, Ok(None));
    for kind in Kind::ALL {
        assert_eq!(MigrationTarget::count(&*store, kind).await, Ok(0));
    }
    let names = database(&server).await.list_collection_names().await;
    assert_eq!(names.expect("the server answers"), Vec::<String>::new());
    assert!(store.place().contains(server.database()), "{}", store.place());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_an_answer_are_looked_up() {
    require_services!(Mongo);
    let server = Mongo::shared().await;
    let proxy = FaultProxy::start(server.port()).await;
    let options = MongoOptions {
        database: server.database().to_owned(),
        write_timeout: Duration::from_secs(3),
        ..MongoOptions::default()
    };
    let store = MongoStore::connect(&direct_uri(proxy.port()), options)
        .await
        .expect("the server answers");
    let owner = tenant_id();
    let records: Vec<Record> = (0..30).map(|_| Record::Event(event(owner))).collect();
    let events = database(&server).await.collection::<bson::Document>("webhook_events");
    store.put(&records[..1]).await.expect("all is well yet");
    proxy.drop_replies();
    let heal = async {
        while events.count_documents(doc! {}).await.expect("the server answers") < 30 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The reply is on its way now, and must be lost as well.
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.heal().await;
        proxy.cut();
    };
    let (put, ()) = tokio::join!(store.put(&records), heal);
    assert_eq!(put, Ok(()));
    assert_eq!(store.put(&records).await, Ok(()));
    let stored = store.stored(&records).await.expect("the server answers");
    assert_eq!(stored, records.into_iter().map(Some).collect::<Vec<_>>());
}
