//! Accounts of numbers that nobody gave: learned from what Meta posts about the numbers.

use std::time::Duration;

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{ErrorCode, EventReason, Tenant, WabaId};
use dakghar_core::ports::TenantStore;
use dakghar_testkit::samples;

use crate::receiving::events;
use crate::routing::{account_event, find};
use crate::steps::{MINUTE, code, in_each_kind, number};
use crate::world::World;
use crate::world::meta::Meta;
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A message to the tenant's number, in an entry of this account, of so long ago.
fn message(world: &World, tenant: &Tenant, wamid: &str, account: &str, ago: Duration) -> WebhookPart {
    let mut inbound = Meta::inbound(&number(tenant), "919333333333", wamid);
    inbound.waba_id = Some(samples::waba(account));
    inbound.sent_at = Some(world.now() - ago);
    WebhookPart::Message(inbound)
}

fn hear(world: &World, process: &Process, tenant: &Tenant, wamid: &str, account: &str) {
    let part = message(world, tenant, wamid, account, Duration::ZERO);
    world.receive(process, vec![part]).expect("received");
}

/// The account of the tenant's number, and whether it was learned.
fn account(world: &World, tenant: &Tenant) -> (Option<String>, bool) {
    let found = find(world, tenant);
    let number = &found.phone_numbers[0];
    (number.waba_id.as_ref().map(WabaId::to_string), number.waba_is_learned)
}

fn learned(account: &str) -> (Option<String>, bool) {
    (Some(account.to_owned()), true)
}

#[test]
fn an_account_is_learned_from_a_message_so_that_its_events_reach_the_tenant() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.receive(&process, vec![account_event(None)]).expect("received");
        assert_eq!(events(world, None), [EventReason::UnknownWaba]);
        // An event of the same POST finds it already.
        let part = message(world, &tenant, "wamid.1", "9001", Duration::ZERO);
        let receipt = world.receive(&process, vec![account_event(Some("999")), part]);
        assert_eq!(receipt.map(|receipt| (receipt.messages, receipt.events)), Ok((1, 1)));
        assert_eq!(account(world, &tenant), learned("9001"));
        world.receive(&process, vec![account_event(None)]).expect("received");
        assert_eq!(events(world, Some(&tenant)).len(), 2);
    });
}

#[test]
fn an_account_is_learned_from_a_status() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        report.waba_id = Some(samples::waba("9001"));
        world
            .receive(&process, vec![WebhookPart::Status(report)])
            .expect("received");
        assert_eq!(account(world, &tenant), learned("9001"));
    });
}

#[test]
fn the_tests_of_the_dashboard_teach_nothing() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        hear(world, &process, &tenant, "wamid.1", "0");
        assert_eq!(account(world, &tenant), (None, false));
    });
}

#[test]
fn an_account_that_was_given_is_kept_whatever_webhooks_say() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let mut tenant = find(world, &world.tenant(&process, UnknownOutcome::Fail));
        tenant.phone_numbers[0].waba_id = Some(samples::waba("9001"));
        at_once(TenantStore::save(&*world.store, &tenant, &[])).expect("no outage");
        let version = find(world, &tenant).version;
        // Also while the process remembers the tenant without it.
        for n in 0..3 {
            hear(world, &process, &tenant, &format!("wamid.{n}"), "9002");
            world.run_for(MINUTE);
        }
        assert_eq!(account(world, &tenant), (Some("9001".into()), false));
        assert_eq!(find(world, &tenant).version, version);
    });
}

#[test]
fn a_learned_account_is_written_once_and_not_once_a_webhook() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let other = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        hear(world, &process, &tenant, "wamid.0", "9001");
        let version = find(world, &tenant).version;
        for n in 1..20 {
            let receiver = if n % 2 == 0 { &process } else { &other };
            hear(world, receiver, &tenant, &format!("wamid.{n}"), "9001");
            world.run_for(Duration::from_millis(100));
        }
        assert_eq!(find(world, &tenant).version, version);
    });
}

#[test]
fn a_learned_account_that_changes_is_followed_but_not_by_what_is_old() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        hear(world, &process, &tenant, "wamid.1", "9001");
        world.run_for(HOUR);
        let old = message(world, &tenant, "wamid.2", "9002", HOUR);
        world.receive(&process, vec![old]).expect("received");
        assert_eq!(account(world, &tenant), learned("9001"));
        hear(world, &process, &tenant, "wamid.3", "9002");
        assert_eq!(account(world, &tenant), learned("9002"));
        // Two accounts by turns are not written by turns.
        let version = find(world, &tenant).version;
        for n in 4..14 {
            let named = ["9001", "9002"][n % 2];
            hear(world, &process, &tenant, &format!("wamid.{n}"), named);
            world.run_for(MINUTE);
        }
        assert_eq!(find(world, &tenant).version, version);
        assert_eq!(account(world, &tenant), learned("9002"));
    });
}

#[test]
fn an_account_that_cannot_be_saved_costs_no_message() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.wire.script(Call::SaveTenant, Fate::FailsBefore);
        let part = message(world, &tenant, "wamid.1", "9001", Duration::ZERO);
        let receipt = world.receive(&process, vec![part]);
        assert_eq!(code(&receipt), None::<ErrorCode>);
        assert_eq!(receipt.map(|receipt| receipt.messages), Ok(1));
        assert_eq!(account(world, &tenant), (None, false));
        world.run_for(2 * MINUTE);
        hear(world, &process, &tenant, "wamid.2", "9001");
        assert_eq!(account(world, &tenant), learned("9001"));
    });
}
