//! The suite of [`PersonErasureStore`](dakghar_core::ports::PersonErasureStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod places;

use dakghar_core::domain::erasure::{ErasureCounts, ErasurePlace, PersonErasure};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{ErasureId, TenantId};
use dakghar_core::ports::{Remains, Saved};

use super::read_pages;
use super::stores::Stores;
use crate::samples::{at, erasure, tenant_id};

pub use places::*;

/// Runs the suite of `PersonErasureStore`: `person_erasure_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! person_erasure_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, person_erasures:
            an_erasure_is_kept_as_it_is
            an_erasure_is_saved_under_the_version_that_was_read
            erasures_are_those_of_their_tenant
            open_erasures_are_due_longest_ago_first
            erasures_go_with_their_tenant
            messages_of_the_person_go_with_their_reports_and_keys
            messages_on_their_way_stay_and_are_told
            messages_are_walked_portion_by_portion
            what_the_person_wrote_in_groups_goes
            reports_that_name_the_person_go
            events_that_name_the_person_go
            conversations_of_the_person_go
            a_conversation_that_goes_on_keeps_its_id_alone
            answers_of_receivers_are_emptied
            whoever_delivers_reads_its_callbacks_again
            what_is_deleted_leaves_nothing_behind
        }
    };
}

async fn insert(stores: &Stores, erasures: &[PersonErasure]) {
    for erasure in erasures {
        assert_eq!(stores.person_erasures.insert_erasure(erasure).await, Ok(()));
    }
}

async fn find(stores: &Stores, like: &PersonErasure) -> Option<PersonErasure> {
    let found = stores.person_erasures.find_erasure(&like.tenant_id, &like.id).await;
    found.expect("the store answers")
}

fn done(erasure: PersonErasure) -> PersonErasure {
    PersonErasure {
        sealed_person: None,
        ended_at: Some(at(9)),
        ..erasure
    }
}

pub async fn an_erasure_is_kept_as_it_is(stores: Stores) {
    let tenant = tenant_id();
    let mut counts = ErasureCounts::default();
    for (count, place) in (1_u64..).zip(ErasurePlace::ALL) {
        counts.add(place, count << 40);
    }
    let full = PersonErasure {
        sealed_person: Some(vec![0, 255, 7]),
        with_unrouted: true,
        place: ErasurePlace::Conversations,
        from: Some("1/msg_…".to_owned()),
        counts,
        cancelled: 3,
        waiting: 4,
        met: [5, 6],
        needs_vacuum: true,
        lease: Some(Lease {
            owner: "w\"1".into(),
            until: at(12),
        }),
        ended_at: Some(at(13)),
        ..erasure(tenant)
    };
    let bare = done(erasure(tenant));
    insert(&stores, &[full.clone(), bare.clone(), erasure(tenant)]).await;
    assert_eq!(find(&stores, &full).await, Some(full.clone()));
    assert_eq!(find(&stores, &bare).await, Some(bare));
    let other = PersonErasure {
        cancelled: 99,
        ..full.clone()
    };
    insert(&stores, &[other]).await;
    assert_eq!(
        find(&stores, &full).await,
        Some(full),
        "storing it again changes nothing"
    );
}

pub async fn an_erasure_is_saved_under_the_version_that_was_read(stores: Stores) {
    let mut erasure = erasure(tenant_id());
    insert(&stores, std::slice::from_ref(&erasure)).await;
    erasure.cancelled = 1;
    let store = &stores.person_erasures;
    assert_eq!(store.save_erasure(&erasure).await, Ok(Saved::Done));
    let stale = PersonErasure {
        cancelled: 2,
        ..erasure.clone()
    };
    assert_eq!(store.save_erasure(&stale).await, Ok(Saved::Stale));
    erasure.version = 1;
    assert_eq!(find(&stores, &erasure).await, Some(erasure));
}

async fn listed(stores: &Stores, tenant: TenantId) -> Vec<ErasureId> {
    let fetch = async |before| {
        let listed = stores
            .person_erasures
            .list_erasures(&tenant, before, PageLimit::items(2));
        listed.await.expect("the store answers")
    };
    let listed = read_pages(2, fetch).await;
    listed.iter().map(|erasure| erasure.id).collect()
}

pub async fn erasures_are_those_of_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    let all = [erasure(ours), erasure(theirs), done(erasure(ours)), erasure(ours)];
    insert(&stores, &all).await;
    assert_eq!(listed(&stores, ours).await, [all[3].id, all[2].id, all[0].id]);
    assert_eq!(listed(&stores, theirs).await, [all[1].id]);
    let found = stores.person_erasures.find_erasure(&ours, &all[1].id).await;
    assert_eq!(found, Ok(None), "of another tenant");
}

pub async fn open_erasures_are_due_longest_ago_first(stores: Stores) {
    let of = |ms| PersonErasure {
        updated_at: at(ms),
        ..erasure(tenant_id())
    };
    let all = [of(5), done(of(1)), of(3), of(4)];
    insert(&stores, &all).await;
    let due = stores.person_erasures.due_erasures(2).await.expect("the store answers");
    assert_eq!(due, [all[2].clone(), all[3].clone()]);
    assert_eq!(
        stores.person_erasures.save_erasure(&done(all[2].clone())).await,
        Ok(Saved::Done)
    );
    let due = stores.person_erasures.due_erasures(9).await.expect("the store answers");
    assert_eq!(due, [all[3].clone(), all[0].clone()]);
}

pub async fn erasures_go_with_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    insert(&stores, &[erasure(ours), done(erasure(ours)), erasure(theirs)]).await;
    while stores.erasure.erase(&ours, 1).await.expect("the store answers") > 0 {}
    assert_eq!(listed(&stores, ours).await, []);
    assert_eq!(listed(&stores, theirs).await.len(), 1);
}

/// What a file keeps is tried with the store that has one.
pub async fn what_is_deleted_leaves_nothing_behind(stores: Stores) {
    assert_eq!(stores.person_erasures.clear_remains().await, Ok(Remains::None));
}
