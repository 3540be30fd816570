//! Signups: from a code to a number that sends, whatever Meta says, and wherever a process dies.

mod claims;
mod coexistence;
mod crashes;
mod leaving;
mod links;
mod rounds;
mod settings;
mod waits;

use dakghar_core::app::{NewNumberSignup, SignupRetry, pin_purpose, token_purpose};
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Reason, Signup, SignupState, SignupStep, StepEnd};
use dakghar_core::domain::{Actor, AppId, ErrorCode, PhoneNumber, Problem, Secret, Tenant, WabaId};
use dakghar_core::ports::{SignupStore as _, TenantStore as _};
use dakghar_testkit::memory::vault;

use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::process::onboarding::with_code;
use crate::world::{APP, World};

const TOKEN: &str = "business-token";
const MANAGE: &str = "whatsapp_business_management";

fn facts(accounts: &[&str]) -> TokenFacts {
    TokenFacts {
        app_id: AppId::parse(APP).expect("digits"),
        kind: Some("SYSTEM_USER".into()),
        scopes: vec![MANAGE.into(), SEND_SCOPE.into()],
        accounts: accounts.iter().map(|id| WabaId::parse(id).expect("digits")).collect(),
        expires_at: None,
    }
}

impl World {
    /// Meta has the account 900 with the number 501, and a customer finished the dialog: code-1.
    fn customer_finishes(&self) {
        self.onboarding.add_account("900", &["501"]);
        self.onboarding.give_code("code-1", TOKEN);
        self.tokens.say(TOKEN, TokenVerdict::Valid(facts(&["900"])));
    }

    fn begins(&self, process: &Process, tenant: &Tenant, new: NewNumberSignup) -> Result<(Signup, bool), Problem> {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.begin_signup(&id, new, Actor::Operator).await })
    }

    fn signs_up(&self, process: &Process, tenant: &Tenant) -> Signup {
        self.begins(process, tenant, with_code("code-1")).expect("begun").0
    }

    fn retries(&self, process: &Process, signup: &Signup, retry: SignupRetry) -> Result<Signup, Problem> {
        let (process, signup) = (process.clone(), signup.clone());
        self.step(async move { process.retry_signup(&signup, retry).await })
    }

    fn stored_signup(&self, signup: &Signup) -> Signup {
        let found = self.store.find_signup(&signup.tenant_id, &signup.id);
        at_once(found).expect("no outage").expect("it exists")
    }

    /// A process that works on signups, a tenant, and a signup that has come as far as it comes.
    fn after_signup(&self) -> (Process, Tenant, Signup) {
        let process = self.idle_process();
        let tenant = self.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let signup = self.signs_up(&process, &tenant);
        self.run_for(SECOND * 5);
        let signup = self.stored_signup(&signup);
        (process, tenant, signup)
    }

    fn connected_number(&self, tenant: &Tenant, id: &str) -> Option<PhoneNumber> {
        let stored = at_once(self.store.find_all(&[tenant.id])).pop();
        let stored = stored.expect("an answer").expect("no outage").expect("it exists");
        let mut numbers = stored.phone_numbers.into_iter();
        numbers.find(|number| number.phone_number_id.as_str() == id)
    }

    fn opened(&self, tenant: &Tenant, purpose: &str, sealed: &[u8]) -> String {
        let stored = at_once(self.store.find_all(&[tenant.id])).pop();
        let stored = stored.expect("an answer").expect("no outage").expect("it exists");
        let vault = vault();
        let opened = vault.open(&tenant.id, &stored.wrapped_data_key, purpose, sealed);
        at_once(opened).expect("it opens").reveal().to_owned()
    }
}

fn is_bare(signup: &Signup) -> bool {
    signup.sealed_code.is_none() && signup.sealed_token.is_none() && signup.sealed_pin.is_none()
}

fn reason(signup: &Signup) -> Option<Reason> {
    signup.trouble.as_ref().map(|trouble| trouble.reason)
}

fn end_of(signup: &Signup, step: SignupStep) -> Option<(StepEnd, Option<&str>)> {
    let record = signup.records.iter().find(|record| record.step == step)?;
    Some((record.end, record.note.as_deref()))
}

#[test]
fn a_code_becomes_a_number_that_can_send() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let (_, tenant, signup) = world.after_signup();
        assert_eq!((signup.state, reason(&signup)), (SignupState::Done, None));
        let usual = SignupStep::ALL.into_iter().filter(|step| !step.is_of_app());
        assert_eq!(signup.records.len(), usual.count());
        assert!(is_bare(&signup), "nothing is kept sealed in it");
        let journal = world.onboarding.journal();
        assert_eq!(
            journal,
            ["exchange code-1", "subscribe 900 the app's own URL", "register 501"]
        );
        assert_eq!(
            end_of(&signup, SignupStep::Credit),
            Some((StepEnd::Skipped, Some("no credit line is configured")))
        );
        let number = world.connected_number(&tenant, "501").expect("connected");
        assert_eq!(number.waba_id.as_ref().map(WabaId::as_str), Some("900"));
        assert_eq!(number.display_phone_number.as_deref(), Some("+501"));
        assert!(number.token.is_some() && !number.simulated);
        let token = world.opened(&tenant, &token_purpose(&number.phone_number_id), &number.sealed_token);
        assert_eq!(token, TOKEN);
        let sealed = number.sealed_pin.expect("its PIN is kept");
        let pin = world.opened(&tenant, &pin_purpose(&number.phone_number_id), &sealed);
        assert_eq!(Some(pin), world.onboarding.pin("501"));
        let facts = signup.number.expect("read");
        assert_eq!(
            (facts.quality.as_deref(), facts.status.as_deref()),
            (Some("GREEN"), Some("CONNECTED"))
        );
        assert_eq!(signup.profile.as_deref(), Some(r#"{"about":"Books"}"#));
    });
}

#[test]
fn the_same_code_is_the_same_signup_and_another_tenants_is_refused() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let (process, tenant, signup) = world.after_signup();
        let (again, is_new) = world.begins(&process, &tenant, with_code("code-1")).expect("the same");
        assert_eq!((again.id, is_new), (signup.id, false));
        let other = world.tenant_with(&process, "222", "token", UnknownOutcome::Fail);
        let refused = world
            .begins(&process, &other, with_code("code-1"))
            .expect_err("refused");
        assert_eq!(refused.code, ErrorCode::SignupCodeUsed);
        assert_eq!(world.onboarding.journal().len(), 3, "nothing more was done");
        let retried = world.retries(&process, &signup, SignupRetry::default()).expect("done");
        assert_eq!(retried, signup, "what is done is done");
    });
}

#[test]
fn a_code_that_nobody_exchanged_in_its_time_is_forgotten() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let signup = world.signs_up(&process, &tenant);
        assert!(signup.sealed_code.is_some());
        world.run_for(SECOND * 31);
        process.works_on_signups();
        world.run_for(SECOND * 2);
        let stopped = world.stored_signup(&signup);
        assert_eq!(
            (stopped.state, reason(&stopped)),
            (SignupState::Stopped, Some(Reason::CodeExpired))
        );
        assert!(is_bare(&stopped) && world.onboarding.journal().is_empty());

        let refused = world
            .retries(&process, &signup, SignupRetry::default())
            .expect_err("no code");
        assert_eq!(refused.code, ErrorCode::SignupNeedsCode);
        let with = |code: &str| SignupRetry {
            code: Some(Secret::new(code)),
            ..SignupRetry::default()
        };
        let refused = world
            .retries(&process, &signup, with("code-1"))
            .expect_err("the old one");
        assert_eq!(refused.code, ErrorCode::SignupCodeUsed);
        world.onboarding.give_code("code-2", TOKEN);
        world.retries(&process, &signup, with("code-2")).expect("goes on");
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        assert!(world.connected_number(&tenant, "501").is_some());
    });
}

#[test]
fn each_refusal_of_registering_is_told_with_its_advice_and_a_retry_finishes() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let signup = world.signs_up(&process, &tenant);
        let refused = [
            133_006, 133_008, 133_009, 133_015, 133_016, 131_031, 2_388_091, 2_388_093, 2_388_103,
        ];
        for code in refused {
            world.onboarding.refuse_next("register", code);
        }
        for code in refused {
            world.run_for(SECOND * 3);
            let seen = world.stored_signup(&signup);
            let trouble = seen.trouble.clone().expect("it does not go on");
            let error = trouble.error.expect("Meta's words");
            assert_eq!((error.code, seen.step), (Some(code), SignupStep::Register), "{code}");
            assert_eq!(error.fbtrace_id.as_deref(), Some("trace-1"));
            assert!(trouble.advice.len() > 20, "{code}");
            let waits = matches!(code, 133_008 | 133_009 | 133_015 | 133_016);
            assert_eq!(seen.next_at.is_some(), waits, "{code}");
            assert_eq!(seen.state == SignupState::Running, waits, "{code}");
            world.retries(&process, &seen, SignupRetry::default()).expect("goes on");
        }
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        let journal = world.onboarding.journal();
        assert_eq!(
            journal,
            ["exchange code-1", "subscribe 900 the app's own URL", "register 501"]
        );
    });
}

#[test]
fn what_waits_goes_on_by_itself() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("register", 133_015);
        world.onboarding.ignore_next("account");
        let (_, _, signup) = world.after_signup();
        assert_eq!(
            (signup.state, signup.step),
            (SignupState::Running, SignupStep::Register)
        );
        world.run_for(MINUTE * 5);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
    });
}

#[test]
fn a_number_with_a_pin_of_its_own_is_registered_with_that() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.set_pin("501", "123456");
        let (process, tenant, signup) = world.after_signup();
        let error = signup.trouble.as_ref().and_then(|trouble| trouble.error.as_ref()?.code);
        assert_eq!((signup.state, error), (SignupState::Stopped, Some(133_005)));
        assert!(signup.sealed_pin.is_none(), "the one that was made up is forgotten");
        let with = SignupRetry {
            pin: Some(Secret::new("12345")),
            ..SignupRetry::default()
        };
        let refused = world.retries(&process, &signup, with.clone()).expect_err("no PIN");
        assert_eq!(refused.errors[0].pointer, "/pin");
        // The code that it began with does not make it begin again.
        let with = SignupRetry {
            pin: Some(Secret::new("123456")),
            code: Some(Secret::new("code-1")),
            ..with
        };
        world.retries(&process, &signup, with).expect("goes on");
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        let number = world.connected_number(&tenant, "501").expect("connected");
        let sealed = number.sealed_pin.expect("its PIN is kept");
        assert_eq!(
            world.opened(&tenant, &pin_purpose(&number.phone_number_id), &sealed),
            "123456"
        );
    });
}

#[test]
fn an_earlier_deregistration_is_completed_first() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("register", 133_000);
        let (_, _, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        let journal = world.onboarding.journal();
        assert_eq!(journal[2..], ["deregister 501", "register 501"]);
    });
}

#[test]
fn what_is_registered_already_is_not_registered_again_nor_what_is_on_a_phone() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.change_number("501", |number| {
            number.status = Some("CONNECTED".into());
            number.platform = Some("CLOUD_API".into());
        });
        let (_, tenant, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Done);
        assert_eq!(world.onboarding.journal().len(), 2);
        assert_eq!(
            world.connected_number(&tenant, "501").expect("connected").sealed_pin,
            None
        );
    });
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world
            .onboarding
            .change_number("501", |number| number.is_on_app = Some(true));
        let (_, tenant, signup) = world.after_signup();
        assert_eq!(
            end_of(&signup, SignupStep::Register).map(|(end, _)| end),
            Some(StepEnd::Skipped)
        );
        assert_eq!(world.onboarding.journal().len(), 4);
        assert_eq!(
            world
                .connected_number(&tenant, "501")
                .expect("connected")
                .messages_per_second,
            20
        );
    });
}

#[test]
fn a_number_or_an_account_of_another_tenant_is_refused() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let owner = world.tenant_in(&process, "900", "501");
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let of = |number: Option<&str>, account: Option<&str>| NewNumberSignup {
            phone_number_id: number.map(str::to_owned),
            waba_id: account.map(str::to_owned),
            ..with_code("code-1")
        };
        let refused = world
            .begins(&process, &tenant, of(Some("501"), None))
            .expect_err("refused");
        assert_eq!(refused.code, ErrorCode::PhoneNumberTaken);
        let refused = world
            .begins(&process, &tenant, of(None, Some("900")))
            .expect_err("refused");
        assert_eq!(refused.code, ErrorCode::AccountTaken);
        // A tenant is told only of what Meta says is shared with it.
        let by_tenant = {
            let (process, id, new) = (process.clone(), tenant.id, of(Some("501"), None));
            world.step(async move { process.begin_signup(&id, new, Actor::Tenant).await })
        };
        let signup = by_tenant.expect("begun").0;
        world.run_for(SECOND * 3);
        let stopped = world.stored_signup(&signup);
        assert_eq!(
            (stopped.state, reason(&stopped)),
            (SignupState::Stopped, Some(Reason::AccountTaken))
        );
        assert_eq!(
            world.onboarding.journal(),
            ["exchange code-1"],
            "nothing was done to it"
        );
        assert!(world.connected_number(&owner, "501").is_some());
    });
}

#[test]
fn a_number_that_another_tenant_gets_meanwhile_is_left_alone() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.refuse_next("register", 133_006);
        let (process, tenant, signup) = world.after_signup();
        let other = world.tenant_with(&process, "501", "token", UnknownOutcome::Fail);
        world
            .retries(&process, &signup, SignupRetry::default())
            .expect("goes on");
        world.run_for(SECOND * 3);
        let stopped = world.stored_signup(&signup);
        assert_eq!(
            (stopped.step, reason(&stopped)),
            (SignupStep::Register, Some(Reason::NumberTaken))
        );
        let journal = world.onboarding.journal();
        assert_eq!(
            journal,
            ["exchange code-1", "subscribe 900 the app's own URL"],
            "nothing was done to it"
        );
        assert!(world.connected_number(&tenant, "501").is_none() && world.connected_number(&other, "501").is_some());
    });
}

#[test]
fn a_token_that_is_of_no_use_is_told_as_such() {
    let other_app = TokenFacts {
        app_id: AppId::parse("9").expect("digits"),
        ..facts(&["900"])
    };
    let no_scope = TokenFacts {
        scopes: vec![SEND_SCOPE.into()],
        ..facts(&["900"])
    };
    for (verdict, expected) in [
        (
            TokenVerdict::Invalid("Session has expired".into()),
            Reason::TokenInvalid,
        ),
        (TokenVerdict::OtherApp, Reason::TokenOfOtherApp),
        (TokenVerdict::Valid(other_app), Reason::TokenOfOtherApp),
        (TokenVerdict::Valid(no_scope), Reason::ScopeMissing),
        (TokenVerdict::Valid(facts(&[])), Reason::AccountNotShared),
        (TokenVerdict::Valid(facts(&["900", "901"])), Reason::ManyAccounts),
    ] {
        in_each_kind(|world: &World| {
            world.customer_finishes();
            world.tokens.say(TOKEN, verdict.clone());
            let (process, tenant, signup) = world.after_signup();
            assert_eq!((signup.state, signup.step), (SignupState::Stopped, SignupStep::Token));
            assert_eq!(reason(&signup), Some(expected));
            assert!(world.connected_number(&tenant, "501").is_none());
            let is_of_no_use = !matches!(expected, Reason::AccountNotShared | Reason::ManyAccounts);
            assert_eq!(signup.needs_code(), is_of_no_use, "{expected:?}");

            world.tokens.say(TOKEN, TokenVerdict::Valid(facts(&["900", "901"])));
            world.onboarding.give_code("code-2", TOKEN);
            let with = SignupRetry {
                code: signup.needs_code().then(|| Secret::new("code-2")),
                waba_id: Some("900".into()),
                ..SignupRetry::default()
            };
            world.retries(&process, &signup, with).expect("goes on");
            world.run_for(SECOND * 3);
            assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        });
    }
}

#[test]
fn the_account_and_the_number_that_are_named_must_be_shared() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.add_account("900", &["501", "502"]);
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let new = NewNumberSignup {
            waba_id: Some("777".into()),
            phone_number_id: Some("666".into()),
            ..with_code("code-1")
        };
        let signup = world.begins(&process, &tenant, new).expect("begun").0;
        let expect = |state: SignupState, reason_: Option<Reason>| {
            world.run_for(SECOND * 3);
            let seen = world.stored_signup(&signup);
            assert_eq!((seen.state, reason(&seen)), (state, reason_));
            seen
        };
        let seen = expect(SignupState::Stopped, Some(Reason::AccountNotShared));
        let words = seen.trouble.expect("told").error.expect("words").message;
        assert_eq!(&*words, "it is for 900");
        let name = |account: Option<&str>, number: Option<&str>| {
            let with = SignupRetry {
                waba_id: account.map(str::to_owned),
                phone_number_id: number.map(str::to_owned),
                ..SignupRetry::default()
            };
            world.retries(&process, &signup, with).expect("goes on");
        };
        name(Some("900"), None);
        expect(SignupState::Stopped, Some(Reason::NumberNotThere));
        name(None, Some("502"));
        expect(SignupState::Done, None);
        assert!(world.connected_number(&tenant, "502").is_some());
        assert!(world.connected_number(&tenant, "501").is_none());
    });
}

#[test]
fn of_several_numbers_the_only_one_that_nobody_has_is_meant() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.add_account("900", &["501", "502"]);
        let process = world.idle_process();
        let tenant = world.tenant_with(&process, "501", "token", UnknownOutcome::Fail);
        process.works_on_signups();
        let signup = world.signs_up(&process, &tenant);
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        assert!(world.connected_number(&tenant, "502").is_some());
    });
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.add_account("900", &["501", "502"]);
        let (_, _, signup) = world.after_signup();
        assert_eq!(
            (signup.step, reason(&signup)),
            (SignupStep::Account, Some(Reason::ManyNumbers))
        );
    });
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.add_account("900", &[]);
        let (_, _, signup) = world.after_signup();
        assert_eq!(reason(&signup), Some(Reason::NoNumber));
    });
}

#[test]
fn a_number_that_the_tenant_has_gets_the_new_token_and_goes_on() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant_in(&process, "900", "501");
        process.works_on_signups();
        let signup = world.signs_up(&process, &tenant);
        world.run_for(SECOND * 3);
        assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        let number = world.connected_number(&tenant, "501").expect("kept");
        let token = world.opened(&tenant, &token_purpose(&number.phone_number_id), &number.sealed_token);
        assert_eq!(token, TOKEN);
    });
}

#[test]
fn an_account_that_another_tenant_gets_meanwhile_is_refused_at_the_end() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        world.onboarding.set_pin("501", "123456");
        let (process, tenant, signup) = world.after_signup();
        assert_eq!(signup.state, SignupState::Stopped);
        let refused = world
            .retries(&process, &signup, SignupRetry::default())
            .expect_err("a guess");
        assert_eq!(refused.errors[0].pointer, "/pin");
        world.tenant_in(&process, "900", "502");
        let with = SignupRetry {
            pin: Some(Secret::new("123456")),
            ..SignupRetry::default()
        };
        world.retries(&process, &signup, with).expect("goes on");
        world.run_for(SECOND * 5);
        let stopped = world.stored_signup(&signup);
        assert_eq!(
            (stopped.state, reason(&stopped)),
            (SignupState::Stopped, Some(Reason::AccountTaken))
        );
        assert!(world.connected_number(&tenant, "501").is_none());
    });
}
