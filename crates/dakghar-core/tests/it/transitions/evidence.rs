//! T13: evidence moves a message up.

use dakghar_core::domain::message::{EvidenceStatus, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{EventReason, Status};
use dakghar_core::ports::EventStore as _;
use futures_util::future::join;

use crate::steps::{GRACE, in_each_kind, number};
use crate::world::World;
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::wire::{Call, Fate};

#[test]
fn t13_evidence_with_our_callback_data_settles_a_message_in_doubt() {
    let statuses = [
        (EvidenceStatus::Sent, Status::Sent),
        (EvidenceStatus::Failed, Status::Failed),
        (EvidenceStatus::Delivered, Status::Delivered),
        (EvidenceStatus::Read, Status::Read),
    ];
    for (reported, status) in statuses {
        in_each_kind(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Resend);
            world.send_and(&process, Answer::AcceptsSilently);
            assert_eq!(world.look(message).wamid(), None);

            let receipt = world.report(&process, &world.request(), reported);
            assert_eq!((receipt.statuses, receipt.unrouted), (1, 0));
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.epoch()), (status, 1));
            assert_eq!(seen.wamid(), Some(&Meta::wamid(message, 1)));
            assert_eq!(seen.status_seen_at(), Some(world.now()));
            assert_eq!(seen.wake_at(), None);
            assert_eq!(world.reconcile_after(&process, GRACE), 0, "nothing is sent again");
        });
    }
}

#[test]
fn t13_evidence_during_the_call_comes_before_its_outcome() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        assert_eq!(world.look(message).status(), Status::Delivered);

        world.record(&process, ended);
        assert_eq!(world.look(message).status(), Status::Delivered);
        assert_eq!(world.look(message).wamids(), [Meta::wamid(message, 1)]);
    });
}

#[test]
fn t13_a_known_wamid_is_enough() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Read);
        report.opaque = None;
        let receipt = world.receive(&process, vec![WebhookPart::Status(report)]);
        assert_eq!(receipt.map(|receipt| receipt.statuses), Ok(1));
        assert_eq!(world.look(message).status(), Status::Read);
    });
}

#[test]
fn t13_evidence_of_a_lower_rank_or_told_twice_changes_no_status() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let request = world.request();
        world.report(&process, &request, EvidenceStatus::Read);
        for status in [EvidenceStatus::Delivered, EvidenceStatus::Sent, EvidenceStatus::Failed] {
            world.report(&process, &request, status);
            assert_eq!(world.look(message).status(), Status::Read);
        }
        let version = world.look(message).version();
        world.report(&process, &request, EvidenceStatus::Sent);
        assert_eq!(world.look(message).version(), version, "a repetition is not even saved");
    });
}

#[test]
fn t13_a_message_that_waits_to_be_sent_again_is_not_when_evidence_comes() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Resend);
        world.send_and(&process, Answer::AcceptsSilently);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).status(), Status::Queued);
        let jobs = world.take(&process);
        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        assert_eq!(world.look(message).status(), Status::Delivered);
        assert_eq!(world.prepare_jobs(&process, jobs).sends.len(), 0);
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn t13_a_failure_of_a_call_that_a_later_one_superseded_is_history() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Resend);
        world.send_and(&process, Answer::AcceptsSilently);
        let first = world.request();
        world.reconcile_after(&process, GRACE);
        world.send(&process);
        world.report(&process, &first, EvidenceStatus::Failed);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2));
        assert_eq!(seen.wamids().len(), 2);
        assert_eq!(
            seen.wamid(),
            Some(&Meta::wamid(message, 2)),
            "the latest gives it its own"
        );

        world.report(&process, &world.request(), EvidenceStatus::Failed);
        assert_eq!(world.look(message).status(), Status::Failed);
    });
}

#[test]
fn t13_callback_data_is_bound_to_its_tenant_and_number() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let other = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Read);
        report.phone_number_id = number(&other);
        let receipt = world.receive(&process, vec![WebhookPart::Status(report)]);
        assert_eq!(receipt.map(|receipt| receipt.unrouted), Ok(1));
        assert_eq!(world.look(message).status(), Status::Sent);
        let of_other = at_once(world.store.list(Some(&other.id), None, PageLimit::items(9)))
            .expect("no outage")
            .items;
        assert_eq!(of_other, [], "who has the number need not have sent it");
        let kept = at_once(world.store.list(None, None, PageLimit::items(9)))
            .expect("no outage")
            .items;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].reason, EventReason::UnknownMessage);
    });
}

#[test]
fn t13_evidence_that_was_merged_without_anybody_knowing_is_absorbed() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let request = world.request();
        world.wire.script(Call::RecordStatuses, Fate::FailsAfter);
        let report = Meta::report(&request, EvidenceStatus::Delivered);
        let receipt = world.receive(&process, vec![WebhookPart::Status(report.clone())]);
        assert!(receipt.is_err());
        let again = world.receive(&process, vec![WebhookPart::Status(report)]);
        assert_eq!(again.map(|receipt| receipt.statuses), Ok(1));
        let seen = world.look(message);
        let noted = seen
            .timeline()
            .iter()
            .filter(|entry| entry.detail.as_deref() == Some("delivered"));
        assert_eq!((seen.status(), noted.count()), (Status::Delivered, 1));
    });
}

#[test]
fn t13_evidence_that_two_processes_merge_at_once_is_merged_by_both() {
    in_each_kind(|world: &World| {
        let (first, tenant, _) = world.queued(UnknownOutcome::Fail);
        let second = world.idle_process();
        for round in 0..8 {
            world.send(&first);
            let request = world.request();
            let statuses = [EvidenceStatus::Sent, EvidenceStatus::Read];
            let both = statuses.map(|status| vec![WebhookPart::Status(Meta::report(&request, status))]);
            let [sent, read] = both.map(|parts| world.meta.body(parts));
            let (one, other) = (first.clone(), second.clone());
            let answers = world.step(async move { join(one.receive(&sent), other.receive(&read)).await });
            assert!(answers.0.is_ok() && answers.1.is_ok());
            let seen = world.look(request.key);
            assert_eq!(seen.status(), Status::Read, "round {round}");
            let reports = seen
                .timeline()
                .iter()
                .filter(|entry| entry.event == TimelineEvent::Status);
            assert_eq!(reports.count(), 2, "round {round}");
            world.accept(&first, &tenant.id, "next");
        }
    });
}
