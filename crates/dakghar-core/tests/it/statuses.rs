//! Reports on messages are records: most of them change nothing else, and none is missed.

use dakghar_core::app::PageRequest;
use dakghar_core::domain::message::{Evidence, EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::page::{MessageQuery, PAGE_ITEMS_MAX};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{ErrorCode, MessageId, MessageKey, Status, Tenant};
use dakghar_core::ports::{MessageStore as _, StatusStore as _};
use dakghar_testkit::samples;
use futures_util::future::join;

use crate::steps::{code, in_each_kind};
use crate::world::World;
use crate::world::meta::{Meta, Request};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::wire::Call;

fn stored(world: &World, key: MessageKey) -> Status {
    let found = at_once(world.store.load(&[key])).remove(0);
    found.expect("no outage").expect("it is there").delivery.status
}

fn saves(world: &World) -> usize {
    world.wire.calls().iter().filter(|call| **call == Call::Save).count()
}

fn body(world: &World, request: &Request, status: EvidenceStatus) -> Vec<u8> {
    world
        .meta
        .body(vec![WebhookPart::Status(Meta::report(request, status))])
}

/// The ids in a list, page by page.
fn listed(world: &World, process: &Process, tenant: &Tenant, query: &MessageQuery, limit: u32) -> Vec<MessageId> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let (process, tenant_id, query) = (process.clone(), tenant.id, query.clone());
        let page = PageRequest { limit, cursor };
        let page = world.step(async move { process.messages(&tenant_id, query, &page).await });
        let page = page.expect("a page");
        ids.extend(page.items.iter().map(|message| message.message.accepted.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return ids;
        }
    }
}

#[test]
fn a_report_on_a_message_that_was_sent_saves_nothing_and_is_seen() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let before = saves(world);
        for (status, seen) in [
            (EvidenceStatus::Read, Status::Read),
            (EvidenceStatus::Delivered, Status::Read),
            (EvidenceStatus::Sent, Status::Read),
        ] {
            world.report(&process, &world.request(), status);
            assert_eq!(world.look(message).status(), seen);
        }
        assert_eq!((saves(world), stored(world, message)), (before, Status::Sent));
        let noted = world
            .look(message)
            .timeline()
            .iter()
            .filter(|entry| entry.detail.is_some())
            .count();
        assert!(noted >= 3, "each is in the timeline");
    });
}

#[test]
fn another_wamid_of_a_sent_message_is_kept_with_it() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        report.wamid = samples::wamid("wamid.second");
        world
            .receive(&process, vec![WebhookPart::Status(report)])
            .expect("received");
        assert_eq!(world.look(message).wamids().len(), 2);
        assert_eq!(stored(world, message), Status::Delivered);
    });
}

#[test]
fn a_delivery_and_a_failure_that_two_processes_receive_at_once_leave_no_dead_letter() {
    in_each_kind(|world: &World| {
        let (first, tenant, message) = world.queued(UnknownOutcome::Fail);
        let second = world.idle_process();
        let mut message = message;
        for round in 0..60 {
            world.send(&first);
            let request = world.request();
            world.promises.reported_failed(message, 1);
            let (failed, delivered) = (
                body(world, &request, EvidenceStatus::Failed),
                body(world, &request, EvidenceStatus::Delivered),
            );
            let (one, other): (Process, Process) = (first.clone(), second.clone());
            let answers = world.step(async move { join(one.receive(&failed), other.receive(&delivered)).await });
            assert!(answers.0.is_ok() && answers.1.is_ok());
            assert_eq!(stored(world, request.key), Status::Delivered, "round {round}");
            message = world.accept(&first, &tenant.id, "hi");
        }
    });
}

#[test]
fn a_letter_that_is_known_to_be_delivered_is_not_sent_again_though_its_failure_is_stored() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let request = world.request();
        world.promises.reported_failed(message, 1);
        world.report(&process, &request, EvidenceStatus::Failed);
        assert_eq!(stored(world, message), Status::Failed);
        // As left by a process that saved the failure and died before its second look.
        let evidence = Evidence {
            status: EvidenceStatus::Delivered,
            wamid: world.look(message).wamids()[0].clone(),
            attempt: Some(1),
            reported_at: None,
            error: None,
            by_webhook: true,
            participant: None,
        };
        let mut record = samples::status_record(message, EvidenceStatus::Delivered);
        record.reported.evidence = evidence;
        at_once(world.store.record_statuses(&[record]));
        let redriven = world.redrive(&process, message, true);
        assert_eq!(code(&redriven), Some(ErrorCode::NotRedrivable));
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn one_participant_whom_a_message_does_not_reach_makes_it_no_dead_letter() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let report = |status, participant: &str| {
            let mut report = Meta::report(&world.request(), status);
            report.participant = Some(participant.into());
            report.raw = format!("{} {participant}", report.raw).into();
            WebhookPart::Status(report)
        };
        world
            .receive(&process, vec![report(EvidenceStatus::Failed, "1")])
            .expect("received");
        assert_eq!(
            (world.look(message).status(), stored(world, message)),
            (Status::Sent, Status::Sent)
        );
        world
            .receive(
                &process,
                vec![
                    report(EvidenceStatus::Delivered, "2"),
                    report(EvidenceStatus::Failed, "3"),
                ],
            )
            .expect("received");
        assert_eq!(world.look(message).status(), Status::Delivered);
    });
}

#[test]
fn a_list_by_status_shows_what_reports_tell() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        let mut read = Vec::new();
        for round in 0..12 {
            world.send(&process);
            let request = world.request();
            if round % 3 == 0 {
                world.report(&process, &request, EvidenceStatus::Read);
                read.push(request.key.message_id);
            }
            world.accept(&process, &tenant.id, "hi");
        }
        read.reverse();
        for limit in [1, 2, PAGE_ITEMS_MAX] {
            let query = MessageQuery {
                status: Some(Status::Read),
                ..MessageQuery::default()
            };
            assert_eq!(listed(world, &process, &tenant, &query, limit), read, "by {limit}");
        }
    });
}
