//! What Meta's refusals want: a wait, the longer of ours and Meta's, or another code. And how often it is asked about a token.

use std::time::Duration;

use dakghar_core::app::SignupRetry;
use dakghar_core::domain::signup::{Reason, SignupState, SignupStep};
use dakghar_core::domain::{ErrorCode, Secret};

use super::{TOKEN, reason};
use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::World;

const HOUR: u64 = 3_600;

#[test]
fn the_longer_of_our_wait_and_metas_counts_and_it_says_until_when() {
    for (code, asked, waited) in [
        (133_016, 60, 72 * HOUR),
        (133_015, 2 * HOUR, 2 * HOUR),
        (4, 1, 60),
        (131_000, 900, 900),
        (133_000, 900, 900),
    ] {
        in_each_kind(|world: &World| {
            world.customer_finishes();
            let asked = Duration::from_secs(asked);
            world.onboarding.refuse_next_for("register", code, asked);
            let (_, _, signup) = world.after_signup();
            assert_eq!(
                (signup.state, signup.step),
                (SignupState::Running, SignupStep::Register),
                "{code}"
            );
            let until = signup.next_at.expect("it says until when");
            assert_eq!(until.since(signup.updated_at).as_secs(), waited, "{code}");
        });
    }
}

#[test]
fn a_code_is_not_kept_waiting_for_longer_than_it_lives() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next_for("exchange", 2, MINUTE);
        let (_, _, signup) = world.after_signup();
        assert_eq!(
            (signup.state, reason(&signup)),
            (SignupState::Stopped, Some(Reason::Refused))
        );
        assert!(signup.needs_code() && signup.next_at.is_none());
        let advice = signup.trouble.expect("told").advice;
        assert!(advice.contains("retry with the new code"), "{advice}");
    });
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next_for("exchange", 2, SECOND * 7);
        let (_, _, signup) = world.after_signup();
        assert_eq!(signup.step, SignupStep::Exchange, "Meta's seven seconds are not over");
        world.run_for(SECOND * 10);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
    });
}

#[test]
fn a_permission_that_is_missing_at_a_step_needs_another_code() {
    for code in [10, 200, 299, 131_005] {
        for call in ["account", "numbers", "subscriptions", "subscribe", "number", "register"] {
            in_each_kind(|world: &World| {
                world.customer_finishes();
                world.onboarding.refuse_next(call, code);
                let (process, _, signup) = world.after_signup();
                assert_eq!(
                    (signup.state, reason(&signup)),
                    (SignupState::Stopped, Some(Reason::Refused)),
                    "{call} {code}"
                );
                assert!(signup.needs_code() && signup.sealed_token.is_none(), "{call} {code}");
                let advice = &signup.trouble.as_ref().expect("told").advice;
                assert!(advice.contains("retry with the new code"), "{advice}");
                let refused = world.retries(&process, &signup, SignupRetry::default());
                assert_eq!(refused.expect_err("no code").code, ErrorCode::SignupNeedsCode);
                world.onboarding.give_code("code-2", TOKEN);
                let with = SignupRetry {
                    code: Some(Secret::new("code-2")),
                    ..SignupRetry::default()
                };
                world.retries(&process, &signup, with).expect("goes on");
                world.run_for(SECOND * 3);
                assert_eq!(world.stored_signup(&signup).state, SignupState::Done, "{call} {code}");
            });
        }
    }
}

#[test]
fn meta_is_asked_whose_a_token_is_once_however_often_later_steps_are_tried() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        for call in ["account", "subscriptions", "register"] {
            world.onboarding.ignore_next(call);
            world.onboarding.ignore_next(call);
        }
        let (_, _, signup) = world.after_signup();
        world.run_for(MINUTE);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        let asked = world.tokens.asked();
        let asked = asked.iter().filter(|(_, token)| token == TOKEN).count();
        assert_eq!(asked, 1);
    });
}
