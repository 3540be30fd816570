//! Opt-outs: what people say, and what becomes of messages to them.

use std::time::Duration;

use dakghar_core::domain::message::{DeadReason, Origin, UnknownOutcome};
use dakghar_core::domain::webhook::{InboundMessage, OtherPart, PersonSignal, SignalKind, WebhookPart};
use dakghar_core::domain::{
    ConversationKind, Enforced, ErrorCode, MessageKey, OptOutScope, Problem, SendingRules, Status, Tenant, Timestamp,
};
use dakghar_testkit::samples;

use crate::steps::{MINUTE, SECOND, code, in_each_kind, number};
use crate::world::meta::{Answer, Meta};
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World, body};

/// Whom the messages of these stories go to.
const PERSON: &str = "919111111111";
const USER: &str = "IN.13491208655302741918";
const MARKETING: &str = r#","marketing":true"#;

impl World {
    fn enforcing(&self, enforced: Enforced) -> (Process, Tenant) {
        let process = self.idle_process();
        let tenant = self.tenant(&process, UnknownOutcome::Fail);
        self.enforce(&process, &tenant, enforced, true);
        (process, tenant)
    }

    fn enforce(&self, process: &Process, tenant: &Tenant, enforced: Enforced, stop_words: bool) {
        let (process, id) = (process.clone(), tenant.id);
        let rules = SendingRules {
            enforced,
            stop_words,
            ..SendingRules::default()
        };
        self.step(async move { process.set_sending_rules(&id, rules).await })
            .expect("set");
        // Until no process remembers how it was.
        self.run_for(2 * SECOND);
    }

    /// What the person writes, at a time of Meta's.
    fn writing(&self, tenant: &Tenant, text: &str, at: Option<Timestamp>) -> InboundMessage {
        let words = text.replace(' ', "-");
        let wamid = format!("wamid.in.{words}.{}", self.now().as_millis());
        InboundMessage {
            body: format!(r#"{{"body":"{text}"}}"#).into(),
            sent_at: at,
            ..Meta::inbound(&number(tenant), PERSON, &wamid)
        }
    }

    fn says(&self, process: &Process, tenant: &Tenant, text: &str) {
        let message = self.writing(tenant, text, None);
        self.receive(process, vec![WebhookPart::Message(message)])
            .expect("received");
        self.run_for(SECOND);
    }

    fn tells_meta(&self, process: &Process, tenant: &Tenant, kind: SignalKind, ids: &[&str]) {
        let news = OtherPart {
            field: "user_preferences".into(),
            signals: vec![PersonSignal {
                ids: ids.iter().map(|id| samples::person(id)).collect(),
                kind,
                at: None,
            }],
            ..Meta::news(&number(tenant), &format!("preference {}", self.now().as_millis()))
        };
        self.receive(process, vec![WebhookPart::Other(news)]).expect("received");
        self.run_for(SECOND);
    }

    fn try_to_send(&self, process: &Process, tenant: &Tenant, more: &str) -> Result<MessageKey, Problem> {
        self.try_to_send_to(process, tenant, "+919111111111", more)
    }

    fn try_to_send_to(&self, process: &Process, tenant: &Tenant, to: &str, more: &str) -> Result<MessageKey, Problem> {
        let body = body("hello", more).replace("+919111111111", to);
        let (process, tenant_id) = (process.clone(), tenant.id);
        let accepted = self.step(async move { process.accept(&tenant_id, &body, None).await })?;
        Ok(MessageKey {
            tenant_id,
            message_id: accepted.message_id,
        })
    }

    fn opt_outs(&self, process: &Process, tenant: &Tenant, person: &str) -> Vec<(OptOutScope, bool)> {
        let (process, id, person) = (process.clone(), tenant.id, person.to_owned());
        self.step(async move { process.opt_outs(&id, &person).await })
            .expect("an answer")
    }

    fn set_opt_out(&self, process: &Process, tenant: &Tenant, scope: Option<OptOutScope>) {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.set_opt_out(&id, PERSON, scope).await })
            .expect("set");
        self.run_for(SECOND);
    }
}

#[test]
fn after_stop_nothing_is_accepted_and_after_start_everything_is() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        assert!(world.try_to_send(&process, &tenant, "").is_ok());
        world.says(&process, &tenant, "I want to stop by tomorrow");
        assert!(world.try_to_send(&process, &tenant, "").is_ok(), "it was no such word");
        world.says(&process, &tenant, " Stop ");
        let refused = world.try_to_send(&process, &tenant, "");
        assert_eq!(code(&refused), Some(ErrorCode::OptedOut));
        assert_eq!(refused.expect_err("refused").errors[0].pointer, "/to");
        let other = world.try_to_send_to(&process, &tenant, "+919222222222", "");
        assert!(other.is_ok(), "somebody else");
        world.says(&process, &tenant, "START");
        assert!(world.try_to_send(&process, &tenant, "").is_ok());
    });
}

#[test]
fn what_is_enforced_is_for_the_tenant_to_say() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::None);
        world.says(&process, &tenant, "STOP");
        assert_eq!(world.opt_outs(&process, &tenant, PERSON), [(OptOutScope::All, true)]);
        for (enforced, plain, marketing) in [
            (Enforced::None, true, true),
            (Enforced::Marketing, true, false),
            (Enforced::All, false, false),
        ] {
            world.enforce(&process, &tenant, enforced, true);
            assert_eq!(world.try_to_send(&process, &tenant, "").is_ok(), plain, "{enforced:?}");
            let sent = world.try_to_send(&process, &tenant, MARKETING);
            assert_eq!(sent.is_ok(), marketing, "{enforced:?}");
        }
        world.says(&process, &tenant, "START");
        world.enforce(&process, &tenant, Enforced::All, false);
        world.says(&process, &tenant, "STOP");
        assert_eq!(
            world.opt_outs(&process, &tenant, PERSON),
            [],
            "the word means nothing here"
        );
        assert!(world.try_to_send(&process, &tenant, MARKETING).is_ok());
    });
}

#[test]
fn who_told_meta_gets_no_marketing_and_everything_else() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        world.tells_meta(&process, &tenant, SignalKind::StopsMarketing, &[PERSON]);
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, MARKETING)),
            Some(ErrorCode::OptedOut)
        );
        assert!(world.try_to_send(&process, &tenant, "").is_ok());
        // What is said to the business takes nothing back that was said to Meta.
        world.says(&process, &tenant, "START");
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, MARKETING)),
            Some(ErrorCode::OptedOut)
        );
        world.tells_meta(&process, &tenant, SignalKind::ResumesMarketing, &[PERSON]);
        assert!(world.try_to_send(&process, &tenant, MARKETING).is_ok());
    });
}

#[test]
fn a_message_that_waits_when_the_person_opts_out_ends_with_the_reason_and_never_reaches_meta() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let before = world.requests();
        let waiting = world.try_to_send(&process, &tenant, "").expect("accepted");
        world.says(&process, &tenant, "STOP");
        let prepared = world.prepare_jobs(&process, world.take(&process));
        assert!(prepared.sends.is_empty() && prepared.waiting.is_empty());
        world.run_for(SECOND);
        let seen = world.look(waiting);
        assert_eq!(
            (seen.status(), seen.dead_reason()),
            (Status::Dead, Some(DeadReason::OptedOut))
        );
        assert_eq!((seen.attempt(), world.requests()), (0, before));

        // It is no more sent by whoever sends it again, until the person wants it.
        for (word, status) in [("stop", Status::Dead), ("start", Status::Sent)] {
            world.says(&process, &tenant, word);
            let (redriving, id) = (process.clone(), waiting.message_id.to_string());
            let again = world.step(async move { redriving.redrive_by_tenant(&waiting.tenant_id, &id).await });
            again.expect("it goes back into the queue");
            world.run_for(MINUTE);
            world.meta.script(Answer::Accepts);
            let jobs = world.take(&process);
            let prepared = world.prepare_jobs(&process, jobs);
            assert_eq!(prepared.sends.len(), usize::from(status == Status::Sent));
            if status == Status::Sent {
                let claiming = process.clone();
                let claimed = world.step(async move { claiming.claim(prepared.sends).await });
                let claimed = claimed.into_iter().next().expect("one claim");
                let ended = world.call(&process, claimed);
                world.record(&process, ended);
            }
            world.run_for(SECOND);
            assert_eq!(world.look(waiting).status(), status);
        }
    });
}

#[test]
fn a_message_that_may_have_been_delivered_keeps_its_doubt() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Resend);
        world.enforce(&process, &tenant, Enforced::All, true);
        let message = world.try_to_send(&process, &tenant, "").expect("accepted");
        world.send_and(&process, Answer::AcceptsSilently);
        assert_eq!(world.look(message).status(), Status::InDoubt);
        world.says(&process, &tenant, "STOP");
        for _ in 0..20 {
            world.run_for(MINUTE);
            let reconciling = process.clone();
            world
                .step(async move { reconciling.reconcile().await })
                .expect("a round");
            if world.look(message).status() == Status::Queued {
                break;
            }
        }
        world.run_for(MINUTE);
        let prepared = world.prepare_jobs(&process, world.take(&process));
        assert!(prepared.sends.is_empty());
        world.run_for(SECOND);
        let seen = world.look(message);
        assert_eq!(
            seen.dead_reason(),
            Some(DeadReason::OutcomeUnknown),
            "nobody may think that it was not sent"
        );
    });
}

#[test]
fn a_person_is_one_under_whatever_id_they_are_written_to() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        // Meta names both with the first message, and one with the second.
        let first = InboundMessage {
            also: vec![samples::person(USER)],
            ..world.writing(&tenant, "Hello", None)
        };
        world
            .receive(&process, vec![WebhookPart::Message(first)])
            .expect("received");
        let stop = InboundMessage {
            peer: None,
            peer_id: Some(samples::person(USER)),
            ..world.writing(&tenant, "STOP", None)
        };
        world
            .receive(&process, vec![WebhookPart::Message(stop)])
            .expect("received");
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, "")),
            Some(ErrorCode::OptedOut)
        );
        let recipient = format!(r#","recipient":"{USER}""#);
        let by_user = body("hello", &recipient).replace(r#""to":"+919111111111","#, "");
        let (accepting, id) = (process.clone(), tenant.id);
        let refused = world.step(async move { accepting.accept(&id, &by_user, None).await });
        assert_eq!(code(&refused), Some(ErrorCode::OptedOut));
        // Taken back under the number, it is under the id as well.
        world.run_for(SECOND);
        world.says(&process, &tenant, "start");
        assert_eq!(world.opt_outs(&process, &tenant, USER), []);
    });
}

#[test]
fn what_comes_late_does_not_undo_what_was_said_after_it() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let begun = world.now();
        world.run_for(MINUTE);
        world.says(&process, &tenant, "START");
        let stop = world.writing(&tenant, "STOP", Some(begun));
        world
            .receive(&process, vec![WebhookPart::Message(stop)])
            .expect("received");
        assert!(world.try_to_send(&process, &tenant, "").is_ok(), "it was said before");
        world.set_opt_out(&process, &tenant, Some(OptOutScope::All));
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, "")),
            Some(ErrorCode::OptedOut)
        );
        // One from the future counts from now, and can be taken back.
        let ahead = world.writing(&tenant, "STOP", Some(world.now() + Duration::from_secs(3_600)));
        world
            .receive(&process, vec![WebhookPart::Message(ahead)])
            .expect("received");
        world.run_for(SECOND);
        world.set_opt_out(&process, &tenant, None);
        assert!(world.try_to_send(&process, &tenant, "").is_ok());
    });
}

#[test]
fn a_word_in_a_group_or_of_the_business_or_of_the_history_is_nobodys_wish() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let stop = |n: u32| InboundMessage {
            wamid: samples::wamid(&format!("wamid.{n}")),
            ..world.writing(&tenant, "STOP", None)
        };
        let in_group = InboundMessage {
            conversation_kind: ConversationKind::Group,
            sender: Some(PERSON.into()),
            ..stop(1)
        };
        let of_history = InboundMessage {
            origin: Origin::History,
            ..stop(2)
        };
        for message in [in_group, of_history] {
            world
                .receive(&process, vec![WebhookPart::Message(message)])
                .expect("received");
        }
        assert_eq!(world.opt_outs(&process, &tenant, PERSON), []);
        assert!(world.try_to_send(&process, &tenant, "").is_ok());
    });
}

#[test]
fn an_erased_person_has_opted_out_still_and_is_named_nowhere() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let hello = InboundMessage {
            also: vec![samples::person(USER)],
            ..world.writing(&tenant, "STOP", None)
        };
        world
            .receive(&process, vec![WebhookPart::Message(hello)])
            .expect("received");
        world.run_for(SECOND);
        assert_eq!(world.opt_outs(&process, &tenant, PERSON), [(OptOutScope::All, true)]);
        let (erasing, id) = (process.clone(), tenant.id);
        world
            .block_on(async move { erasing.erase(&id, PERSON).await })
            .expect("erased");
        for known in [PERSON, USER] {
            assert_eq!(world.opt_outs(&process, &tenant, known), [(OptOutScope::All, false)]);
        }
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, "")),
            Some(ErrorCode::OptedOut)
        );
    });
}

#[test]
fn an_id_that_is_known_only_when_its_person_is_erased_has_opted_out_too() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        world.says(&process, &tenant, "STOP");
        let later = InboundMessage {
            also: vec![samples::person(USER)],
            ..world.writing(&tenant, "Hello", None)
        };
        world
            .receive(&process, vec![WebhookPart::Message(later)])
            .expect("received");
        world.run_for(SECOND);
        let (erasing, id) = (process.clone(), tenant.id);
        world
            .block_on(async move { erasing.erase(&id, PERSON).await })
            .expect("erased");
        assert_eq!(
            world.conversations(&tenant),
            [],
            "nothing shows any more whose ids they are"
        );
        assert_eq!(world.opt_outs(&process, &tenant, USER), [(OptOutScope::All, false)]);
    });
}

#[test]
fn crash_between_keeping_an_opt_out_and_storing_its_message_is_healed_by_the_repetition() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        in_each_kind(|world: &World| {
            let (process, tenant) = world.enforcing(Enforced::All);
            let stop = world.writing(&tenant, "STOP", None);
            world.wire.script(Call::NoteOptOuts, fate);
            world.meta.post(world, vec![WebhookPart::Message(stop)]);
            world.wire.executor.settle();
            assert!(!process.is_alive());
            assert_eq!(world.meta.posts_open(), 1, "nobody answered");
            let next = world.idle_process();
            let count = world.opt_outs(&next, &tenant, PERSON).len();
            assert_eq!(count, usize::from(fate == Fate::CrashesAfter));
            world.run_for(MINUTE * 5);
            assert_eq!(world.meta.posts_open(), 0, "it was posted again");
            assert_eq!(world.opt_outs(&next, &tenant, PERSON), [(OptOutScope::All, true)]);
            assert_eq!(code(&world.try_to_send(&next, &tenant, "")), Some(ErrorCode::OptedOut));
        });
    }
}

#[test]
fn while_opt_outs_cannot_be_kept_or_read_meta_posts_again_and_nothing_is_sent() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let waiting = world.try_to_send(&process, &tenant, "").expect("accepted");
        world.wire.script(Call::NoteOptOuts, Fate::FailsBefore);
        let stop = world.writing(&tenant, "STOP", None);
        let answer = world.receive(&process, vec![WebhookPart::Message(stop.clone())]);
        assert_eq!(code(&answer), Some(ErrorCode::StoreUnavailable));
        world.wire.script(Call::FindOptOuts, Fate::FailsBefore);
        let jobs = world.take(&process);
        let preparing = process.clone();
        let prepared = world.step(async move { preparing.prepare(jobs).await });
        assert!(prepared.is_err());
        assert_eq!(world.look(waiting).status(), Status::Queued);
        world.wire.script(Call::FindOptOuts, Fate::FailsBefore);
        let refused = world.try_to_send(&process, &tenant, "");
        assert_eq!(code(&refused), Some(ErrorCode::StoreUnavailable));
        assert!(world.receive(&process, vec![WebhookPart::Message(stop)]).is_ok());
        assert_eq!(world.kind() == Kind::Embedded, world.kind() != Kind::Distributed);
    });
}

const OPEN: &str = r#","requireOpenWindow":true"#;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn an_open_window_is_asked_for_when_a_message_is_accepted() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::None);
        let refused = world.try_to_send(&process, &tenant, OPEN);
        assert_eq!(code(&refused), Some(ErrorCode::WindowClosed));
        assert_eq!(refused.expect_err("refused").errors[0].pointer, "/requireOpenWindow");
        let notice = InboundMessage {
            kind: "system".into(),
            ..world.writing(&tenant, "The number changed", None)
        };
        world
            .receive(&process, vec![WebhookPart::Message(notice)])
            .expect("received");
        let late = world.writing(&tenant, "Yesterday", Some(world.now() - DAY));
        world
            .receive(&process, vec![WebhookPart::Message(late)])
            .expect("received");
        let refused = world.try_to_send(&process, &tenant, OPEN);
        assert_eq!(
            code(&refused),
            Some(ErrorCode::WindowClosed),
            "it counts from Meta's time"
        );
        world.says(&process, &tenant, "Hello");
        assert!(world.try_to_send(&process, &tenant, OPEN).is_ok());
        assert!(
            world.try_to_send_to(&process, &tenant, "+919222222222", OPEN).is_err(),
            "somebody else"
        );
        assert!(
            world.try_to_send_to(&process, &tenant, "+919222222222", "").is_ok(),
            "it was not asked for"
        );
        world.run_for(1_438 * MINUTE);
        assert!(world.try_to_send(&process, &tenant, OPEN).is_ok());
        world.run_for(2 * MINUTE);
        assert_eq!(
            code(&world.try_to_send(&process, &tenant, OPEN)),
            Some(ErrorCode::WindowClosed)
        );
    });
}

#[test]
fn a_window_that_closes_while_a_message_waits_ends_it_and_one_that_opens_again_does_not() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::None);
        world.says(&process, &tenant, "Hello");
        let waiting = |after: Duration| {
            let more = format!(r#"{OPEN},"sendAt":"{}""#, world.now() + after);
            world.try_to_send(&process, &tenant, &more).expect("accepted")
        };
        let (early, late) = (waiting(1_430 * MINUTE), waiting(DAY + 10 * MINUTE));
        let before = world.requests();
        world.run_for(DAY + 5 * MINUTE);
        let _sender = world.process();
        world.run_for(2 * MINUTE);
        let seen = world.look(early);
        assert_eq!(
            (seen.status(), seen.dead_reason()),
            (Status::Dead, Some(DeadReason::WindowClosed))
        );
        assert_eq!((seen.attempt(), world.requests()), (0, before));
        world.says(&process, &tenant, "Are you there?");
        world.run_for(30 * MINUTE);
        assert_eq!(world.look(late).status(), Status::Sent);
    });
}

#[test]
fn a_call_opens_the_window_and_stands_in_the_place_of_no_message() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::None);
        let sent = world.try_to_send(&process, &tenant, "").expect("accepted");
        world.send(&process);
        world.tells_meta(&process, &tenant, SignalKind::Calls, &[PERSON, USER]);
        assert!(world.try_to_send(&process, &tenant, OPEN).is_ok());
        let conversation = world.conversations(&tenant).remove(0);
        assert_eq!(conversation.last_message_id, sent.message_id);
        // Somebody who never wrote has a conversation from now on.
        world.tells_meta(&process, &tenant, SignalKind::Calls, &["919222222222"]);
        assert!(world.try_to_send_to(&process, &tenant, "+919222222222", OPEN).is_ok());
        assert_eq!(world.conversations(&tenant).len(), 2);
    });
}

#[test]
fn a_repeated_key_is_answered_as_ever_after_the_person_opted_out() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.enforcing(Enforced::All);
        let request = body("hello", "");
        let accept = |key: &'static str| {
            let (process, id, request) = (process.clone(), tenant.id, request.clone());
            world.step(async move { process.accept(&id, &request, Some(key)).await })
        };
        let first = accept("k-1").expect("accepted");
        world.says(&process, &tenant, "STOP");
        let again = accept("k-1").expect("the same answer");
        assert!(again.duplicate);
        assert_eq!(again.message_id, first.message_id);
        assert_eq!(code(&accept("k-2")), Some(ErrorCode::OptedOut));
    });
}
