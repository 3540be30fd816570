//! A client knows its message by the gateway id, where it was answered with that, and else by Meta's id; and is told of it so.

use dakghar_core::app::Outcome;
use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::{InboundMessage, StatusReport, WebhookPart};
use dakghar_core::domain::{MessageKey, Status, Tenant, Wamid};

use crate::steps::{MINUTE, in_each_kind, in_world, number};
use crate::world::meta::Meta;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

fn settle(world: &World, process: &Process, message: MessageKey) -> Outcome {
    let process = process.clone();
    let settled = world.step(async move { process.settle_id(&message).await });
    settled.expect("no outage")
}

/// True if the client was answered with the id that Meta gave the message at its first call.
fn is_metas(answer: &Outcome, message: MessageKey) -> bool {
    matches!(answer, Outcome::Taken { wamid, .. } if *wamid == Meta::wamid(message, 1))
}

#[test]
fn who_waits_no_longer_knows_a_message_by_one_id_for_good() {
    in_each_kind(|world: &World| {
        let (process, tenant, early) = world.queued(UnknownOutcome::Fail);
        assert_eq!(settle(world, &process, early), Outcome::Open);
        world.send(&process);
        assert!(world.look(early).wamid().is_some());
        assert_eq!(
            settle(world, &process, early),
            Outcome::Open,
            "as it was answered before"
        );

        let late = world.accept(&process, &tenant.id, "late");
        world.send(&process);
        for _ in 0..2 {
            let answer = settle(world, &process, late);
            assert!(is_metas(&answer, late), "{answer:?}");
        }
    });
}

#[test]
fn settling_an_id_is_in_no_workers_way() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let prepared = world.prepare(&process);
        assert_eq!(settle(world, &process, message), Outcome::Open);
        let mut claimed = world.claim_prepared(&process, prepared);
        let claimed = claimed.pop().expect("its claim is not stale");
        let ended = world.call(&process, claimed);
        world.record(&process, ended);
        assert_eq!(world.look(message).status(), Status::Sent);
        assert_eq!(settle(world, &process, message), Outcome::Open);
    });
}

#[test]
fn crash_around_settling_an_id_is_healed_by_who_asks_again() {
    for (fate, is_noted) in [(Fate::CrashesBefore, false), (Fate::CrashesAfter, true)] {
        in_each_kind(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            world.wire.script(Call::KnowByGatewayId, fate);
            world.dies_of(&process, |process| async move { process.settle_id(&message).await });
            let next = world.process();
            world.run_for(MINUTE * 2);
            assert_eq!(world.look(message).status(), Status::Sent);
            let answer = settle(world, &next, message);
            assert_eq!(is_metas(&answer, message), !is_noted, "{answer:?}");
            assert_eq!(world.requests(), 1);
        });
    }
}

fn wrote(tenant: &Tenant, id: &str, more: &str) -> WebhookPart {
    WebhookPart::Message(InboundMessage {
        raw: format!(r#"{{"from":"919111111111","id":"{id}",{more}}}"#).into(),
        ..Meta::inbound(&number(tenant), "919111111111", id)
    })
}

/// All that an endpoint of the form of Meta's is told.
fn told(world: &World, process: &Process, tenant: &Tenant) -> String {
    let (process, id) = (process.clone(), tenant.id);
    let body = world.step(async move {
        let page = process.feed(&id, None, 100).await?;
        process.meta_body(&id, &page.items).await
    });
    body.expect("no outage").expect("something was posted")
}

#[test]
fn what_meta_posts_names_a_message_as_its_client_knows_it() {
    in_world(Kind::Embedded, |world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        for is_ours in [true, false] {
            let message = world.accept(&process, &tenant.id, "hello");
            if is_ours {
                settle(world, &process, message);
            }
            world.send(&process);
            let wamid = Meta::wamid(message, 1);
            let status = StatusReport {
                raw: format!(r#"{{"id":"{wamid}","status":"delivered"}}"#).into(),
                ..Meta::report(&world.request(), EvidenceStatus::Delivered)
            };
            let quote = format!(r#""context":{{"id":"{wamid}"}}"#);
            let reaction = format!(r#""reaction":{{"message_id":"{wamid}","emoji":""}}"#);
            let parts = vec![
                WebhookPart::Status(status),
                wrote(&tenant, &format!("wamid.quote.{is_ours}"), &quote),
                wrote(&tenant, &format!("wamid.reaction.{is_ours}"), &reaction),
            ];
            world.receive(&process, parts).expect("received");
            let told = told(world, &process, &tenant);
            let known = if is_ours {
                Wamid::of_gateway(message.message_id)
            } else {
                wamid.clone()
            };
            for named in [
                format!(r#"{{"id":"{known}","status":"delivered"}}"#),
                quote.replace(wamid.as_str(), known.as_str()),
                reaction.replace(wamid.as_str(), known.as_str()),
            ] {
                assert!(told.contains(&named), "{named}: {told}");
            }
            assert_eq!(told.contains(wamid.as_str()), !is_ours, "{told}");
        }
    });
}
