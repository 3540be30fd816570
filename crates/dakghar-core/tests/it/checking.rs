//! Checks of numbers at Meta: each kind of drift is told once, what cannot send is held and goes on, and an answer that says
//! nothing changes nothing.

use std::time::Duration;

use dakghar_core::app::{CheckPass, CheckStep, Failure};
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::message::{Status, UnknownOutcome};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::signup::Subscription;
use dakghar_core::domain::standing::{AccountNews, NewsKind};
use dakghar_core::domain::webhook::{OtherPart, WebhookPart};
use dakghar_core::domain::{AppId, EventReason, HoldReason, PhoneNumber, Tenant, WabaId};
use dakghar_core::ports::{EventStore, TenantStore as _};
use serde_json::Value;

use crate::steps::{MINUTE, SECOND, in_each_kind, number};
use crate::world::meta::Meta;
use crate::world::ports::at_once;
use crate::world::process::{Process, Setup};
use crate::world::{APP, World};

const ACCOUNT: &str = "900";
const NUMBER: &str = "501";
const EVERY: Duration = Duration::from_hours(6);

fn subscribed(url: Option<&str>) -> Vec<Subscription> {
    vec![Subscription {
        app_id: AppId::parse(APP).expect("digits"),
        override_url: url.map(Into::into),
    }]
}

impl World {
    /// A tenant whose number is sound at Meta, and was checked once.
    fn with_checked(&self, process: &Process) -> Tenant {
        self.onboarding.add_account(ACCOUNT, &[NUMBER]);
        self.onboarding.set_subscriptions(ACCOUNT, subscribed(None));
        self.onboarding.set_app(AppId::parse(APP).expect("digits"));
        let tenant = self.tenant_in(process, ACCOUNT, NUMBER);
        self.hours_pass(6);
        assert_eq!(
            self.checks(process),
            3,
            "the number, its account, and who gets the webhooks"
        );
        assert_eq!(self.told(&tenant), []);
        tenant
    }

    fn hours_pass(&self, hours: u64) {
        self.clock.advance(Duration::from_hours(hours));
        self.run_for(SECOND);
    }

    /// A pass over all numbers. Returns how often Meta was asked.
    fn checks(&self, process: &Process) -> usize {
        let checks = process.number_checks();
        let pass = async move {
            let (mut pass, mut asked) = (CheckPass::default(), 0);
            loop {
                let step = checks.step(&mut pass).await?;
                asked += step.asked;
                if step.is_through {
                    return Ok::<_, Failure>(asked);
                }
            }
        };
        self.step(pass).expect("a pass")
    }

    /// One step of a pass.
    fn check_step(&self, process: &Process, mut pass: CheckPass) -> (CheckPass, CheckStep) {
        let checks = process.number_checks();
        let step = async move {
            let step = checks.step(&mut pass).await?;
            Ok::<_, Failure>((pass, step))
        };
        self.step(step).expect("a step")
    }

    fn checked_number(&self, tenant: &Tenant) -> PhoneNumber {
        let stored = at_once(self.store.find_all(&[tenant.id])).pop();
        let stored = stored.expect("an answer").expect("no outage").expect("it exists");
        stored.phone_numbers[0].clone()
    }

    /// The changes that the tenant was told, oldest first: the kind, before, after.
    fn told(&self, tenant: &Tenant) -> Vec<(String, Option<String>, String)> {
        let events = EventStore::list(&*self.store, Some(&tenant.id), None, PageLimit::items(100));
        let events = at_once(events).expect("no outage").items;
        let of_numbers = events.iter().rev().filter(|event| event.reason == EventReason::Number);
        let changes = of_numbers.flat_map(|event| {
            assert_eq!((&*event.field, event.tenant_id), ("number.changed", Some(tenant.id)));
            let said: Value = serde_json::from_str(&event.raw).expect("JSON");
            said["changes"].as_array().expect("changes").clone()
        });
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let changes = changes.map(|change| {
            let after = text(&change["after"]).expect("a text");
            (text(&change["kind"]).expect("a text"), text(&change["before"]), after)
        });
        changes.collect()
    }

    fn hears(&self, process: &Process, kind: NewsKind, event: &str) {
        self.hears_of_app(process, kind, event, None);
    }

    fn hears_of_app(&self, process: &Process, kind: NewsKind, event: &str, app: Option<&str>) {
        let now = self.now().as_millis();
        let news = OtherPart {
            phone_number_id: None,
            waba_id: WabaId::parse(ACCOUNT).ok(),
            news: Some(AccountNews {
                kind,
                event: event.into(),
                app: app.map(|id| AppId::parse(id).expect("digits")),
            }),
            ..Meta::news(
                &dakghar_core::domain::PhoneNumberId::parse(NUMBER).expect("digits"),
                &format!("{event} {now}"),
            )
        };
        self.receive(process, vec![WebhookPart::Other(news)]).expect("received");
        self.run_for(SECOND);
    }
}

fn held(number: &PhoneNumber) -> Option<HoldReason> {
    number.hold.map(|hold| hold.reason)
}

#[test]
fn each_kind_of_drift_is_noticed_within_one_check_and_told_once_whoever_checks() {
    in_each_kind(|world: &World| {
        let (process, other) = (world.idle_process(), world.idle_process());
        let tenant = world.with_checked(&process);
        let meta = &world.onboarding;
        let changes: [(&str, &dyn Fn()); 12] = [
            ("name", &|| {
                meta.change_standing(NUMBER, |seen| seen.name = Some("Boats".into()));
            }),
            ("name_status", &|| {
                meta.change_standing(NUMBER, |seen| seen.name_status = Some("DECLINED".into()));
            }),
            ("quality", &|| {
                meta.change_standing(NUMBER, |seen| seen.quality = Some("RED".into()));
            }),
            ("messaging_limit", &|| {
                meta.change_standing(NUMBER, |seen| seen.messaging_limit = Some("TIER_2K".into()));
            }),
            ("throughput", &|| {
                meta.change_standing(NUMBER, |seen| seen.throughput = Some("HIGH".into()));
            }),
            ("pin", &|| {
                meta.change_standing(NUMBER, |seen| seen.has_pin = Some(false));
            }),
            ("account_mode", &|| {
                meta.change_standing(NUMBER, |seen| seen.mode = Some("SANDBOX".into()));
            }),
            ("health", &|| {
                meta.change_standing(NUMBER, |seen| seen.health = Some("LIMITED".into()));
            }),
            ("status", &|| {
                meta.change_standing(NUMBER, |seen| seen.status = Some("FLAGGED".into()));
            }),
            ("account_review", &|| {
                meta.change_account(ACCOUNT, |account| account.review_status = Some("PENDING".into()));
            }),
            ("subscription", &|| {
                meta.set_subscriptions(ACCOUNT, subscribed(Some("https://others.example")));
            }),
            ("subscription", &|| meta.set_subscriptions(ACCOUNT, Vec::new())),
        ];
        for (told, (kind, change)) in changes.into_iter().enumerate() {
            change();
            world.hours_pass(6);
            world.checks(&process);
            world.checks(&other);
            let all = world.told(&tenant);
            assert_eq!(all.len(), told + 1, "{kind}: {all:?}");
            assert_eq!(all[told].0, kind);
            assert!(all[told].1.is_some(), "{kind} was known before");
        }
        let number = world.checked_number(&tenant);
        assert_eq!((number.messages_per_second, held(&number)), (1_000, None));
        assert_eq!(number.concerns().len(), 8, "{:?}", number.concerns());
    });
}

#[test]
fn a_number_that_cannot_send_is_held_and_goes_on_by_itself_when_meta_says_so() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.with_checked(&process);
        world
            .onboarding
            .change_standing(NUMBER, |seen| seen.status = Some("BANNED".into()));
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(
            held(&world.checked_number(&tenant)),
            Some(HoldReason::AccountRestricted)
        );
        let message = world.accept(&process, &tenant.id, "hello");
        world.run_for(MINUTE);
        assert_eq!(world.look(message).status(), Status::Held);

        world
            .onboarding
            .change_standing(NUMBER, |seen| seen.status = Some("CONNECTED".into()));
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(held(&world.checked_number(&tenant)), None);
        world.run_for(MINUTE);
        assert_ne!(world.look(message).status(), Status::Held);
    });
}

#[test]
fn a_token_that_does_not_work_holds_and_one_that_may_not_read_does_not() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.with_checked(&process);
        world.onboarding.refuse_next("standing", 200);
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(held(&world.checked_number(&tenant)), None);
        assert_eq!(world.told(&tenant).len(), 1, "that it cannot be watched");

        world.onboarding.refuse_next("standing", 190);
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(
            held(&world.checked_number(&tenant)),
            Some(HoldReason::CredentialsInvalid)
        );
    });
}

#[test]
fn an_answer_that_says_nothing_changes_nothing_and_it_is_tried_again() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.with_checked(&process);
        let before = world.checked_number(&tenant).standing;
        for fault in 0..4 {
            match fault {
                0 => world.onboarding.ignore_next("standing"),
                1 => world.onboarding.refuse_next("standing", 2),
                2 => world.onboarding.refuse_next("account", 80_007),
                _ => world.onboarding.refuse_next("subscriptions", 4),
            }
            if fault == 0 {
                world.hours_pass(6);
            } else {
                world.clock.advance(Duration::from_mins(10));
                world.run_for(SECOND);
            }
            assert!(world.checks(&process) > 0, "{fault}");
            let after = world.checked_number(&tenant).standing;
            assert_eq!(
                (&after.seen, after.checked_at),
                (&before.seen, before.checked_at),
                "{fault}"
            );
            assert_eq!(world.checks(&process), 0, "not again at once");
        }
        world.clock.advance(Duration::from_mins(10));
        world.run_for(SECOND);
        assert_eq!(world.checks(&process), 3);
        assert!(world.checked_number(&tenant).standing.checked_at > before.checked_at);
        assert_eq!(world.told(&tenant), []);
    });
}

#[test]
fn an_account_that_lost_its_subscription_gets_it_back_once_a_day_where_somebody_wants_that() {
    in_each_kind(|world: &World| {
        let mut setup = world.setup();
        setup.works_by_itself = false;
        setup.settings.checks.subscribes_again = true;
        let process = Process::start(world, setup);
        let tenant = world.with_checked(&process);
        let subscriptions = || {
            world
                .onboarding
                .journal()
                .iter()
                .filter(|did| did.starts_with("subscribe"))
                .count()
        };
        world.onboarding.set_subscriptions(ACCOUNT, Vec::new());
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(subscriptions(), 1);
        world.run_for(SECOND);
        world.checks(&process);
        let ways: Vec<String> = world.told(&tenant).into_iter().map(|(_, _, after)| after).collect();
        assert_eq!(ways, ["lost", "subscribed"]);

        // Somebody takes it away again.
        world.onboarding.set_subscriptions(ACCOUNT, Vec::new());
        for _ in 0..3 {
            world.hours_pass(6);
            world.checks(&process);
        }
        assert_eq!(subscriptions(), 1);
        world.hours_pass(6);
        world.checks(&process);
        assert_eq!(subscriptions(), 2);

        // Others who have it are left alone.
        world
            .onboarding
            .set_subscriptions(ACCOUNT, subscribed(Some("https://others.example")));
        world.hours_pass(30);
        world.checks(&process);
        assert_eq!(subscriptions(), 2);
    });
}

#[test]
fn the_event_that_disables_an_account_holds_at_once_and_the_one_that_ends_it_asks_for_a_check() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.with_checked(&process);
        world.hears(&process, NewsKind::Stops, "DISABLED_UPDATE");
        let number = world.checked_number(&tenant);
        assert_eq!(held(&number), Some(HoldReason::AccountRestricted));
        assert_eq!(world.checks(&process), 0, "it is no time for a check");

        world.run_for(MINUTE);
        world.hears(&process, NewsKind::Restores, "DISABLED_UPDATE");
        assert!(held(&world.checked_number(&tenant)).is_some());
        assert_eq!(world.checks(&process), 3);
        assert_eq!(held(&world.checked_number(&tenant)), None);
    });
}

#[test]
fn an_event_of_an_app_counts_for_numbers_of_that_app_alone_and_is_kept_for_all() {
    const OTHER: &str = "333";
    for (of_token, of_event, holds) in [
        (None, APP, true),
        (None, OTHER, false),
        (Some(APP), APP, true),
        (Some(APP), OTHER, false),
        (Some(OTHER), OTHER, true),
        (Some(OTHER), APP, false),
    ] {
        in_each_kind(|world: &World| {
            if let Some(app) = of_token {
                let facts = TokenFacts {
                    app_id: AppId::parse(app).expect("digits"),
                    kind: None,
                    scopes: vec![SEND_SCOPE.into()],
                    accounts: vec![WabaId::parse(ACCOUNT).expect("digits")],
                    expires_at: None,
                };
                world.tokens.say("token-1", TokenVerdict::Valid(facts));
            }
            let process = world.idle_process();
            world.onboarding.add_account(ACCOUNT, &[NUMBER]);
            let tenant = world.tenant_in(&process, ACCOUNT, NUMBER);
            world.hears_of_app(&process, NewsKind::Stops, "PARTNER_APP_UNINSTALLED", Some(of_event));
            let number = world.checked_number(&tenant);
            assert_eq!(number.token_app().map(AppId::as_str), of_token);
            assert_eq!(number.hold.is_some(), holds, "{of_token:?} {of_event}");
            let events = EventStore::list(&*world.store, Some(&tenant.id), None, PageLimit::items(100));
            let events = at_once(events).expect("no outage").items;
            assert_eq!(
                events.iter().filter(|event| &*event.field == "account_update").count(),
                1,
                "it is told"
            );
        });
    }
}

#[test]
fn an_event_of_a_change_has_it_looked_at_soon() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.with_checked(&process);
        world.run_for(MINUTE);
        world
            .onboarding
            .change_standing(NUMBER, |seen| seen.throughput = Some("HIGH".into()));
        world.hears(&process, NewsKind::Asks, "phone_number_quality_update");
        world.checks(&process);
        assert_eq!(world.told(&tenant).len(), 1);
        assert_eq!(world.checked_number(&tenant).messages_per_second, 1_000);
    });
}

#[test]
fn a_number_that_is_new_or_has_another_token_is_checked_soon() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        assert_eq!((world.checks(&process), world.checks(&process)), (1, 0));
        let (changer, id) = (process.clone(), tenant.id);
        world
            .step(async move { changer.replace_token(&id, None, "token-2").await })
            .expect("replaced");
        assert_eq!((world.checks(&process), world.checks(&process)), (1, 0));
    });
}

#[test]
fn a_stop_that_is_over_does_not_wait_for_all_that_is_due_and_a_long_pass_is_cut() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        // Tenants are read newest first.
        world.onboarding.add_account(ACCOUNT, &[NUMBER]);
        let tenant = world.tenant_in(&process, ACCOUNT, NUMBER);
        for (account, number) in [("901", "601"), ("902", "602"), ("903", "603")] {
            world.onboarding.add_account(account, &[number]);
            world.tenant_in(&process, account, number);
        }
        assert_eq!(world.checks(&process), 12);
        world.hours_pass(6);
        world.hears(&process, NewsKind::Stops, "DISABLED_UPDATE");
        assert!(held(&world.checked_number(&tenant)).is_some());
        world.run_for(SECOND);
        world.hears(&process, NewsKind::Restores, "DISABLED_UPDATE");

        let (pass, step) = world.check_step(&process, CheckPass::default());
        assert_eq!((step.asked, step.is_through), (0, false), "all are read");
        let (pass, step) = world.check_step(&process, pass);
        assert_eq!((step.asked, step.is_through), (3, false));
        assert_eq!(held(&world.checked_number(&tenant)), None, "it was the first");

        world.clock.advance(Duration::from_secs(30));
        let (pass, step) = world.check_step(&process, pass);
        assert_eq!((step.asked, step.is_cut, step.is_through), (3, true, true));

        // The next pass begins with what was asked for meanwhile.
        world.hears(&process, NewsKind::Stops, "ACCOUNT_OFFBOARDED");
        world.run_for(SECOND);
        world.hears(&process, NewsKind::Restores, "ACCOUNT_RECONNECTED");
        let (pass, _) = world.check_step(&process, pass.following());
        let (pass, step) = world.check_step(&process, pass);
        assert_eq!(held(&world.checked_number(&tenant)), None);
        assert!(!step.is_through);
        let (pass, _) = world.check_step(&process, pass);
        let (_, step) = world.check_step(&process, pass);
        assert_eq!((step.is_cut, step.is_through), (false, true));
        assert_eq!(world.checks(&process), 0, "each was checked");
    });
}

#[test]
fn two_processes_at_once_ask_once() {
    in_each_kind(|world: &World| {
        let (process, other) = (world.idle_process(), world.idle_process());
        let tenant = world.with_checked(&process);
        let before = world.onboarding.checks();
        world.hours_pass(6);
        let (first, second) = (process.number_checks(), other.number_checks());
        let both = async move {
            let (mut one, mut two) = (CheckPass::default(), CheckPass::default());
            // Both have seen that it is due.
            first.step(&mut one).await?;
            second.step(&mut two).await?;
            first.step(&mut one).await?;
            second.step(&mut two).await
        };
        world.step(both).expect("passes");
        assert_eq!(world.onboarding.checks(), before + 1);
        drop(tenant);
    });
}

#[test]
fn somebody_who_asks_gets_a_check_at_once_also_where_nobody_checks_by_itself() {
    in_each_kind(|world: &World| {
        let mut setup: Setup = world.setup();
        (setup.works_by_itself, setup.settings.checks.every) = (false, None);
        let process = Process::start(world, setup);
        world.onboarding.add_account(ACCOUNT, &[NUMBER]);
        let tenant = world.tenant_in(&process, ACCOUNT, NUMBER);
        world.hours_pass(EVERY.as_secs() / 3_600 * 4);
        assert_eq!(world.checks(&process), 0);
        let (checks, id) = (process.number_checks(), tenant.id);
        let looked = world
            .step(async move { checks.look_live(&id).await })
            .expect("an answer");
        assert_eq!(looked[0].concerns.len(), 1, "nobody gets the webhooks");
        assert_eq!(
            world.checked_number(&tenant).standing.checked_at,
            None,
            "nothing of it is kept"
        );

        let (checks, id, number) = (process.number_checks(), tenant.id, number(&tenant));
        let checked = world.step(async move { checks.check_now(&id, number.as_str()).await });
        assert!(checked.expect("checked").phone_numbers[0].standing.checked_at.is_some());
        let (checks, id) = (process.number_checks(), tenant.id);
        world.onboarding.ignore_next("standing");
        let silent = world.step(async move { checks.check_now(&id, NUMBER).await });
        let problem = dakghar_core::domain::Problem::from(silent.expect_err("no answer"));
        assert_eq!(problem.code.as_str(), "meta_unavailable");
    });
}

#[test]
fn what_was_registered_without_an_account_is_checked_without_one() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.hours_pass(6);
        assert_eq!(world.checks(&process), 1);
        let number = world.checked_number(&tenant);
        assert!(number.standing.checked_at.is_some() && number.waba_id.is_none());

        world
            .onboarding
            .change_standing("111", |seen| seen.waba_id = WabaId::parse(ACCOUNT).ok());
        world.hours_pass(6);
        world.checks(&process);
        let number = world.checked_number(&tenant);
        assert_eq!(number.waba_id.as_ref().map(WabaId::as_str), Some(ACCOUNT));
        assert!(number.waba_is_learned);
    });
}
