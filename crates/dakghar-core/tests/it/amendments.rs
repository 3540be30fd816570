//! Messages that people edit or revoke.

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{AmendedMessage, Amendment, EventReason, Tenant};
use dakghar_testkit::samples::amendment;

use crate::receiving::events;
use crate::steps::{MINUTE, in_each_kind, number, orders};
use crate::world::World;
use crate::world::meta::Meta;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};

fn original(tenant: &Tenant) -> WebhookPart {
    WebhookPart::Message(Meta::inbound(&number(tenant), "919333333333", "wamid.1"))
}

fn amending(tenant: &Tenant, amends: Amendment) -> WebhookPart {
    let mut part = Meta::news(&number(tenant), amends.by.as_str());
    part.field = "messages".into();
    part.amends = Some(amends);
    WebhookPart::Other(part)
}

fn edit(tenant: &Tenant, by: &str, ms: u64) -> WebhookPart {
    amending(tenant, amendment("wamid.1", by, ms, Some(by)))
}

fn revocation(tenant: &Tenant, by: &str, ms: u64) -> WebhookPart {
    amending(tenant, amendment("wamid.1", by, ms, None))
}

fn listed(world: &World, process: &Process, tenant: &Tenant) -> Vec<AmendedMessage> {
    let (process, id) = (process.clone(), tenant.id);
    let listing = async move { process.list(&id, MessageQuery::default()).await };
    world.step(listing).expect("listed")
}

/// What is listed of the only message: Meta's id of what counts, and whether it is revoked.
fn shown(world: &World, process: &Process, tenant: &Tenant) -> Option<(String, bool)> {
    let listed = listed(world, process, tenant);
    assert_eq!(listed.len(), 1, "an edit is no message");
    let strongest = listed[0].amendments.first()?;
    Some((strongest.by.to_string(), strongest.revokes()))
}

#[test]
fn whatever_the_order_and_repetition_the_message_shows_what_was_done_to_it_last() {
    let in_any_order = |revoked: bool, expected: (&str, bool)| {
        in_each_kind(|world: &World| {
            let process = world.idle_process();
            for n in 0..if revoked { 24 } else { 6 } {
                let tenant = world.tenant_with(&process, &format!("7{n:02}"), "token", UnknownOutcome::Fail);
                let mut parts = vec![
                    original(&tenant),
                    edit(&tenant, "wamid.e1", 5),
                    edit(&tenant, "wamid.e2", 6),
                ];
                if revoked {
                    parts.push(revocation(&tenant, "wamid.r", 6));
                }
                let order = orders(&parts).swap_remove(n);
                for part in order.iter().chain(order.iter().rev()) {
                    world.receive(&process, vec![part.clone()]).expect("received");
                }
                let (by, revokes) = expected;
                assert_eq!(shown(world, &process, &tenant), Some((by.to_owned(), revokes)));
                // Each of them once, and to be seen as an event.
                let count = if revoked { 3 } else { 2 };
                assert_eq!(events(world, Some(&tenant)), vec![EventReason::Routed; count]);
            }
        });
    };
    in_any_order(false, ("wamid.e2", false));
    in_any_order(true, ("wamid.r", true));
}

#[test]
fn one_message_has_all_its_amendments_and_the_original() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let parts = vec![
            edit(&tenant, "wamid.e1", 5),
            original(&tenant),
            revocation(&tenant, "wamid.r", 9),
            edit(&tenant, "wamid.e2", 6),
        ];
        world.receive(&process, parts).expect("received");
        let id = listed(world, &process, &tenant)[0].message.accepted.id.to_string();
        let (reader, tenant_id) = (process, tenant.id);
        let found = world
            .step(async move { reader.amended(&tenant_id, &id).await })
            .expect("found");
        let by: Vec<_> = found.amendments.iter().map(|one| one.by.as_str()).collect();
        assert_eq!(by, ["wamid.r", "wamid.e2", "wamid.e1"]);
        assert_eq!(&*found.message.accepted.content.body, r#"{"body":"Hi!"}"#);
    });
}

#[test]
fn an_edit_of_a_message_that_never_comes_stays_an_event() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world
            .receive(&process, vec![edit(&tenant, "wamid.e1", 5)])
            .expect("received");
        assert!(listed(world, &process, &tenant).is_empty());
        assert_eq!(events(world, Some(&tenant)), [EventReason::Routed]);
    });
}

#[test]
fn an_edit_for_a_number_of_nobody_goes_to_the_operator() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let mut part = Meta::news(&dakghar_testkit::samples::phone("999"), "edit");
        part.amends = Some(amendment("wamid.1", "wamid.e1", 5, Some("e")));
        world
            .receive(&process, vec![WebhookPart::Other(part)])
            .expect("received");
        assert_eq!(events(world, None), [EventReason::UnknownNumber]);
        assert_eq!(events(world, Some(&tenant)), []);
    });
}

#[test]
fn a_crash_between_a_message_and_its_edit_leaves_either_and_the_repetition_heals_it() {
    for call in [Call::Receive, Call::RecordEvents] {
        in_each_kind(|world: &World| {
            let process = world.idle_process();
            let tenant = world.tenant(&process, UnknownOutcome::Fail);
            world.wire.script(call, Fate::CrashesAfter);
            let parts = vec![original(&tenant), edit(&tenant, "wamid.e1", 5)];
            world.meta.post(world, parts);
            world.wire.executor.settle();
            assert!(!process.is_alive());
            let next = world.idle_process();
            world.run_for(MINUTE * 5);
            assert_eq!(world.meta.posts_open(), 0, "it was posted again");
            assert_eq!(
                shown(world, &next, &tenant),
                Some(("wamid.e1".into(), false)),
                "{call:?}"
            );
            assert_eq!(events(world, Some(&tenant)).len(), 1, "{call:?}");
        });
    }
}
