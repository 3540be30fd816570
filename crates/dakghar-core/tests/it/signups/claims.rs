//! Several signups of one number: they take turns, and an older one does not undo what a newer one did.

use dakghar_core::app::{SignupRetry, pin_purpose, token_purpose};
use dakghar_core::domain::access_token::TokenVerdict;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Reason, SignupState, SignupStep};
use dakghar_core::domain::{ErrorCode, Secret, Tenant};

use super::{facts, reason};
use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::process::onboarding::with_code;

impl World {
    /// The customer finishes the dialog once more: this code, for this token.
    fn customer_finishes_again(&self, code: &str, token: &str) {
        self.onboarding.give_code(code, token);
        self.tokens.say(token, TokenVerdict::Valid(facts(&["900"])));
    }

    fn token_of(&self, tenant: &Tenant) -> String {
        let number = self.connected_number(tenant, "501").expect("connected");
        self.opened(tenant, &token_purpose(&number.phone_number_id), &number.sealed_token)
    }
}

#[test]
fn two_signups_of_one_number_at_once_register_it_once_with_one_pin() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.customer_finishes_again("code-2", "second-token");
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let first = world.signs_up(&process, &tenant);
        let (second, _) = world.begins(&process, &tenant, with_code("code-2")).expect("begun");
        process.works_on_signups();
        world.run_for(SECOND * 10);
        for signup in [&first, &second] {
            let seen = world.stored_signup(signup);
            let is_over = seen.state == SignupState::Done || reason(&seen) == Some(Reason::Overtaken);
            assert!(is_over, "{seen:?}");
        }
        let journal = world.onboarding.journal();
        let registered = journal.iter().filter(|call| *call == "register 501").count();
        assert_eq!(registered, 1, "{journal:?}");
        let number = world.connected_number(&tenant, "501").expect("connected");
        let sealed = number.sealed_pin.expect("its PIN is kept");
        let pin = world.opened(&tenant, &pin_purpose(&number.phone_number_id), &sealed);
        assert_eq!(Some(pin), world.onboarding.pin("501"));
    });
}

#[test]
fn a_signup_that_a_newer_one_has_overtaken_says_so_and_changes_nothing() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("register", 133_006);
        let (process, tenant, older) = world.after_signup();
        assert_eq!((older.state, older.step), (SignupState::Stopped, SignupStep::Register));
        world.customer_finishes_again("code-2", "second-token");
        let (newer, _) = world.begins(&process, &tenant, with_code("code-2")).expect("begun");
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&newer).state, SignupState::Done);
        let before = world.onboarding.journal();

        world
            .retries(&process, &older, SignupRetry::default())
            .expect("goes on");
        world.run_for(SECOND * 3);
        let overtaken = world.stored_signup(&older);
        assert_eq!(
            (overtaken.state, reason(&overtaken)),
            (SignupState::Stopped, Some(Reason::Overtaken))
        );
        assert!(overtaken.needs_code() && overtaken.sealed_token.is_none());
        assert_eq!(world.onboarding.journal(), before);
        assert_eq!(world.token_of(&tenant), "second-token");

        let refused = world.retries(&process, &older, SignupRetry::default());
        assert_eq!(refused.expect_err("no code").code, ErrorCode::SignupNeedsCode);
        world.customer_finishes_again("code-3", "third-token");
        let with = SignupRetry {
            code: Some(Secret::new("code-3")),
            ..SignupRetry::default()
        };
        world.retries(&process, &older, with).expect("it is the newest now");
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&older).state, SignupState::Done);
        assert_eq!(world.token_of(&tenant), "third-token");
    });
}
