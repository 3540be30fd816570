//! Several processes write one chain, and what another program does to it is found.

use bson::{Document, doc};
use dakghar_adapters::mongo::MongoStore;
use dakghar_core::domain::audit::AuditFault;
use dakghar_core::domain::hold::SendingHold;
use dakghar_core::ports::{AuditStore as _, AuditedChange, Carried, HoldStore as _, TenantStore as _};
use dakghar_testkit::conformance::Stores;
use dakghar_testkit::conformance::audit::{all, check, note};
use dakghar_testkit::samples::{at, audit_entry, tenant};
use futures_util::future::join_all;

use super::{database, options, store};

#[tokio::test]
async fn several_processes_at_once_write_one_chain() {
    let Some((first, server)) = store().await else { return };
    let mut processes = vec![first];
    for _ in 0..2 {
        let another = MongoStore::connect(&server.uri(), options(&server)).await;
        processes.push(another.expect("the server answers"));
    }
    let owner = tenant();
    assert!(processes[0].insert(&owner).await.is_ok());
    // All of them also change one tenant, of which one comes through each time.
    let changes = processes.iter().flat_map(|process| (0..20).map(move |n| (process, n)));
    let carried = changes.map(|(process, n)| {
        let change = if n % 4 == 0 {
            AuditedChange::SaveTenant(Box::new(owner.clone()), Vec::new())
        } else {
            AuditedChange::Nothing
        };
        async move { process.carry_out(&change, &audit_entry()).await }
    });
    let carried = join_all(carried).await;
    let done = carried.iter().filter(|carried| **carried == Ok(Carried::Done)).count();
    assert_eq!(done, 45 + 1, "{carried:?}");
    assert!(carried.iter().all(Result::is_ok), "{carried:?}");
    let stores = Stores::of(processes[1].clone());
    assert_eq!(check(&stores).await, Ok(46));
    assert_eq!(all(&stores).await.len(), 46);
}

#[tokio::test]
async fn a_change_whose_record_cannot_be_written_is_not_made() {
    let Some((store, server)) = store().await else { return };
    let database = database(&server).await;
    note(&Stores::of(store.clone()), &audit_entry()).await;
    let refuse = doc! { "collMod": "audit", "validator": { "never": true } };
    database.run_command(refuse).await.expect("set");
    let hold = AuditedChange::KeepSendingHold(Some(SendingHold { since: at(1) }));
    assert!(store.carry_out(&hold, &audit_entry()).await.is_err());
    assert_eq!(store.sending_hold().await, Ok(None));
    let accept = doc! { "collMod": "audit", "validator": {} };
    database.run_command(accept).await.expect("set");
    assert_eq!(store.carry_out(&hold, &audit_entry()).await, Ok(Carried::Done));
    assert_eq!(check(&Stores::of(store)).await, Ok(2));
}

#[tokio::test]
async fn what_was_edited_taken_out_or_cut_off_in_the_database_is_found() {
    let Some((store, server)) = store().await else { return };
    let database = database(&server).await;
    let (records, chain) = (
        database.collection::<Document>("audit"),
        database.collection::<Document>("audit_chain"),
    );
    let stores = Stores::of(store);
    for _ in 0..6 {
        note(&stores, &audit_entry()).await;
    }
    let of = |number: u64| doc! { "_id": format!("{number:020}") };
    let set = async |number: u64, field: &str, value: &str| {
        let update = records.update_one(of(number), doc! { "$set": { field: value } });
        let updated = update.bypass_document_validation(true).await.expect("set");
        assert_eq!(updated.modified_count, 1);
    };
    let text = all(&stores).await[4].text.clone();
    set(5, "text", "{}").await;
    assert_eq!(check(&stores).await, Err(AuditFault::Edited(5)));
    set(5, "text", &text).await;
    assert_eq!(check(&stores).await, Ok(6));
    set(4, "hash", "none").await;
    assert_eq!(check(&stores).await, Err(AuditFault::Edited(4)));
    records.delete_one(of(3)).await.expect("deleted");
    assert_eq!(check(&stores).await, Err(AuditFault::Missing(3)));
    records
        .delete_many(doc! { "_id": { "$gte": format!("{:020}", 3) } })
        .await
        .expect("deleted");
    assert_eq!(check(&stores).await, Err(AuditFault::CutOff(3)));
    chain
        .update_one(doc! {}, doc! { "$set": { "headNumber": 1_i64 } })
        .await
        .expect("set");
    assert_eq!(check(&stores).await, Err(AuditFault::Beyond(2)));
}
