//! Access tokens: looked at when given and once a day, told of before their end, renewed, held when they do not work.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{DefaultApp, Failure, TokenPass};
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{
    AppId, ErrorCode, EventReason, HoldReason, PhoneNumber, Problem, Tenant, Timestamp, WabaId,
};
use dakghar_core::ports::{EventStore, TenantStore as _};
use serde_json::Value;

use crate::steps::in_each_kind;
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::{APP, World};

const DAY: Duration = Duration::from_hours(24);

fn facts(kind: &str, expires_at: Option<Timestamp>) -> TokenFacts {
    TokenFacts {
        app_id: AppId::parse(APP).expect("digits"),
        kind: Some(kind.into()),
        scopes: vec![SEND_SCOPE.into()],
        accounts: Vec::new(),
        expires_at,
    }
}

fn invalid() -> TokenVerdict {
    TokenVerdict::Invalid(Arc::from("Session has expired"))
}

impl World {
    fn register_with(&self, process: &Process, token: &'static str) -> Result<Tenant, Problem> {
        let process = process.clone();
        self.step(async move { process.register("111", token, UnknownOutcome::Fail).await })
    }

    fn stored_number(&self, tenant: &Tenant) -> PhoneNumber {
        let stored = at_once(self.store.find_all(&[tenant.id])).pop();
        let stored = stored.expect("an answer").expect("no outage").expect("it exists");
        stored.phone_numbers[0].clone()
    }

    /// A pass over all tokens. Returns how often Meta was asked.
    fn look_at_tokens(&self, process: &Process) -> usize {
        let watch = process.token_watch();
        let pass = async move {
            let (mut pass, mut asked) = (TokenPass::default(), 0);
            loop {
                let step = watch.step(&mut pass).await?;
                asked += step.asked;
                if step.is_through {
                    return Ok::<_, Failure>(asked);
                }
            }
        };
        self.step(pass).expect("a pass")
    }

    /// The days of the warnings that the tenant was told, oldest first.
    fn warned(&self, tenant: &Tenant) -> Vec<u64> {
        let events = EventStore::list(&*self.store, Some(&tenant.id), None, PageLimit::items(100));
        let events = at_once(events).expect("no outage").items;
        let of_tokens = events.iter().rev().filter(|event| event.reason == EventReason::Token);
        let days = of_tokens.map(|event| {
            assert_eq!((&*event.field, event.tenant_id), ("token.expires", Some(tenant.id)));
            let said: Value = serde_json::from_str(&event.raw).expect("JSON");
            assert_eq!(said["phoneNumberId"], "111");
            said["days"].as_u64().expect("a number")
        });
        days.collect()
    }

    fn passes_days(&self, days: u32) {
        self.clock.advance(DAY * days);
        self.run_for(Duration::from_secs(1));
    }
}

#[test]
fn a_token_that_does_not_work_or_lacks_what_it_needs_is_refused() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        world.tokens.say("ended", invalid());
        let mut lacking = facts("SYSTEM_USER", None);
        lacking.scopes = vec!["business_management".into()];
        world.tokens.say("lacking", TokenVerdict::Valid(lacking));
        for token in ["ended", "lacking"] {
            let refused = world.register_with(&process, token).expect_err("refused");
            assert_eq!(refused.code, ErrorCode::AccessTokenRefused, "{token}");
            assert_eq!(refused.errors[0].pointer, "/accessToken");
        }
        let tenant = world
            .register_with(&process, "fine")
            .expect("of another app, so Meta tells nothing");
        assert_eq!(world.stored_number(&tenant).token, None);

        // The one that is in use stays when the one in its place does not work, or may not send for the account.
        let before = world.stored_number(&tenant).sealed_token;
        let refused = world.step({
            let (process, id) = (process.clone(), tenant.id);
            async move { process.replace_token(&id, None, "ended").await }
        });
        assert_eq!(refused.expect_err("refused").code, ErrorCode::AccessTokenRefused);
        assert_eq!(world.stored_number(&tenant).sealed_token, before);
    });
}

#[test]
fn a_token_for_other_accounts_is_named_as_such() {
    let account = |id: &str| WabaId::parse(id).expect("digits");
    let mut facts = facts("SYSTEM_USER", None);
    facts.accounts = vec![account("5")];
    assert_eq!(facts.flaw(Some(&account("5"))), None);
    assert!(facts.flaw(Some(&account("6"))).is_some());
}

#[test]
fn without_an_answer_it_is_taken_and_looked_at_later_and_then_once_a_day() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        world.tokens.say_nothing("quiet");
        let tenant = world.register_with(&process, "quiet").expect("taken");
        assert_eq!((world.look_at_tokens(&process), world.look_at_tokens(&process)), (1, 1));
        assert_eq!(world.stored_number(&tenant).token, None);

        world
            .tokens
            .say("quiet", TokenVerdict::Valid(facts("SYSTEM_USER", None)));
        assert_eq!((world.look_at_tokens(&process), world.look_at_tokens(&process)), (1, 0));
        let known = world.stored_number(&tenant).token.expect("it was looked at");
        assert_eq!(known.facts, Some(facts("SYSTEM_USER", None)));
        world.passes_days(1);
        assert_eq!((world.look_at_tokens(&process), world.look_at_tokens(&process)), (1, 0));
    });
}

#[test]
fn its_end_is_told_14_7_and_1_days_before_once_each_whoever_looks() {
    in_each_kind(|world: &World| {
        let (process, other) = (world.idle_process(), world.idle_process());
        let ends = world.now() + DAY * 30;
        world.tokens.say("ends", TokenVerdict::Valid(facts("PAGE", Some(ends))));
        let tenant = world.register_with(&process, "ends").expect("taken");
        let mut told = Vec::new();
        for day in 1..=30 {
            world.passes_days(1);
            world.look_at_tokens(&process);
            world.look_at_tokens(&other);
            let warned = world.warned(&tenant);
            if warned.len() > told.len() {
                told.push((day, *warned.last().expect("one")));
            }
        }
        assert_eq!(told, [(16, 14), (23, 7), (29, 1)]);
    });
}

#[test]
fn one_that_stopped_working_holds_its_number_until_it_is_replaced() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        world.tokens.say("t", TokenVerdict::Valid(facts("SYSTEM_USER", None)));
        let tenant = world.register_with(&process, "t").expect("taken");
        world.tokens.say("t", invalid());
        assert_eq!(
            (world.look_at_tokens(&process), world.stored_number(&tenant).hold),
            (0, None)
        );
        world.passes_days(1);
        world.look_at_tokens(&process);
        let hold = world.stored_number(&tenant).hold.expect("held");
        assert_eq!(hold.reason, HoldReason::CredentialsInvalid);

        world.tokens.say("new", TokenVerdict::Valid(facts("SYSTEM_USER", None)));
        world.replace_token(&process, &tenant, "new");
        let number = world.stored_number(&tenant);
        assert_eq!((number.hold, number.token.is_some()), (None, true));
    });
}

#[test]
fn one_that_ends_soon_is_renewed_if_meta_does_that_and_sends_go_on_with_the_new_one() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let soon = world.now() + DAY * 25;
        world
            .tokens
            .say("old", TokenVerdict::Valid(facts("SYSTEM_USER", Some(soon))));
        let tenant = world.register_with(&process, "old").expect("taken");
        let later = world.now() + DAY * 80;
        world.tokens.renew_to("old", "renewed");
        world
            .tokens
            .say("renewed", TokenVerdict::Valid(facts("SYSTEM_USER", Some(later))));
        world.passes_days(1);
        world.look_at_tokens(&process);
        assert_eq!(
            world.stored_number(&tenant).token.expect("known").expires_at(),
            Some(soon),
            "not yet"
        );

        world.passes_days(5);
        world.look_at_tokens(&process);
        assert_eq!(
            world.stored_number(&tenant).token.expect("known").expires_at(),
            Some(later)
        );
        assert_eq!(world.warned(&tenant), [] as [u64; 0]);
        world.tokens.asked();
        world.passes_days(1);
        world.look_at_tokens(&process);
        let asked: Vec<_> = world.tokens.asked().into_iter().map(|(_, token)| token).collect();
        assert_eq!(asked, ["renewed"]);
    });
}

#[test]
fn a_token_that_was_replaced_meanwhile_is_not_touched() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        world.tokens.say_nothing("first");
        let tenant = world.register_with(&process, "first").expect("taken");
        world.tokens.say("first", invalid());
        world
            .tokens
            .say("second", TokenVerdict::Valid(facts("SYSTEM_USER", None)));
        let watch = process.token_watch();
        let (walker, changer, id) = (process.clone(), process.clone(), tenant.id);
        // What the pass learned of the first token comes after the change.
        let passes = async move {
            let mut pass = TokenPass::default();
            watch.step(&mut pass).await?;
            changer.replace_token(&id, None, "second").await.expect("replaced");
            watch.step(&mut pass).await
        };
        world.step(passes).expect("a pass");
        assert_eq!(world.stored_number(&tenant).hold, None);
        drop(walker);
    });
}

#[test]
fn a_call_is_made_with_the_secret_of_the_app_that_its_token_is_of() {
    in_each_kind(|world: &World| {
        let process = world.process();
        world
            .tokens
            .say("ours", TokenVerdict::Valid(facts("SYSTEM_USER", None)));
        let ours = world.tenant_with(&process, "111", "ours", UnknownOutcome::Fail);
        let other = world.tenant_with(&process, "222", "theirs", UnknownOutcome::Fail);
        for tenant in [&ours, &other] {
            world.accept(&process, &tenant.id, "hello");
        }
        world.run_for(Duration::from_secs(5));
        let called = world.meta.requests();
        let mut called: Vec<_> = called
            .iter()
            .map(|(request, _)| (&*request.token, request.app_secret.as_deref()))
            .collect();
        called.sort_unstable();
        assert_eq!(called, [("ours", Some("secret")), ("theirs", None)]);
    });
}

#[test]
fn without_an_app_nobody_is_asked_and_nothing_is_written() {
    in_each_kind(|world: &World| {
        let mut setup = world.setup();
        (setup.works_by_itself, setup.settings.default_app) = (false, DefaultApp::default());
        let process = Process::start(world, setup);
        let tenant = world.register_with(&process, "t").expect("taken");
        let before = at_once(world.store.find_all(&[tenant.id])).pop();
        assert_eq!(world.look_at_tokens(&process), 0);
        world.passes_days(2);
        assert_eq!((world.look_at_tokens(&process), world.tokens.asked()), (0, vec![]));
        assert_eq!(at_once(world.store.find_all(&[tenant.id])).pop(), before);
    });
}
