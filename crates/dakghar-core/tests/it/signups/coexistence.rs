//! Numbers that stay in the WhatsApp Business app: never registered, and asked for contacts and history once each.

use dakghar_core::app::{NewNumberSignup, SignupRetry};
use dakghar_core::domain::PhoneNumberId;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Signup, SignupState, SignupStep, StepEnd};

use super::crashes::{SAVES, dies_at_save};
use super::{end_of, is_bare};
use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::World;
use crate::world::process::onboarding::with_code;
use crate::world::wire::Fate;

const CONTACTS: &str = "contacts 501";
const HISTORY: &str = "history 501";

impl World {
    /// The number 501 is used with the app.
    fn is_on_app(&self) {
        self.customer_finishes();
        self.onboarding.change_number("501", |number| {
            number.is_on_app = Some(true);
            (number.status, number.platform) = (Some("CONNECTED".into()), Some("CLOUD_API".into()));
        });
    }
}

fn request(signup: &Signup, step: SignupStep) -> Option<String> {
    signup.request_of(step).map(|id| id.to_string())
}

#[test]
fn a_number_of_the_app_is_not_registered_and_asked_for_what_the_app_has() {
    in_each_kind(|world: &World| {
        world.is_on_app();
        let (_, tenant, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        assert!(is_bare(&signup));
        assert_eq!(
            world.onboarding.journal(),
            ["exchange code-1", "subscribe 900 the app's own URL", CONTACTS, HISTORY]
        );
        assert_eq!(
            end_of(&signup, SignupStep::Register),
            Some((
                StepEnd::Skipped,
                Some("the number is used with the WhatsApp Business app")
            ))
        );
        assert_eq!(
            request(&signup, SignupStep::Contacts).as_deref(),
            Some("request-of-contacts")
        );
        assert_eq!(
            request(&signup, SignupStep::History).as_deref(),
            Some("request-of-history")
        );
        let number = world.connected_number(&tenant, "501").expect("connected");
        assert_eq!(number.messages_per_second, 20);
        assert!(number.is_on_app(), "before the first check");
        assert!(number.sealed_pin.is_none());
    });
}

#[test]
fn what_was_asked_for_before_counts_as_done_and_is_said_so() {
    in_each_kind(|world: &World| {
        world.is_on_app();
        world.onboarding.lose_next("contacts");
        let (_, _, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        let (end, note) = end_of(&signup, SignupStep::Contacts).expect("behind it");
        assert_eq!(end, StepEnd::Done);
        assert!(note.is_some_and(|note| note.starts_with("Meta was asked for it before")));
        assert_eq!(world.onboarding.journal()[2..], [CONTACTS, HISTORY], "each once");
    });
}

#[test]
fn a_refusal_after_a_day_leaves_a_number_that_sends() {
    in_each_kind(|world: &World| {
        world.is_on_app();
        world.onboarding.refuse_next("contacts", 2_593_108);
        world.onboarding.refuse_next("history", 2_593_108);
        let (_, tenant, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        for step in [SignupStep::Contacts, SignupStep::History] {
            let (end, note) = end_of(&signup, step).expect("behind it");
            assert_eq!(end, StepEnd::Failed);
            assert!(note.is_some_and(|note| note.contains("connect it again")), "{note:?}");
        }
        assert!(world.connected_number(&tenant, "501").is_some());
    });
}

#[test]
fn it_is_asked_for_again_while_meta_does_not_answer() {
    in_each_kind(|world: &World| {
        world.is_on_app();
        for _ in 0..12 {
            world.onboarding.ignore_next("history");
        }
        let (_, tenant, signup) = world.after_signup();
        assert_eq!((signup.state, signup.step), (SignupState::Running, SignupStep::History));
        assert!(
            world.connected_number(&tenant, "501").is_some(),
            "it can send meanwhile"
        );
        world.run_for(MINUTE * 120);
        let done = world.stored_signup(&signup);
        assert_eq!(done.state, SignupState::Done);
        assert_eq!(
            request(&done, SignupStep::History).as_deref(),
            Some("request-of-history")
        );
    });
}

#[test]
fn the_dialogs_word_says_which_of_several_numbers_is_meant_and_meta_says_what_it_is() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.add_account("900", &["501", "502"]);
        world
            .onboarding
            .change_number("502", |number| number.is_on_app = Some(true));
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let new = NewNumberSignup {
            event: Some("FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING".into()),
            ..with_code("code-1")
        };
        let signup = world.begins(&process, &tenant, new).expect("begun").0;
        world.run_for(SECOND * 5);
        let signup = world.stored_signup(&signup);
        assert_eq!(signup.number_id().map(PhoneNumberId::as_str), Some("502"));
        assert_eq!(signup.state, SignupState::Done);
    });
}

#[test]
fn what_meta_said_of_the_app_is_kept_while_its_answers_lack_it_and_not_against_its_word() {
    for (later, is_on_app) in [(None, true), (Some(false), false)] {
        in_each_kind(|world: &World| {
            world.is_on_app();
            world.onboarding.refuse_next("subscribe", 3);
            let (process, tenant, signup) = world.after_signup();
            assert_eq!((signup.step, signup.is_on_app()), (SignupStep::Subscribe, true));
            world.onboarding.change_number("501", |number| {
                number.is_on_app = later;
                (number.status, number.platform) = (Some("PENDING".into()), None);
            });
            world
                .retries(&process, &signup, SignupRetry::default())
                .expect("goes on");
            world.run_for(SECOND * 3);
            let done = world.stored_signup(&signup);
            assert_eq!((done.state, done.is_on_app()), (SignupState::Done, is_on_app));
            let registered = world.onboarding.journal().contains(&"register 501".to_owned());
            assert_eq!(registered, !is_on_app, "a number of the app is never registered");
            let number = world.connected_number(&tenant, "501").expect("connected");
            assert_eq!(number.is_on_app(), is_on_app);
        });
    }
}

#[test]
fn a_crash_around_either_request_asks_for_each_once() {
    for save in 0..SAVES {
        for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
            in_each_kind(|world: &World| {
                world.is_on_app();
                let signup = dies_at_save(world, save, fate);
                let another = world.idle_process();
                another.works_on_signups();
                world.run_for(SECOND * 35);
                let seen = world.stored_signup(&signup);
                if seen.state == SignupState::Stopped {
                    assert!(seen.needs_code(), "the code was exchanged, and its token is lost");
                    return;
                }
                assert_eq!(seen.state, SignupState::Done, "{seen:?}");
                assert_eq!(world.onboarding.journal()[2..], [CONTACTS, HISTORY]);
            });
        }
    }
}
