//! The suite of [`RedriveStore`](dakghar_core::ports::RedriveStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::auto_redrive::{Automatic, Cause};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{DeadLetter, DeadReason, SendError};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::{Redrive, RedriveFilter, RedriveStatus, Settled};
use dakghar_core::domain::{Actor, MessageId, Status, TenantId};
use dakghar_core::ports::Saved;

use super::read_pages;
use super::stores::{Stores, accept_all, accept_as};
use crate::samples::{With as _, at, outbound, phone, redrive, tenant_id};

/// Runs the suite of `RedriveStore`: `redrive_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! redrive_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, redrives:
            a_redrive_is_kept_as_it_is
            storing_it_again_changes_nothing
            a_save_needs_the_version_that_was_read
            of_two_savers_one_is_first
            a_tenant_sees_its_own_and_the_operator_all
            an_owner_has_its_own_count_of_open_ones
            what_needs_work_is_due_longest_ago_first
            what_is_over_is_forgotten_in_time
            dead_letters_are_looked_through_without_content
            looking_through_ends_and_sees_each_once
        }
    };
}

async fn insert(stores: &Stores, redrives: &[Redrive]) {
    for redrive in redrives {
        assert_eq!(stores.redrives.insert_redrive(redrive).await, Ok(()));
    }
}

async fn find(stores: &Stores, like: &Redrive) -> Option<Redrive> {
    stores.redrives.find_redrive(&like.id).await.expect("the store answers")
}

/// One in which every field has a value.
fn full(tenant_id: TenantId) -> Redrive {
    let mut redrive = redrive(Some(tenant_id));
    redrive.asked.filter = RedriveFilter {
        phone_number_id: Some(phone("111")),
        code: Some(-1),
        reason: Some(DeadReason::OutcomeUnknown),
        status: Some(Status::Dead),
        from: Some(at(1)),
        to: Some(at(2)),
    };
    redrive.asked.confirm_duplicate_risk = true;
    redrive.asked.ignore_expiry = true;
    redrive.asked.by = Actor::Tenant;
    redrive.asked.automatic = Some(Automatic {
        cause: Cause::Account,
        per_minute: 7,
        times: 3,
    });
    redrive.before = Some(outbound(tenant_id).accepted.id);
    redrive.pending = vec![
        outbound(tenant_id).key(),
        outbound(TenantId::from_uuid(*tenant_id.as_uuid())).key(),
    ];
    redrive.total = 7;
    redrive.total_is_exact = true;
    redrive.settled = Settled {
        redriven: 1,
        skipped: 2,
        failed: 3,
    };
    redrive.lease = Some(Lease {
        owner: "worker-1".into(),
        until: at(9),
    });
    redrive
}

pub async fn a_redrive_is_kept_as_it_is(stores: Stores) {
    let (full, bare) = (full(tenant_id()), redrive(None));
    assert_eq!(find(&stores, &full).await, None);
    insert(&stores, &[full.clone(), bare.clone()]).await;
    assert_eq!(find(&stores, &full).await, Some(full));
    assert_eq!(find(&stores, &bare).await, Some(bare));
}

pub async fn storing_it_again_changes_nothing(stores: Stores) {
    let first = redrive(None);
    insert(&stores, std::slice::from_ref(&first)).await;
    let again = Redrive {
        total: 99,
        ..first.clone()
    };
    insert(&stores, &[again]).await;
    assert_eq!(find(&stores, &first).await, Some(first));
}

pub async fn a_save_needs_the_version_that_was_read(stores: Stores) {
    let mut redrive = redrive(Some(tenant_id()));
    assert_eq!(
        stores.redrives.save_redrive(&redrive).await,
        Ok(Saved::Stale),
        "it is not there"
    );
    insert(&stores, std::slice::from_ref(&redrive)).await;
    let stale = redrive.clone();
    let changed = Redrive {
        id: redrive.id,
        version: redrive.version,
        ..full(redrive.tenant_id.expect("a tenant's"))
    };
    assert_eq!(stores.redrives.save_redrive(&changed).await, Ok(Saved::Done));
    let stored = Redrive { version: 1, ..changed };
    assert_eq!(find(&stores, &redrive).await, Some(stored.clone()));
    assert_eq!(stores.redrives.save_redrive(&stale).await, Ok(Saved::Stale));
    assert_eq!(find(&stores, &redrive).await, Some(stored));
    // What has no value any more is none.
    redrive.version = 1;
    assert_eq!(stores.redrives.save_redrive(&redrive).await, Ok(Saved::Done));
    redrive.version = 2;
    assert_eq!(find(&stores, &redrive).await, Some(redrive));
}

pub async fn of_two_savers_one_is_first(stores: Stores) {
    let redrive = redrive(None);
    insert(&stores, std::slice::from_ref(&redrive)).await;
    let savers: Vec<_> = (0..8)
        .map(|n| {
            let (stores, redrive) = (
                stores.clone(),
                Redrive {
                    total: n,
                    ..redrive.clone()
                },
            );
            tokio::spawn(async move { stores.redrives.save_redrive(&redrive).await })
        })
        .collect();
    let mut done = 0;
    for saver in savers {
        done += u32::from(saver.await.expect("no panic") == Ok(Saved::Done));
    }
    assert_eq!(done, 1);
}

pub async fn a_tenant_sees_its_own_and_the_operator_all(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let redrives = [Some(tenant), None, Some(other), Some(tenant)].map(redrive);
    insert(&stores, &redrives).await;
    let list = async |owner: Option<TenantId>| {
        let fetch = async |before| {
            let listed = stores
                .redrives
                .list_redrives(owner.as_ref(), before, PageLimit::items(1));
            listed.await.expect("the store answers")
        };
        let mut listed = read_pages(1, fetch).await;
        listed.reverse();
        listed
    };
    assert_eq!(list(Some(tenant)).await, [redrives[0].clone(), redrives[3].clone()]);
    assert_eq!(list(Some(other)).await, [redrives[2].clone()]);
    assert_eq!(list(Some(tenant_id())).await, []);
    assert_eq!(list(None).await, redrives);
    let none = stores.redrives.list_redrives(None, None, PageLimit::items(0)).await;
    assert!(none.expect("the store answers").items.is_empty());
}

pub async fn an_owner_has_its_own_count_of_open_ones(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let of = |owner, status| Redrive {
        status,
        ..redrive(owner)
    };
    for status in RedriveStatus::ALL {
        insert(&stores, &[of(Some(tenant), status), of(None, status)]).await;
    }
    insert(&stores, &[of(None, RedriveStatus::Running)]).await;
    let count = async |owner: Option<TenantId>| stores.redrives.count_open_redrives(owner.as_ref()).await;
    assert_eq!(count(Some(tenant)).await, Ok(2));
    assert_eq!(count(None).await, Ok(3));
    assert_eq!(count(Some(other)).await, Ok(0));
}

pub async fn what_needs_work_is_due_longest_ago_first(stores: Stores) {
    let of = |status, seconds, pending: usize| Redrive {
        status,
        updated_at: at(seconds),
        pending: (0..pending).map(|_| outbound(tenant_id()).key()).collect(),
        ..redrive(None)
    };
    let late = of(RedriveStatus::Running, 9, 0);
    let early = of(RedriveStatus::Running, 3, 2);
    let cancelled = of(RedriveStatus::Cancelled, 5, 1);
    let idle = [
        of(RedriveStatus::Paused, 1, 1),
        of(RedriveStatus::Cancelled, 1, 0),
        of(RedriveStatus::Done, 1, 0),
    ];
    insert(&stores, &[late.clone(), early.clone(), cancelled.clone()]).await;
    insert(&stores, &idle).await;
    let all = Ok(vec![early.clone(), cancelled.clone(), late]);
    assert_eq!(stores.redrives.due_redrives(10).await, all);
    assert_eq!(
        stores.redrives.due_redrives(2).await,
        Ok(vec![early.clone(), cancelled])
    );
    assert_eq!(stores.redrives.due_redrives(0).await, Ok(vec![]));
    let paused = Redrive {
        status: RedriveStatus::Paused,
        ..early
    };
    assert_eq!(stores.redrives.save_redrive(&paused).await, Ok(Saved::Done));
    assert_eq!(
        stores.redrives.due_redrives(10).await.expect("the store answers").len(),
        2
    );
}

pub async fn what_is_over_is_forgotten_in_time(stores: Stores) {
    let of = |status, seconds| Redrive {
        status,
        updated_at: at(seconds),
        ..redrive(None)
    };
    let kept = [
        of(RedriveStatus::Running, 1),
        of(RedriveStatus::Paused, 1),
        of(RedriveStatus::Done, 10),
        Redrive {
            pending: vec![outbound(tenant_id()).key()],
            ..of(RedriveStatus::Cancelled, 1)
        },
    ];
    let forgotten = [of(RedriveStatus::Done, 9), of(RedriveStatus::Cancelled, 9)];
    insert(&stores, &kept).await;
    insert(&stores, &forgotten).await;
    assert_eq!(stores.redrives.forget_redrives(at(10)).await, Ok(()));
    for redrive in kept {
        assert_eq!(find(&stores, &redrive).await, Some(redrive));
    }
    for redrive in forgotten {
        assert_eq!(find(&stores, &redrive).await, None);
    }
}

pub async fn dead_letters_are_looked_through_without_content(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let failed = outbound(tenant).with(|message| {
        message.accepted.phone_number_id = phone("222");
        message.delivery.attempt = 3;
        message.delivery.maybe_sent = true;
        message.delivery.error = Some(SendError {
            code: Some(131_026),
            ..SendError::default()
        });
        message.delivery.updated_at = at(77);
    });
    let failed = accept_as(&stores, Status::Failed, failed).await;
    let dead = outbound(tenant).with(|message| message.delivery.dead_reason = Some(DeadReason::Poison));
    let dead = accept_as(&stores, Status::Dead, dead).await;
    let expired = accept_as(&stores, Status::Expired, outbound(other)).await;
    accept_as(&stores, Status::Sent, outbound(tenant)).await;
    accept_all(&stores, &[outbound(tenant)]).await;

    let letters = |messages: &[&dakghar_core::domain::Message]| {
        let letters = messages.iter().map(|message| DeadLetter::of(message).expect("one"));
        letters.collect::<Vec<_>>()
    };
    assert_eq!(letters(&[&failed])[0].code, Some(131_026));
    let look = async |owner: Option<TenantId>| {
        let found = stores.redrives.look_through(owner.as_ref(), None, 10).await;
        found.expect("the store answers")
    };
    let last = |items| Listed { items, next: None };
    assert_eq!(look(Some(tenant)).await, last(letters(&[&dead, &failed])));
    assert_eq!(look(Some(other)).await, last(letters(&[&expired])));
    assert_eq!(look(None).await, last(letters(&[&expired, &dead, &failed])));
}

pub async fn looking_through_ends_and_sees_each_once(stores: Stores) {
    let tenant = tenant_id();
    let mut dead: Vec<MessageId> = Vec::new();
    for n in 0..7 {
        let status = [Status::Dead, Status::Failed, Status::Expired][n % 3];
        dead.push(accept_as(&stores, status, outbound(tenant)).await.accepted.id);
    }
    dead.reverse();
    for (owner, limit) in [(Some(&tenant), 2), (None, 3), (Some(&tenant), 7)] {
        let fetch = async |before| {
            let found = stores.redrives.look_through(owner, before, limit).await;
            found.expect("the store answers")
        };
        let seen = read_pages(limit, fetch).await;
        let seen: Vec<_> = seen.into_iter().map(|letter| letter.key.message_id).collect();
        assert_eq!(seen, dead);
    }
}
