//! Feeds: who gives places, and what is read behind them.

use std::time::Duration;

use dakghar_core::app::EntryData;
use dakghar_core::domain::feed::PARTITIONS;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{ErrorCode, Place, TenantId, Timestamp, WebhookEvent};
use dakghar_core::ports::{
    Aged, AgedPortion, ArrivalStore as _, Clock as _, Erasure as _, EventStore as _, FeedStore as _,
};
use dakghar_testkit::samples;

use crate::steps::{code, in_each_kind};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::{Kind, World};

/// Events of a tenant, as a webhook leaves them.
fn events(world: &World, tenant: TenantId, count: u64) {
    let now = world.clock.now();
    let event = |_| WebhookEvent {
        received_at: now,
        amends: None,
        ..samples::event(tenant)
    };
    let events: Vec<WebhookEvent> = (0..count).map(event).collect();
    at_once(world.store.record(&events)).expect("no outage");
}

/// One tenant for each partition.
fn tenants() -> Vec<TenantId> {
    (0..u128::from(PARTITIONS))
        .map(|n| TenantId::from_uuid(uuid::Uuid::from_u128(n)))
        .collect()
}

fn sequence(world: &World, process: &Process) -> u64 {
    let process = process.clone();
    world.step(async move { process.sequence().await })
}

fn placed(world: &World, tenant: &TenantId) -> u64 {
    at_once(world.store.bounds(tenant)).expect("no outage").last.number()
}

fn waits(world: &World) -> bool {
    at_once(world.store.waiting()).expect("no outage").oldest.is_some()
}

#[test]
fn who_gives_places_hears_once_of_what_arrived() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    assert!(!process.hears_of_arrivals());
    events(&world, samples::tenant_id(), 2);
    assert!(process.hears_of_arrivals());
    assert!(!process.hears_of_arrivals());
}

#[test]
fn a_lone_process_owns_every_partition_at_once() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    for tenant in tenants() {
        events(&world, tenant, 2);
    }
    assert_eq!(sequence(&world, &process), 2 * u64::from(PARTITIONS));
    assert!(!waits(&world));
}

#[test]
fn partitions_are_divided_among_those_who_are_there_and_taken_over_from_the_dead() {
    let world = World::new(Kind::Distributed);
    let (one, other) = (world.idle_process(), world.idle_process());
    // Each has seen that the other one goes on being there.
    for _ in 0..3 {
        sequence(&world, &one);
        sequence(&world, &other);
        world.run_for(Duration::from_millis(1_100));
    }
    sequence(&world, &one);
    for tenant in tenants() {
        events(&world, tenant, 1);
    }
    let (by_one, by_other) = (sequence(&world, &one), sequence(&world, &other));
    assert_eq!(by_one + by_other, u64::from(PARTITIONS), "each partition has one owner");
    assert!(by_one > 10 && by_other > 10, "{by_one} and {by_other}");

    world.wire.executor.end_life(other.life());
    for tenant in tenants() {
        events(&world, tenant, 1);
    }
    assert_eq!(sequence(&world, &one), by_one, "the other one may only be slow");
    for _ in 0..6 {
        world.run_for(Duration::from_millis(1_100));
        sequence(&world, &one);
    }
    assert!(!waits(&world), "what was the dead one's is placed");
}

#[test]
fn two_who_take_themselves_for_the_owner_place_each_entry_once() {
    let world = World::new(Kind::Distributed);
    // Neither has seen the other one yet, so both own everything.
    let (one, other) = (world.idle_process(), world.idle_process());
    let tenant = tenants()[7];
    for round in 1..6 {
        events(&world, tenant, 3);
        let (one, other) = (one.clone(), other.clone());
        world.step(async move { futures_util::future::join(one.sequence(), other.sequence()).await });
        assert_eq!(placed(&world, &tenant), 3 * round);
    }
}

#[test]
fn entries_that_cannot_be_placed_hold_up_nobody_else_and_are_tried_again_when_asked() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    let (poisoned, well) = (tenants()[1], tenants()[2]);
    world.poisoned.lock().insert(poisoned);
    events(&world, poisoned, 2);
    events(&world, well, 2);
    assert_eq!(sequence(&world, &process), 2);
    assert_eq!((placed(&world, &well), placed(&world, &poisoned)), (2, 0));
    assert!(!waits(&world), "they were put aside");
    assert!(at_once(world.store.waiting()).expect("no outage").aside > 0);
    events(&world, well, 1);
    assert_eq!(sequence(&world, &process), 1);
    world.poisoned.lock().clear();
    assert!(at_once(world.store.bring_back()).expect("no outage") > 0);
    assert_eq!(sequence(&world, &process), 2);
    assert_eq!(placed(&world, &poisoned), 2);
}

#[test]
fn a_place_whose_entries_were_erased_is_gone_and_one_ahead_is_unknown() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        for _ in 0..4 {
            events(world, tenant, 1);
            sequence(world, &process);
        }
        let read = |after: Option<&'static str>| {
            let process = process.clone();
            world.step(async move { process.feed(&tenant, after, 10).await })
        };
        assert_eq!(read(Some("0")).expect("a page").items.len(), 4);
        let later: Timestamp = world.clock.now() + Duration::from_secs(1);
        let portion = AgedPortion {
            tenant_id: Some(tenant),
            kind: Aged::Feed,
            before: later,
            from: None,
            limit: 2,
        };
        at_once(world.store.erase_aged(&portion)).expect("no outage");
        for gone in ["0", "1"] {
            let problem = read(Some(gone)).expect_err("these were erased");
            assert_eq!(problem.code, ErrorCode::FeedPlaceGone);
            assert!(
                problem.detail.contains("the earliest are behind 2"),
                "{}",
                problem.detail
            );
        }
        let page = read(Some("2")).expect("a page");
        assert_eq!(
            (page.items.len(), page.items[0].place, page.next),
            (2, Place::new(3), Place::new(4))
        );
        assert_eq!(read(None).expect("a page").items.len(), 2, "from the earliest on");
        assert!(read(Some("4")).expect("the end").items.is_empty());
        assert_eq!(code(&read(Some("5"))), Some(ErrorCode::FeedPlaceUnknown));
    });
}

#[test]
fn an_entry_whose_record_is_gone_keeps_its_place() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        events(world, tenant, 2);
        sequence(world, &process);
        let portion = AgedPortion {
            tenant_id: Some(tenant),
            kind: Aged::Events,
            before: world.clock.now() + Duration::from_secs(1),
            from: None,
            limit: 1,
        };
        at_once(world.store.erase_aged(&portion)).expect("no outage");
        let process = process.clone();
        let page = world.step(async move { process.feed(&tenant, None, 10).await });
        let items = page.expect("a page").items;
        assert_eq!(items.len(), 2);
        assert!(matches!(items[0].data, EntryData::Gone), "{:?}", items[0]);
        assert!(matches!(items[1].data, EntryData::Event(_)), "{:?}", items[1]);
    });
}
