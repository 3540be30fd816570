//! Webhooks: everything is durable before the answer.

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{ErrorCode, PhoneNumberId, Status};

use super::{KINDS, SECOND, Stage};
use crate::world::meta::{Answer, Meta};
use crate::world::wire::{Call, Fate};

fn number() -> PhoneNumberId {
    PhoneNumberId::parse("111").expect("digits")
}

#[test]
fn a_webhook_of_which_a_part_cannot_be_stored_is_refused_as_a_whole() {
    for kind in KINDS {
        for call in [Call::Receive, Call::RecordEvents, Call::Load] {
            let stage = Stage::new(kind);
            let message = stage.answered(Answer::Accepts).key();
            let (request, _) = stage.world.meta.requests().swap_remove(0);
            let parts = vec![
                WebhookPart::Message(Meta::inbound(&number(), "919222222222", "wamid.in")),
                WebhookPart::Status(Meta::report(&request, EvidenceStatus::Delivered)),
                WebhookPart::Other(Meta::news(&number(), "news")),
            ];
            let body = stage.world.meta.body(parts);
            stage.world.wire.script(call, Fate::FailsBefore);
            let receive = || {
                let (process, body) = (stage.process.clone(), body.clone());
                stage.world.block_on(async move { process.receive(&body).await })
            };
            let refused = receive().expect_err("a part failed");
            assert_eq!(refused.code, ErrorCode::StoreUnavailable, "{call:?}");
            let receipt = receive().expect("received");
            assert_eq!(receipt.messages + receipt.duplicates, 1);
            assert_eq!((receipt.statuses, receipt.events), (1, 1));
            stage.world.run_for(SECOND);
            assert_eq!(stage.look(message).status(), Status::Delivered);
        }
    }
}

#[test]
fn a_status_with_forged_callback_data_changes_nothing() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Resend);
        let message = stage.doubtful();
        let (request, _) = stage.world.meta.requests().swap_remove(0);
        let mut report = Meta::report(&request, EvidenceStatus::Delivered);
        let forged = report.opaque.take().map(|opaque| opaque.replace(".1.", ".2."));
        report.opaque = forged.map(Into::into);
        report.wamid = dakghar_core::domain::Wamid::parse("wamid.forged").expect("printable");
        stage.world.meta.post(&stage.world, vec![WebhookPart::Status(report)]);
        stage.world.run_for(SECOND);
        assert_eq!(stage.look(message).status(), Status::InDoubt);
    }
}

#[test]
fn a_failed_status_of_a_superseded_call_is_history_only() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Resend);
        let message = stage.doubtful();
        stage.world.run_for(super::GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 2));
        stage.report(0, EvidenceStatus::Failed);
        assert_eq!(stage.look(message).status(), Status::Sent);
        stage.report(1, EvidenceStatus::Delivered);
        assert_eq!(stage.look(message).status(), Status::Delivered);
    }
}
