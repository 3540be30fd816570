//! What settings change about signups, what is optional, and new data keys.

use std::time::Duration;

use dakghar_core::app::{CreditLine, NewNumberSignup, Replacement, SignupRetry, SignupSettings, pin_purpose};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{SignupState, SignupStep, StepEnd};
use dakghar_core::domain::{ErrorCode, Secret};
use dakghar_core::ports::WebhookOverride;

use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::process::Process;
use crate::world::process::onboarding::with_code;

#[test]
fn what_is_optional_fails_with_a_note_and_what_is_not_stops() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("profile", 10);
        let (_, _, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        let record = signup.records.iter().find(|record| record.step == SignupStep::Facts);
        let record = record.expect("it is behind it");
        assert_eq!(record.end, StepEnd::Failed);
        assert_eq!(record.error.as_ref().and_then(|error| error.code), Some(10));
    });
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("subscribe", 10);
        let (_, tenant, signup) = world.after_signup();
        assert_eq!(
            (signup.state, signup.step),
            (SignupState::Stopped, SignupStep::Subscribe)
        );
        assert!(world.connected_number(&tenant, "501").is_none());
    });
}

fn settings() -> SignupSettings {
    SignupSettings {
        webhook: Some(WebhookOverride {
            url: "https://example.com/whatsapp/webhook".into(),
            verify_token: Secret::new("verify"),
        }),
        credit: Some(CreditLine {
            id: "77".into(),
            token: Secret::new("partner-token"),
        }),
        ..SignupSettings::default()
    }
}

#[test]
fn webhooks_go_where_the_settings_say_and_the_credit_line_is_shared_once() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.lose_next("credit");
        world.onboarding.lose_next("subscribe");
        let mut setup = world.setup();
        setup.works_by_itself = false;
        setup.settings.signups = settings();
        let process = Process::start(world, setup);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let signup = world.signs_up(&process, &tenant);
        world.run_for(SECOND * 10);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        let expected = [
            "exchange code-1",
            "subscribe 900 https://example.com/whatsapp/webhook",
            "register 501",
            "credit 77 900 BDT",
        ];
        assert_eq!(
            world.onboarding.journal(),
            expected,
            "what was done though the answer was lost is found"
        );
    });
}

#[test]
fn without_an_app_or_with_too_many_under_way_none_begins() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let new = NewNumberSignup {
            app_id: Some("1234".into()),
            ..with_code("code-1")
        };
        let refused = world.begins(&process, &tenant, new).expect_err("no such app");
        assert_eq!(refused.code, ErrorCode::AppNotFound);
        for n in 0..20 {
            world
                .begins(&process, &tenant, with_code(&format!("code-{n}")))
                .expect("begun");
        }
        let refused = world
            .begins(&process, &tenant, with_code("one more"))
            .expect_err("a space");
        assert_eq!(refused.errors[0].pointer, "/code");
        let refused = world
            .begins(&process, &tenant, with_code("one-more"))
            .expect_err("too many");
        assert_eq!(refused.code, ErrorCode::TooManySignups);
    });
}

#[test]
fn a_signup_goes_on_under_a_new_data_key() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("register", 133_006);
        let (process, tenant, signup) = world.after_signup();
        assert!(signup.sealed_token.is_some() && signup.sealed_pin.is_some());
        let replaces = || {
            let replacing = process.replacing();
            let what = Replacement::default();
            let step = async move { replacing.step(what, None, Principal::CLI).await };
            let step = world.step(step).expect("a step");
            assert!(step.failed.is_empty(), "{step:?}");
        };
        let in_a_day = Duration::from_hours(25);
        for wait in [Duration::ZERO, SECOND * 130, in_a_day, SECOND * 130] {
            world.clock.advance(wait);
            replaces();
        }
        assert_ne!(world.stored_signup(&signup).sealed_token, signup.sealed_token);
        world
            .retries(&process, &signup, SignupRetry::default())
            .expect("goes on");
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        world.clock.advance(in_a_day);
        for wait in [Duration::ZERO, SECOND * 130] {
            world.clock.advance(wait);
            replaces();
        }
        let number = world.connected_number(&tenant, "501").expect("connected");
        let sealed = number.sealed_pin.expect("kept");
        let pin = world.opened(&tenant, &pin_purpose(&number.phone_number_id), &sealed);
        assert_eq!(Some(pin), world.onboarding.pin("501"));
    });
}
