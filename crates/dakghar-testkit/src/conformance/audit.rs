//! The suite of [`AuditStore`](dakghar_core::ports::AuditStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod changes;

use dakghar_core::domain::audit::{
    AuditAction, AuditChain, AuditEntry, AuditFault, AuditQuery, AuditRecord, ChainCheck, Principal,
};
use dakghar_core::domain::migration::Record;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::ports::{AuditedChange, Carried};
use futures_util::future::join_all;

use super::stores::Stores;
use crate::samples::{at, audit_entry, audit_entry_full, operator_key, tenant_id};

pub use changes::*;

/// Runs the suite of `AuditStore`: `audit_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! audit_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, audit:
            a_record_of_the_audit_log_is_kept_as_it_is
            records_of_many_at_once_make_one_chain
            records_are_listed_by_every_filter_page_by_page
            what_is_not_carried_out_is_not_recorded
            every_change_is_carried_out_with_its_record
            a_message_is_saved_with_its_record_and_its_entry
            old_records_are_dropped_from_the_beginning_and_the_rest_is_whole
        }
    };
}

/// Checks the whole chain, and returns the number of its last record.
///
/// # Errors
/// It is not whole.
pub async fn check(stores: &Stores) -> Result<u64, AuditFault> {
    let chain = stores.audit.audit_chain().await.expect("the store answers");
    let mut check = ChainCheck::behind(chain.anchor);
    loop {
        let walked = stores.audit.audit_walk(check.at().number, 3).await;
        let walked = walked.expect("the store answers");
        if walked.is_empty() {
            check.end(chain.head)?;
            return Ok(chain.head.number);
        }
        for (number, record) in walked {
            check.take(number, record.as_ref())?;
        }
    }
}

/// Returns where the chain begins and ends, which must be whole.
pub(super) async fn whole(stores: &Stores) -> AuditChain {
    let chain = stores.audit.audit_chain().await.expect("the store answers");
    assert_eq!(check(stores).await, Ok(chain.head.number));
    chain
}

/// All records, the latest last.
pub async fn all(stores: &Stores) -> Vec<AuditRecord> {
    let walked = stores.audit.audit_walk(0, 1_000).await.expect("the store answers");
    walked.into_iter().filter_map(|(_, record)| record).collect()
}

/// Appends a record.
pub async fn note(stores: &Stores, entry: &AuditEntry) {
    let carried = stores.audit.carry_out(&AuditedChange::Nothing, entry).await;
    assert_eq!(carried, Ok(Carried::Done));
}

/// Appends records of every sort to a log without any; returns them.
pub(super) async fn fill(stores: &Stores) -> Vec<Record> {
    for entry in [audit_entry(), audit_entry_full(tenant_id()), audit_entry()] {
        note(stores, &entry).await;
    }
    let records = all(stores).await.into_iter();
    records.map(|record| Record::Audit(Box::new(record))).collect()
}

pub async fn a_record_of_the_audit_log_is_kept_as_it_is(stores: Stores) {
    assert_eq!(whole(&stores).await, AuditChain::default());
    let entries = [audit_entry(), audit_entry_full(tenant_id()), audit_entry()];
    for entry in &entries {
        note(&stores, entry).await;
    }
    let chain = whole(&stores).await;
    assert_eq!((chain.anchor.number, chain.head.number), (0, 3));
    let read: Vec<_> = all(&stores).await.iter().map(AuditRecord::entry).collect();
    assert_eq!(read, entries.map(Some));
}

pub async fn records_of_many_at_once_make_one_chain(stores: Stores) {
    let entries: Vec<AuditEntry> = (0..30).map(|_| audit_entry()).collect();
    join_all(entries.iter().map(|entry| note(&stores, entry))).await;
    assert_eq!(whole(&stores).await.head.number, 30);
    let mut found: Vec<_> = all(&stores).await.iter().map(|record| record.id).collect();
    found.sort_unstable();
    let mut expected: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "each is there once");
}

pub async fn records_are_listed_by_every_filter_page_by_page(stores: Stores) {
    let (owner, key) = (tenant_id(), operator_key(dakghar_core::domain::Role::Admin).key.id);
    let operator = Principal::only(dakghar_core::domain::audit::Who::Operator(key));
    for n in 0..24_u64 {
        let by = if n % 2 == 0 { &operator } else { Principal::CLI };
        let action = if n % 3 == 0 {
            AuditAction::HoldBegun
        } else {
            AuditAction::KeyMade
        };
        let entry = AuditEntry {
            tenant_id: (n % 4 == 0).then_some(owner),
            ..AuditEntry::new(audit_entry().id, at(n), by, action)
        };
        note(&stores, &entry).await;
    }
    let queries = [
        AuditQuery::default(),
        AuditQuery {
            tenant_id: Some(owner),
            ..AuditQuery::default()
        },
        AuditQuery {
            actor: Some(key.to_string()),
            action: Some("hold.begun".to_owned()),
            ..AuditQuery::default()
        },
        AuditQuery {
            tenant_id: Some(owner),
            since: Some(at(4)),
            until: Some(at(16)),
            ..AuditQuery::default()
        },
        AuditQuery {
            action: Some("tenant.paused".to_owned()),
            ..AuditQuery::default()
        },
    ];
    let records = all(&stores).await;
    for (asked, expected_count) in queries.into_iter().zip([24, 6, 4, 3, 0]) {
        let wanted = records.iter().rev().filter(|record| asked.matches(record));
        let expected: Vec<AuditRecord> = wanted.cloned().collect();
        assert_eq!(expected.len(), expected_count, "{asked:?}");
        let (mut found, mut query) = (Vec::new(), asked);
        query.limit = PageLimit::items(3);
        loop {
            let listed = stores.audit.audit_list(&query).await.expect("the store answers");
            assert!(listed.items.len() <= 3);
            found.extend(listed.items);
            query.before = listed.next;
            if query.before.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{query:?}");
    }
}

pub async fn old_records_are_dropped_from_the_beginning_and_the_rest_is_whole(stores: Stores) {
    for ms in [10, 20, 30, 5, 40] {
        let entry = AuditEntry {
            at: at(ms),
            ..audit_entry()
        };
        note(&stores, &entry).await;
    }
    assert_eq!(stores.audit.drop_audit(at(10), 9).await, Ok(0));
    assert_eq!(stores.audit.drop_audit(at(30), 1).await, Ok(1));
    assert_eq!(whole(&stores).await.anchor.number, 1);
    assert_eq!(
        stores.audit.drop_audit(at(30), 9).await,
        Ok(1),
        "those behind a newer one stay"
    );
    let chain = whole(&stores).await;
    assert_eq!((chain.anchor.number, chain.head.number, chain.len()), (2, 5, 3));
    assert_eq!(stores.audit.drop_audit(at(99), 9).await, Ok(3));
    assert!(whole(&stores).await.is_empty());
    note(&stores, &audit_entry()).await;
    let chain = whole(&stores).await;
    assert_eq!((chain.anchor.number, chain.head.number), (5, 6), "numbers go on");
}
