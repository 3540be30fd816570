//! What transactions leave behind, and the arrivals of the feed, past the store.

use std::time::Duration;

use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Partitions, Place};
use dakghar_core::ports::{ArrivalStore as _, EventStore as _, FeedStore as _, TenantSaved, TenantStore as _};
use dakghar_testkit::samples;
use dakghar_testkit::servers::{Mongo, Server, are_installed};

use super::{database, options, store};

/// A process that dies in the middle of a transaction leaves it to the server, which keeps what it wrote from everybody else
/// for a minute.
#[tokio::test]
async fn a_transaction_that_was_left_behind_does_not_hold_up_others() {
    if !are_installed(&[Server::Mongo]) {
        return;
    }
    let server = Mongo::shared().await;
    let options = MongoOptions {
        write_timeout: Duration::from_secs(2),
        ..options(&server)
    };
    let store = MongoStore::connect(&server.uri(), options)
        .await
        .expect("the server answers");
    let mut parsed = mongodb::options::ClientOptions::parse(server.uri())
        .await
        .expect("a URI");
    parsed.app_name = Some("dakghar".to_owned());
    let dead = mongodb::Client::with_options(parsed).expect("a client");
    let event = samples::event(samples::tenant_id());
    let mut session = dead.start_session().await.expect("a session");
    session.start_transaction().await.expect("begun");
    let left = doc! {
        "_id": "left", "schemaVersion": 1, "reason": "routed", "raw": "{}", "receivedAt": bson::DateTime::now(),
        "fingerprint": Binary { subtype: BinarySubtype::Generic, bytes: event.fingerprint.to_vec() },
    };
    let events = dead
        .database(server.database())
        .collection::<Document>("webhook_events");
    events
        .insert_one(left)
        .session(&mut session)
        .await
        .expect("written, for nobody to see");
    // The session lives, as that of a frozen process does, until it is over.
    let recorded = async {
        while store.record(std::slice::from_ref(&event)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), recorded)
        .await
        .expect("it is ended long before a minute is over");
    let gone = session.commit_transaction().await.expect_err("it was ended");
    assert!(
        gone.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR),
        "{gone}"
    );
    assert_eq!(
        store
            .entries(&event.tenant_id.unwrap(), Place::START, PageLimit::items(9))
            .await
            .unwrap()
            .items,
        []
    );
}

/// An arrival that another program broke is put aside, and counted; the others are placed.
#[tokio::test]
async fn an_arrival_that_cannot_be_read_is_put_aside() {
    let Some((store, server)) = store().await else { return };
    let tenant = samples::tenant_id();
    for _ in 0..4 {
        store
            .record(&[samples::event(tenant)])
            .await
            .expect("the store answers");
    }
    let arrivals = database(&server).await.collection::<Document>("feed_arrivals");
    let all = store.arrivals(Partitions::ALL, 10).await.expect("the store answers");
    assert_eq!(all.len(), 4);
    for (arrival, broken) in all.iter().zip([
        doc! { "$set": { "schemaVersion": 99 } },
        // Such a one would not pass the collection's own validator.
        doc! { "$set": { "entries": "abc" } },
        doc! { "$set": { "entries.0.subject": "whim" } },
    ]) {
        let update = arrivals.update_one(doc! { "_id": &*arrival.id }, broken);
        assert_eq!(update.bypass_document_validation(true).await.unwrap().modified_count, 1);
    }
    let left = store.arrivals(Partitions::ALL, 10).await.expect("the store answers");
    assert_eq!(left, all[3..]);
    assert_eq!(store.waiting().await.expect("the store answers").aside, 3);
    assert_eq!(
        store.bring_back().await,
        Ok(3),
        "they are tried again, and put aside again"
    );
    assert_eq!(store.arrivals(Partitions::ALL, 10).await, Ok(all[3..].to_vec()));
    assert_eq!(store.waiting().await.expect("the store answers").aside, 3);
    // With an id of another type it can neither be placed nor put aside, and is in nobody's way.
    let strange = doc! { "_id": 5, "entries": [] };
    arrivals
        .insert_one(strange)
        .bypass_document_validation(true)
        .await
        .expect("the server answers");
    assert_eq!(store.arrivals(Partitions::ALL, 1).await, Ok(all[3..].to_vec()));
}

/// Two processes change a tenant in turn, and the clock of the first is a minute ahead: what is told keeps the order of the
/// changes.
#[tokio::test]
async fn a_change_is_told_behind_the_change_before_it_whoever_made_that() {
    let Some((store, server)) = store().await else { return };
    let mut tenant = samples::tenant();
    assert_eq!(store.insert(&tenant).await, Ok(TenantSaved::Done));
    let first = samples::event(tenant.id);
    store
        .record(std::slice::from_ref(&first))
        .await
        .expect("the store answers");
    let arrivals = database(&server).await.collection::<Document>("feed_arrivals");
    let mut ahead = arrivals
        .find_one_and_delete(doc! {})
        .await
        .unwrap()
        .expect("it arrived");
    let id = ahead.get_str("_id").expect("a string");
    let made = u64::from_str_radix(&id[..12], 16).expect("a time");
    ahead.insert("_id", format!("{:012x}{}", made + 60_000, &id[12..]));
    arrivals.insert_one(ahead).await.expect("the server answers");

    let mut told = vec![first];
    for _ in 0..2 {
        let event = samples::event(tenant.id);
        assert_eq!(
            store.save(&tenant, std::slice::from_ref(&event)).await,
            Ok(TenantSaved::Done)
        );
        tenant.version += 1;
        told.push(event);
    }
    let arrived = store.arrivals(Partitions::ALL, 10).await.expect("the store answers");
    let of_tenant = arrived.iter().filter(|arrival| arrival.tenant_id == tenant.id);
    let subjects: Vec<_> = of_tenant
        .flat_map(|arrival| arrival.entries.iter().map(|entry| entry.subject.clone()))
        .collect();
    let expected: Vec<_> = told
        .iter()
        .filter_map(FeedEntry::of_event)
        .map(|entry| entry.subject)
        .collect();
    assert_eq!(subjects, expected);
}
