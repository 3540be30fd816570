//! What is measured: from when to when a stage of a message lasts, and how late webhooks come.

use std::collections::BTreeMap;
use std::time::Duration;

use dakghar_core::domain::message::{EvidenceStatus, Origin, UnknownOutcome};
use dakghar_core::domain::webhook::{InboundMessage, OtherPart, StatusReport, WebhookPart};
use dakghar_core::domain::{Tenant, Timestamp};

use crate::steps::{GRACE, MINUTE, REFUSED, SECOND, in_each_kind, number};
use crate::world::World;
use crate::world::meta::{Answer, Meta};
use crate::world::process::{Process, Setup};
use crate::world::wire::{Call, Fate};

const HOUR: Duration = Duration::from_secs(3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How often each series of a histogram was observed, and for how many seconds together; those that never were are not
/// there.
fn observed(process: &Process, name: &str) -> BTreeMap<String, (u64, f64)> {
    let text = process.exported();
    let of = |suffix: &str| -> BTreeMap<String, f64> {
        let start = format!("dakghar_{name}_seconds_{suffix}{{");
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(&start)?.split_once("} "));
        let value = |(label, value): (&str, &str)| {
            let label = label.split('"').nth(1).expect("a label");
            (label.to_owned(), value.parse().expect("a number"))
        };
        lines.map(value).collect()
    };
    let sums = of("sum");
    let counts = of("count").into_iter().filter(|(_, count)| *count > 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let with_sum = counts.map(|(label, count)| (label.clone(), (count as u64, sums[&label])));
    with_sum.collect()
}

fn stages(process: &Process) -> BTreeMap<String, (u64, f64)> {
    observed(process, "stage")
}

fn expect<const N: usize>(expected: [(&str, u64, f64); N]) -> BTreeMap<String, (u64, f64)> {
    expected
        .map(|(label, count, sum)| (label.to_owned(), (count, sum)))
        .into()
}

#[test]
fn each_stage_lasts_from_the_end_of_the_one_before() {
    in_each_kind(|world: &World| {
        let (process, _, _) = world.queued(UnknownOutcome::Fail);
        assert_eq!(stages(&process), expect([("stored", 1, 0.0)]));
        world.run_for(SECOND * 3);
        let claimed = world.claim(&process);
        world.run_for(SECOND * 2);
        let ended = world.call(&process, claimed);
        world.run_for(SECOND);
        world.record(&process, ended);
        let sent = [
            ("stored", 1, 0.0),
            ("due", 1, 0.0),
            ("claimed", 1, 3.0),
            ("called", 1, 2.0),
            ("answered", 1, 0.0),
            ("recorded", 1, 1.0),
        ];
        assert_eq!(stages(&process), expect(sent));

        // From the claim, and each once.
        world.run_for(SECOND * 5);
        let request = world.request();
        for (status, wait) in [
            (EvidenceStatus::Sent, 2),
            (EvidenceStatus::Sent, 0),
            (EvidenceStatus::Delivered, 10),
            (EvidenceStatus::Read, 0),
            (EvidenceStatus::Delivered, 0),
        ] {
            world.report(&process, &request, status);
            world.run_for(SECOND * wait);
        }
        let mut all = expect(sent);
        all.extend(expect([("sent", 1, 8.0), ("delivered", 1, 10.0)]));
        assert_eq!(stages(&process), all);
    });
}

#[test]
fn another_attempt_is_claimed_and_called_but_not_due_again() {
    in_each_kind(|world: &World| {
        let (process, _, _) = world.queued(UnknownOutcome::Resend);
        world.send_and(&process, Answer::AcceptsSilently);
        let first = world.request();
        world.reconcile_after(&process, GRACE);
        world.run_for(HOUR);
        world.send(&process);
        let seen = stages(&process);
        let counts: Vec<u64> = ["due", "claimed", "called", "answered", "recorded"]
            .map(|stage| seen[stage].0)
            .into();
        assert_eq!(counts, [1, 2, 2, 2, 2]);
        assert!(
            seen["due"].1 < 1.0,
            "the doubt and its grace are no wait for a slot: {seen:?}"
        );
        assert!(
            seen["claimed"].1 > 3_000.0,
            "nobody claimed it when it was due again: {seen:?}"
        );

        // A late report on the first call says nothing about the second.
        world.report(&process, &first, EvidenceStatus::Sent);
        assert!(!stages(&process).contains_key("sent"));
        let mut group = Meta::report(&world.request(), EvidenceStatus::Sent);
        group.participant = Some("919".into());
        group.raw = "of a group".into();
        world
            .receive(&process, vec![WebhookPart::Status(group)])
            .expect("received");
        assert!(!stages(&process).contains_key("sent"), "of one of many");
        world.report(&process, &world.request(), EvidenceStatus::Sent);
        assert_eq!(stages(&process)["sent"].0, 1);
    });
}

#[test]
fn a_hold_a_date_and_death_are_not_the_gateways_time() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        let jobs = world.take(&process);
        world.pause(&process, &tenant);
        assert_eq!(world.prepare_jobs(&process, jobs).sends.len(), 0);
        world.run_for(HOUR);
        world.resume(&process, &tenant).expect("resumed");
        world.reconcile(&process);
        world.send(&process);
        let quick = |what: &str, count: u64| {
            let seen = stages(&process);
            for stage in ["due", "claimed"] {
                let (found, sum) = seen[stage];
                assert!(found == count && sum < 5.0, "{what}: {stage} {seen:?}");
            }
        };
        quick("a hold", 1);

        let later = format!(r#","sendAt":"{}""#, world.now() + HOUR);
        world.accept_with(&process, &tenant.id, &later);
        world.run_for(HOUR);
        world.reconcile(&process);
        world.send(&process);
        quick("a date", 2);

        let refused = world.accept(&process, &tenant.id, "refused");
        world.send_and(&process, Answer::Refuses(REFUSED));
        world.run_for(HOUR);
        world.redrive(&process, refused, true).expect("redriven");
        world.send(&process);
        quick("death", 4);

        world.accept(&process, &tenant.id, "during a hold of all sending");
        let holder = process.clone();
        world.step(async move { holder.hold_all().await });
        world.run_for(HOUR);
        let holder = process.clone();
        world.step(async move { holder.release_all().await });
        world.reconcile(&process);
        world.send(&process);
        quick("a hold of all sending", 5);
    });
}

/// The one accepts with a clock that is an hour ahead, and the other sends.
#[test]
fn a_clock_that_was_ahead_makes_nothing_less_than_nothing() {
    in_each_kind(|world: &World| {
        let setup = Setup {
            works_by_itself: false,
            ..world.setup()
        };
        let ahead = Process::start_with_clock(world, setup, 3_600_000);
        let tenant = world.tenant(&ahead, UnknownOutcome::Fail);
        world.accept(&ahead, &tenant.id, "hello");
        world.end(&ahead);
        let process = world.idle_process();
        world.refill(&process);
        world.run_for(MINUTE * 2);
        while world.requests() == 0 {
            world.reconcile_after(&process, MINUTE);
            let prepared = world.prepare(&process);
            let claimed = world.claim_prepared(&process, prepared);
            for claimed in claimed {
                let ended = world.call(&process, claimed);
                world.record(&process, ended);
            }
        }
        let seen = stages(&process);
        assert_eq!(seen["due"].0, 1);
        assert!(seen.values().all(|(_, sum)| *sum < 3_600.0), "{seen:?}");
    });
}

/// A message, a report and an event of which Meta gives this time.
fn parts(world: &World, tenant: &Tenant, at: Option<Timestamp>, n: u32) -> Vec<WebhookPart> {
    let number = number(tenant);
    let message = InboundMessage {
        sent_at: at,
        ..Meta::inbound(&number, "919333333333", &format!("wamid.{n}"))
    };
    let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
    let report = StatusReport {
        reported_at: at,
        raw: format!("report {n}").into(),
        ..report
    };
    let news = OtherPart {
        told_at: at,
        ..Meta::news(&number, &format!("news {n}"))
    };
    vec![
        WebhookPart::Message(message),
        WebhookPart::Status(report),
        WebhookPart::Other(news),
    ]
}

#[test]
fn the_lag_of_a_webhook_is_within_nothing_and_a_week() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let all = |count: u64, sum: f64| expect(["message", "status", "other"].map(|kind| (kind, count, sum)));
        let receive = |parts: Vec<WebhookPart>| world.receive(&process, parts).expect("received");
        receive(parts(world, &tenant, Some(world.now() - SECOND * 10), 1));
        assert_eq!(observed(&process, "webhook_lag"), all(1, 10.0));
        receive(parts(world, &tenant, Some(world.now() + HOUR), 2));
        assert_eq!(observed(&process, "webhook_lag"), all(2, 10.0), "ahead of us");
        receive(parts(world, &tenant, Some(world.now() - WEEK * 100), 3));
        let week = WEEK.as_secs_f64();
        assert_eq!(observed(&process, "webhook_lag"), all(3, 10.0 + week));
        receive(parts(world, &tenant, None, 4));
        assert_eq!(
            observed(&process, "webhook_lag").get("other"),
            Some(&(3, 10.0 + week)),
            "no time was given"
        );
        let history = InboundMessage {
            origin: Origin::History,
            sent_at: Some(world.now() - HOUR),
            ..Meta::inbound(&number(&tenant), "919333333333", "wamid.old")
        };
        receive(vec![WebhookPart::Message(history)]);
        assert_eq!(
            observed(&process, "webhook_lag"),
            all(3, 10.0 + week),
            "not of the past"
        );

        // What was not stored comes again, and is later then.
        let at = world.now() - SECOND;
        let again = parts(world, &tenant, Some(at), 5);
        world.wire.script(Call::Receive, Fate::FailsBefore);
        world.receive(&process, again.clone()).expect_err("not stored");
        assert_eq!(observed(&process, "webhook_lag"), all(3, 10.0 + week));
        world.run_for(MINUTE);
        receive(again);
        assert_eq!(observed(&process, "webhook_lag"), all(4, 71.0 + week));
    });
}
