//! Whose a part of a webhook is, when its number moves from one tenant to another and when an account has several.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::{OtherPart, WebhookPart};
use dakghar_core::domain::{Actor, ErrorCode, EventReason, MessageKey, Status, Tenant, TenantId};
use dakghar_core::ports::{Erasure, TenantStore};
use dakghar_testkit::samples;
use uuid::Uuid;

use crate::receiving::events;
use crate::steps::{MINUTE, code, in_each_kind, number};
use crate::world::World;
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::process::Process;

pub fn find(world: &World, tenant: &Tenant) -> Tenant {
    let found = at_once(TenantStore::find(&*world.store, &tenant.id));
    found.expect("no outage").expect("it is there")
}

/// Moves the number of the first tenant to a new one.
fn pass_number_on(world: &World, process: &Process, giver: &Tenant) -> Tenant {
    let passed = number(giver);
    let taker = world.tenant_with(process, "222", "token-2", UnknownOutcome::Fail);
    let (process, from, to, number) = (process.clone(), giver.id, taker.id, passed.to_string());
    let moved = world.step(async move {
        process.add_number(&from, "333").await?;
        process.remove_number(&from, &number).await?;
        process.add_number(&to, &number).await
    });
    moved.expect("moved");
    // Until no process remembers how it was.
    world.run_for(MINUTE);
    let taker = find(world, &taker);
    assert!(taker.number(Some(&passed)).is_some());
    taker
}

/// Callback data as an earlier release made it: it names no tenant.
fn opaque_of_version_1(sender: &TenantId, key: MessageKey, tenant: &Tenant) -> String {
    let signed = format!("{sender}|{}|{}|1", number(tenant), key.message_id);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), signed.as_bytes());
    format!(
        "v1.{}.1.{}",
        key.message_id,
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..12])
    )
}

#[test]
fn callback_data_without_a_tenant_is_tried_against_those_that_gave_the_number_up() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        // Nobody knows its wamid.
        world.send_and(&process, Answer::AcceptsSilently);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        let wamid = report.wamid.clone();
        let opaque = opaque_of_version_1(&tenant.id, message, &tenant);
        let next = pass_number_on(world, &process, &tenant);
        // The same message, signed for somebody else: nobody's.
        let stranger = TenantId::from_uuid(Uuid::from_u128(77));
        let forged = opaque_of_version_1(&stranger, message, &tenant);
        for (opaque, status) in [(forged, Status::InDoubt), (opaque, Status::Delivered)] {
            report.opaque = Some(opaque.into());
            if status == Status::InDoubt {
                report.wamid = samples::wamid("wamid.foreign");
            } else {
                report.wamid = wamid.clone();
            }
            let received = world.receive(&process, vec![WebhookPart::Status(report.clone())]);
            let is_ours = usize::from(status == Status::Delivered);
            let receipt = received.expect("received");
            assert_eq!((receipt.statuses, receipt.unrouted), (is_ours, 1 - is_ours));
            assert_eq!(world.look(message).status(), status);
        }
        assert_eq!(events(world, Some(&next)), []);
        assert_eq!(events(world, Some(&tenant)), []);
        assert_eq!(events(world, None), [EventReason::UnknownMessage]);
    });
}

#[test]
fn callback_data_without_a_tenant_waits_for_an_owner_that_cannot_be_read() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::AcceptsSilently);
        let request = world.request();
        let report = |opaque: String| {
            let mut report = Meta::report(&request, EvidenceStatus::Delivered);
            report.opaque = Some(opaque.into());
            vec![WebhookPart::Status(report)]
        };
        let version_1 = opaque_of_version_1(&tenant.id, message, &tenant);
        world.unreadable.lock().insert(tenant.id);
        world.run_for(MINUTE);
        let answer = world.receive(&process, report(version_1.clone()));
        assert_eq!(code(&answer), Some(ErrorCode::RecordUnreadable));
        assert_eq!(events(world, None), [], "it is not given to the operator either");
        // A name says it without the owner.
        let answer = world.receive(&process, report(request.opaque.to_string()));
        assert_eq!(answer.map(|receipt| receipt.statuses), Ok(1));
        assert_eq!(world.look(message).status(), Status::Delivered);
        world.unreadable.lock().clear();
        world.run_for(MINUTE);
        let answer = world.receive(&process, report(version_1));
        assert_eq!(answer.map(|receipt| receipt.statuses), Ok(1));
    });
}

#[test]
fn forged_callback_data_moves_no_message() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let other = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        let request = world.request();
        let true_mac = request.opaque.rsplit('.').next().expect("a MAC").to_owned();
        let of_other = request.opaque.replace(&tenant.id.to_string(), &other.id.to_string());
        let wrong_mac = request.opaque.replace(&true_mac, &"A".repeat(true_mac.len()));
        let no_mac = request.opaque.replace(&true_mac, "");
        let as_version_1 = format!("v1.{}.1.{true_mac}", message.message_id);
        for (count, opaque) in (1..).zip([of_other, wrong_mac, no_mac, as_version_1]) {
            let mut report = Meta::report(&request, EvidenceStatus::Read);
            // Of a message that nobody here sent.
            report.wamid = samples::wamid(&format!("wamid.foreign.{count}"));
            report.raw = opaque.as_str().into();
            report.opaque = Some(opaque.into());
            let receipt = world.receive(&process, vec![WebhookPart::Status(report)]);
            let receipt = receipt.expect("received");
            assert_eq!((receipt.statuses, receipt.unrouted), (0, 1));
            assert_eq!(world.look(message).status(), Status::Sent);
            assert_eq!(events(world, None).len(), count);
        }
        assert_eq!(events(world, Some(&tenant)), []);
        assert_eq!(events(world, Some(&other)), []);
    });
}

#[test]
fn a_status_belongs_to_the_tenant_that_sent_the_message_whoever_has_the_number_now() {
    for (has_opaque, has_wamid) in [(true, false), (true, true), (false, true)] {
        in_each_kind(|world: &World| {
            let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
            if has_wamid {
                world.send(&process);
            } else {
                world.send_and(&process, Answer::AcceptsSilently);
            }
            let mut report = Meta::report(&world.request(), EvidenceStatus::Read);
            report.opaque = report.opaque.filter(|_| has_opaque);
            let next = pass_number_on(world, &process, &tenant);
            let receipt = world
                .receive(&process, vec![WebhookPart::Status(report)])
                .expect("received");
            assert_eq!(
                (receipt.statuses, receipt.unrouted),
                (1, 0),
                "callback data: {has_opaque}"
            );
            assert_eq!(
                world.look(message).status(),
                Status::Read,
                "callback data: {has_opaque}"
            );
            assert_eq!(events(world, Some(&next)), []);
        });
    }
}

#[test]
fn a_status_of_a_message_that_nobody_sent_goes_to_the_operator() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Read);
        (report.opaque, report.wamid) = (None, samples::wamid("wamid.unknown"));
        let receipt = world
            .receive(&process, vec![WebhookPart::Status(report)])
            .expect("received");
        assert_eq!((receipt.statuses, receipt.unrouted), (0, 1));
        assert_eq!(events(world, None), [EventReason::UnknownMessage]);
        assert_eq!(events(world, Some(&tenant)), []);
    });
}

#[test]
fn a_status_for_a_tenant_that_is_gone_goes_to_the_operator() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let report = Meta::report(&world.request(), EvidenceStatus::Read);
        at_once(Erasure::erase(&*world.store, &tenant.id, 9)).expect("erased");
        at_once(TenantStore::remove(&*world.store, &tenant.id)).expect("no outage");
        world.run_for(MINUTE);
        world
            .receive(&process, vec![WebhookPart::Status(report)])
            .expect("received");
        assert_eq!(events(world, None), [EventReason::UnknownMessage]);
        assert_eq!(events(world, Some(&tenant)), []);
    });
}

/// An event about the account of these tenants, which names a number as people write it, or none.
pub fn account_event(digits: Option<&str>) -> WebhookPart {
    WebhookPart::Other(OtherPart {
        phone_number_id: None,
        display_digits: digits.map(Into::into),
        waba_id: Some(samples::waba("9001")),
        field: "security".into(),
        problem: None,
        raw: format!("{digits:?}").into(),
        amends: None,
        signals: Vec::new(),
        news: None,
        waves: Vec::new(),
        told_at: None,
    })
}

fn in_account(world: &World, tenant: &Tenant, display: Option<&str>) {
    let mut tenant = find(world, tenant);
    tenant.phone_numbers[0].waba_id = Some(samples::waba("9001"));
    tenant.phone_numbers[0].display_phone_number = display.map(str::to_owned);
    at_once(TenantStore::save(&*world.store, &tenant, &[])).expect("no outage");
}

#[test]
fn an_event_about_a_number_goes_to_its_tenant_and_one_about_the_account_to_all() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let first = world.tenant(&process, UnknownOutcome::Fail);
        let second = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        in_account(world, &first, Some("+1 555 078 3881"));
        in_account(world, &second, None);
        world.run_for(MINUTE);
        world
            .receive(&process, vec![account_event(Some("15550783881"))])
            .expect("received");
        assert_eq!(events(world, Some(&first)), [EventReason::Routed]);
        assert_eq!(
            events(world, Some(&second)),
            [],
            "another tenant of the account sees nothing"
        );
        world.receive(&process, vec![account_event(None)]).expect("received");
        assert_eq!(events(world, Some(&first)).len(), 2);
        assert_eq!(events(world, Some(&second)), [EventReason::Routed]);
        world
            .receive(&process, vec![account_event(Some("999"))])
            .expect("received");
        assert_eq!(events(world, None), [EventReason::UnknownNumber], "it may be of either");
        assert_eq!(
            (events(world, Some(&first)).len(), events(world, Some(&second)).len()),
            (2, 1)
        );
    });
}

#[test]
fn an_event_about_an_account_waits_for_a_tenant_of_it_that_cannot_be_read() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let broken = world.tenant(&process, UnknownOutcome::Fail);
        let whole = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        in_account(world, &broken, Some("+1 555 078 3881"));
        in_account(world, &whole, None);
        world.unreadable.lock().insert(broken.id);
        world.run_for(MINUTE);
        // Of all in the account, and of that tenant alone; the whole one is not kept waiting for its part.
        for (event, of_whole) in [(account_event(None), 1), (account_event(Some("15550783881")), 0)] {
            let before = events(world, Some(&whole)).len();
            let answer = world.receive(&process, vec![event.clone()]);
            assert_eq!(code(&answer), Some(ErrorCode::RecordUnreadable), "Meta posts it again");
            assert_eq!(events(world, Some(&whole)).len(), before + of_whole);
        }
        assert_eq!(events(world, None), [], "nobody else is given what may be its part");
        world.unreadable.lock().clear();
        assert_eq!(events(world, Some(&broken)), []);
        world.run_for(MINUTE);
        for event in [account_event(None), account_event(Some("15550783881"))] {
            world.receive(&process, vec![event]).expect("posted again");
        }
        assert_eq!(events(world, Some(&broken)), [EventReason::Routed; 2]);
        assert_eq!(events(world, Some(&whole)), [EventReason::Routed], "once");
    });
}

#[test]
fn an_event_about_a_number_that_only_one_tenant_can_have_goes_to_that() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let only = world.tenant(&process, UnknownOutcome::Fail);
        in_account(world, &only, None);
        world.run_for(MINUTE);
        world
            .receive(&process, vec![account_event(Some("999"))])
            .expect("received");
        assert_eq!(events(world, Some(&only)), [EventReason::Routed]);
        in_account(world, &only, Some("+1 555 078 3881"));
        world.run_for(MINUTE);
        world
            .receive(&process, vec![account_event(Some("998"))])
            .expect("received");
        assert_eq!(
            events(world, Some(&only)),
            [EventReason::Routed],
            "its number is another one"
        );
        assert_eq!(events(world, None), [EventReason::UnknownNumber]);
    });
}

#[test]
fn an_event_about_a_number_that_several_tenants_call_theirs_goes_to_the_operator() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let first = world.tenant(&process, UnknownOutcome::Fail);
        let second = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        in_account(world, &first, Some("+1 555 078 3881"));
        in_account(world, &second, Some("1-555-078-3881"));
        world.run_for(MINUTE);
        let event = account_event(Some("15550783881"));
        world.receive(&process, vec![event]).expect("received");
        assert_eq!(events(world, None), [EventReason::UnknownNumber]);
        assert_eq!(
            (events(world, Some(&first)), events(world, Some(&second))),
            (vec![], vec![])
        );
    });
}

#[test]
fn only_the_operator_says_how_a_number_is_written_whose_account_has_other_tenants() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let first = world.tenant(&process, UnknownOutcome::Fail);
        in_account(world, &first, None);
        let write = |by| {
            let (process, id, number) = (process.clone(), first.id, number(&first).to_string());
            world.step(async move { process.write_number(&id, &number, "+1 555 078 3881", by).await })
        };
        assert_eq!(write(Actor::Tenant), Ok(()), "the account is its own");
        let second = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        in_account(world, &second, None);
        assert_eq!(code(&write(Actor::Tenant)), Some(ErrorCode::Forbidden));
        assert_eq!(write(Actor::Operator), Ok(()));
    });
}
