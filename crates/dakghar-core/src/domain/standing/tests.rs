use std::collections::BTreeSet;

use super::*;
use crate::domain::auto_redrive::AutoRedriving;
use crate::domain::hold::{Hold, HoldReason};
use crate::domain::ids::{AppId, PhoneNumberId, TenantId, WabaId};
use crate::domain::limits::TenantLimits;
use crate::domain::message::UnknownOutcome;
use crate::domain::sending_rules::SendingRules;
use crate::domain::signup::Subscription;
use crate::domain::tenant::{PhoneNumber, Tenant};
use crate::domain::time::Present;
use uuid::Uuid;

const HOUR: i64 = 3_600_000;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * HOUR)
}

fn present(hours: i64) -> Present {
    Present::from(at(hours))
}

fn number() -> PhoneNumber {
    PhoneNumber {
        phone_number_id: PhoneNumberId::parse("501").expect("digits"),
        waba_id: None,
        waba_is_learned: false,
        display_phone_number: None,
        default_country: None,
        sealed_token: Vec::new(),
        simulated: false,
        messages_per_second: 80,
        hold: None,
        token_refusals: 0,
        token: None,
        sealed_pin: None,
        standing: Standing::default(),
    }
}

fn tenant(number: PhoneNumber) -> Tenant {
    Tenant {
        id: TenantId::from_uuid(Uuid::from_u128(1)),
        name: "Dhaka Books".to_owned(),
        callback_url: None,
        keys: Vec::new(),
        wrapped_data_key: Vec::new(),
        hold: None,
        unknown_outcome: UnknownOutcome::Auto,
        phone_numbers: vec![number],
        past_numbers: Vec::new(),
        limits: TenantLimits::default(),
        auto: AutoRedriving::default(),
        rules: SendingRules::default(),
        leaving: None,
        created_at: at(0),
        updated_at: at(0),
        removed_at: None,
        version: 7,
    }
}

fn sound() -> Seen {
    Seen {
        number: SeenNumber {
            name: Some("Books".into()),
            name_status: Some("APPROVED".into()),
            status: Some("CONNECTED".into()),
            quality: Some("GREEN".into()),
            messaging_limit: Some("TIER_250".into()),
            throughput: Some("STANDARD".into()),
            is_on_app: Some(false),
            has_pin: Some(true),
            mode: Some("LIVE".into()),
            health: Some("AVAILABLE".into()),
            ..SeenNumber::default()
        },
        review: Some("APPROVED".into()),
        webhooks: Some(WebhooksGo::Here),
        ..Seen::default()
    }
}

fn with(change: impl FnOnce(&mut Seen)) -> Seen {
    let mut seen = sound();
    change(&mut seen);
    seen
}

/// The number after a check, and the changes that it tells of.
fn check(before: &PhoneNumber, seen: Seen, hours: i64) -> (PhoneNumber, Vec<(Drift, Option<String>, String)>) {
    let mut after = before.clone();
    after.take_seen(seen, present(hours));
    let told = NumberTold::of_change(&tenant(before.clone()), &tenant(after.clone()));
    let changes = told.iter().flat_map(|told| told.changes().to_vec());
    let changes = changes.map(|change| {
        let before = change.before.as_deref().map(str::to_owned);
        (change.drift, before, change.after.to_string())
    });
    (after, changes.collect())
}

fn news(kind: NewsKind, event: &str) -> AccountNews {
    AccountNews {
        kind,
        event: event.into(),
        app: None,
    }
}

/// A kind of drift: how it was, how it is, and what Meta says then.
type Row = (Drift, &'static str, &'static str, Seen);

fn drifts() -> Vec<Row> {
    let row = |drift, before, after, change: fn(&mut Seen)| (drift, before, after, with(change));
    vec![
        row(Drift::Name, "Books", "Boats", |seen| {
            seen.number.name = Some("Boats".into());
        }),
        row(Drift::NameStatus, "APPROVED", "DECLINED", |seen| {
            seen.number.name_status = Some("DECLINED".into());
        }),
        row(Drift::Status, "CONNECTED", "FLAGGED", |seen| {
            seen.number.status = Some("FLAGGED".into());
        }),
        row(Drift::Quality, "GREEN", "RED", |seen| {
            seen.number.quality = Some("RED".into());
        }),
        row(Drift::MessagingLimit, "TIER_250", "TIER_2K", |seen| {
            seen.number.messaging_limit = Some("TIER_2K".into());
        }),
        row(Drift::Throughput, "STANDARD", "HIGH", |seen| {
            seen.number.throughput = Some("HIGH".into());
        }),
        row(Drift::Pin, "set", "not set", |seen| seen.number.has_pin = Some(false)),
        row(Drift::AccountMode, "LIVE", "SANDBOX", |seen| {
            seen.number.mode = Some("SANDBOX".into());
        }),
        row(Drift::Health, "AVAILABLE", "LIMITED", |seen| {
            seen.number.health = Some("LIMITED".into());
        }),
        row(Drift::AccountReview, "APPROVED", "REJECTED", |seen| {
            seen.review = Some("REJECTED".into());
        }),
        row(Drift::Subscription, "subscribed", "lost", |seen| {
            seen.webhooks = Some(WebhooksGo::Nowhere);
        }),
    ]
}

#[test]
fn each_kind_of_drift_is_told_once_with_what_was_before() {
    let (known, told) = check(&number(), sound(), 1);
    assert_eq!(told, [], "a number that is as it should be is no news");
    for (drift, before, after, seen) in drifts() {
        let (drifted, told) = check(&known, seen.clone(), 7);
        assert_eq!(told, [(drift, Some(before.to_owned()), after.to_owned())]);
        let (still, told) = check(&drifted, seen, 13);
        assert_eq!(told, [], "{drift:?} is told once");
        let (_, told) = check(&still, sound(), 19);
        assert_eq!(
            told,
            [(drift, Some(after.to_owned()), before.to_owned())],
            "and when it is over"
        );
    }
}

#[test]
fn at_the_first_look_only_what_somebody_should_see_to_is_told() {
    let seen = with(|seen| {
        seen.number.quality = Some("RED".into());
        seen.number.messaging_limit = Some("TIER_UNLIMITED".into());
        seen.webhooks = Some(WebhooksGo::Elsewhere);
        seen.webhook_url = Some("https://others.example".into());
    });
    let (after, told) = check(&number(), seen, 1);
    assert_eq!(
        told,
        [
            (Drift::Quality, None, "RED".to_owned()),
            (Drift::Subscription, None, "overridden".to_owned()),
        ]
    );
    let concerns: Vec<Drift> = after.concerns().iter().map(|concern| concern.drift).collect();
    assert_eq!(concerns, [Drift::Quality, Drift::Subscription]);
    let (_, told) = check(
        &after,
        Seen {
            webhook_url: Some("https://third.example".into()),
            ..after.standing.seen.clone().expect("seen")
        },
        7,
    );
    let (before, now) = ("https://others.example".to_owned(), "https://third.example".to_owned());
    assert_eq!(told, [(Drift::WebhookUrl, Some(before), now)]);
}

#[test]
fn what_meta_does_not_say_is_no_difference() {
    let (known, _) = check(&number(), sound(), 1);
    let (after, told) = check(&known, Seen::default(), 7);
    assert_eq!(told, []);
    let seen = after.standing.seen.expect("seen");
    assert_eq!(seen.number.quality.as_deref(), Some("GREEN"));
    assert_eq!((seen.webhooks, seen.number.health), (Some(WebhooksGo::Here), None));
}

#[test]
fn a_number_that_cannot_send_is_held_once_and_goes_on_when_meta_says_so() {
    let stops: [fn(&mut Seen); 4] = [
        |seen| seen.number.status = Some("BANNED".into()),
        |seen| seen.number.status = Some("restricted".into()),
        |seen| seen.number.health = Some("BLOCKED".into()),
        |seen| {
            seen.refused = Some(Refused {
                code: 100,
                subcode: Some(33),
            });
        },
    ];
    for stop in stops {
        let (mut known, _) = check(&number(), sound(), 1);
        assert!(!known.take_seen(with(stop), present(7)));
        let hold = known.hold.expect("held");
        assert_eq!((hold.reason, hold.since), (HoldReason::AccountRestricted, at(7)));
        assert_eq!(known.concerns().len(), 1, "{:?}", known.concerns());

        // A message that went out has shown that it can send after all, and Meta says the same as before.
        known.hold = None;
        assert!(!known.take_seen(with(stop), present(13)));
        assert_eq!(known.hold, None);

        known.hold = Some(hold);
        assert!(known.take_seen(sound(), present(19)));
        assert_eq!(known.hold, None);
    }
}

#[test]
fn a_hold_of_another_kind_stays() {
    let paused = Hold {
        reason: HoldReason::Paused,
        since: at(0),
        probe_at: None,
    };
    let mut known = number();
    known.hold = Some(paused);
    known.take_seen(with(|seen| seen.number.status = Some("BANNED".into())), present(1));
    assert_eq!(known.hold, Some(paused));
    assert!(!known.take_seen(sound(), present(7)));
    assert_eq!(known.hold, Some(paused));
}

#[test]
fn a_refusal_that_is_not_of_the_account_holds_nothing_and_keeps_what_was_seen() {
    let (known, _) = check(&number(), sound(), 1);
    let refused = Seen {
        refused: Some(Refused {
            code: 200,
            subcode: None,
        }),
        ..Seen::default()
    };
    let (after, told) = check(&known, refused, 7);
    assert_eq!(
        told,
        [(Drift::Access, Some("granted".to_owned()), "refused with 200".to_owned())]
    );
    assert_eq!(after.hold, None);
    assert_eq!(after.standing.seen.expect("seen").number, sound().number);
}

#[test]
fn the_pace_and_the_account_are_learned() {
    let high = with(|seen| seen.number.throughput = Some("HIGH".into()));
    let on_app = with(|seen| seen.number.is_on_app = Some(true));
    let pace_after = |configured: u32, looks: &[&Seen]| {
        let mut known = number();
        known.messages_per_second = configured;
        for (look, hours) in looks.iter().zip(1..) {
            known.take_seen(Seen::clone(look), present(hours));
        }
        known.messages_per_second
    };
    let sound = sound();
    assert_eq!(pace_after(80, &[&high]), 1_000);
    assert_eq!(pace_after(80, &[&on_app]), 20);
    assert_eq!(pace_after(500, &[&sound]), 80, "more than Meta allows");
    assert_eq!(pace_after(10, &[&sound]), 10, "a choice");
    assert_eq!(pace_after(10, &[&sound, &high]), 1_000);
    assert_eq!(pace_after(80, &[&high, &sound]), 80);
    assert_eq!(pace_after(80, &[&high, &Seen::default()]), 1_000, "Meta did not say");

    let account = |id: &str| WabaId::parse(id).expect("digits");
    let mut known = number();
    known.waba_id = Some(account("7"));
    let seen = with(|seen| seen.number.waba_id = WabaId::parse("8").ok());
    let (after, told) = check(&known, seen, 1);
    assert_eq!(told, [(Drift::Account, Some("7".to_owned()), "8".to_owned())]);
    assert_eq!((after.waba_id, after.waba_is_learned), (Some(account("8")), true));
}

#[test]
fn an_event_that_stops_an_account_holds_at_once_until_another_one_and_a_check_end_it() {
    let mut known = number();
    known.take_seen(sound(), present(1));
    let disabled = news(NewsKind::Stops, "DISABLED_UPDATE");
    assert!(known.take_news(&disabled, Some(at(2)), present(2)));
    assert_eq!(known.hold.map(|hold| hold.reason), Some(HoldReason::AccountRestricted));
    assert!(!known.take_news(&disabled, Some(at(2)), present(2)), "Meta posts twice");
    assert_eq!(known.concerns()[0].drift, Drift::AccountEvent);

    // The check is a moment behind the event, and Meta has not noticed yet.
    known.take_seen(sound(), present(2));
    assert!(known.hold.is_some());

    let restored = news(NewsKind::Restores, "DISABLED_UPDATE");
    known.take_news(&restored, Some(at(1)), present(3));
    let stop = known.standing.stop.as_ref().expect("a stop");
    assert!(!stop.is_over, "the event is older than the stop");
    assert!(known.take_news(&restored, Some(at(3)), present(3)));
    assert!(known.hold.is_some() && known.standing.is_asked, "after a check");
    assert!(known.take_seen(sound(), present(4)));
    assert_eq!((known.hold, known.standing.stop), (None, None));
}

#[test]
fn a_stop_that_is_not_newer_than_the_last_word_says_nothing() {
    let minute = |minutes: i64| Timestamp::from_millis(10 * HOUR + minutes * 60_000);
    let now = |minutes: i64| Present::from(minute(minutes));
    let (stops, restores) = (
        news(NewsKind::Stops, "DISABLED_UPDATE"),
        news(NewsKind::Restores, "DISABLED_UPDATE"),
    );
    let mut known = number();
    known.take_seen(sound(), present(1));

    // In order, and the stop again.
    assert!(known.take_news(&stops, Some(minute(0)), now(1)));
    assert!(known.take_news(&restores, Some(minute(5)), now(5)));
    assert!(!known.take_news(&stops, Some(minute(0)), now(6)), "before the check");
    assert!(known.take_seen(sound(), now(7)));
    for again in [minute(0), minute(5)] {
        assert!(!known.take_news(&stops, Some(again), now(8)), "after the check");
    }
    assert!(!known.take_news(&restores, Some(minute(5)), now(20)));
    assert_eq!((known.hold, &known.standing.stop), (None, &None));

    // The end comes first.
    assert!(known.take_news(&restores, Some(minute(30)), now(30)));
    assert!(!known.take_news(&stops, Some(minute(25)), now(31)));
    assert_eq!(known.hold, None);

    // What is newer counts, and so does what has no date.
    assert!(known.take_news(&stops, Some(minute(35)), now(35)));
    assert!(known.hold.is_some());
    assert!(known.take_news(&restores, Some(minute(36)), now(36)));
    assert!(known.take_seen(sound(), now(37)));
    assert!(known.take_news(&stops, None, now(38)));
    assert!(known.hold.is_some());
}

#[test]
fn an_end_a_moment_after_a_check_asks_for_another_one() {
    let mut known = number();
    known.take_news(&news(NewsKind::Stops, "DISABLED_UPDATE"), Some(at(2)), present(2));
    known.take_seen(sound(), present(2));
    assert!(known.hold.is_some() && !known.standing.is_asked);
    let soon = Present::from(at(2) + ASKED_EVERY / 2);
    assert!(known.take_news(&news(NewsKind::Restores, "DISABLED_UPDATE"), Some(soon.wall), soon));
    assert!(known.standing.is_asked);
}

#[test]
fn a_later_stop_outlasts_an_end_that_is_older_and_is_believed_for_an_hour_of_its_own() {
    let minute = |minutes: i64| Timestamp::from_millis(10 * HOUR + minutes * 60_000);
    let now = |minutes: i64| Present::from(minute(minutes));
    let mut known = number();
    known.take_seen(sound(), present(1));
    known.take_news(&news(NewsKind::Stops, "DISABLED_UPDATE"), Some(minute(0)), now(0));
    assert!(known.take_news(&news(NewsKind::Stops, "ACCOUNT_OFFBOARDED"), Some(minute(30)), now(30)));
    assert!(!known.take_news(&news(NewsKind::Restores, "DISABLED_UPDATE"), Some(minute(20)), now(31)));
    known.take_seen(sound(), now(70));
    assert!(known.hold.is_some());
    assert!(known.take_seen(sound(), now(90)));
    assert_eq!((known.hold, known.standing.stop), (None, None));
}

#[test]
fn of_a_number_of_an_earlier_release_the_date_of_its_stop_counts() {
    let mut known = number();
    known.standing.stop = Some(AccountStop {
        event: "DISABLED_UPDATE".into(),
        since: at(2),
        is_over: true,
    });
    assert!(!known.take_news(&news(NewsKind::Stops, "DISABLED_UPDATE"), Some(at(2)), present(2)));
    assert!(known.standing.stop.is_some_and(|stop| stop.is_over));
}

#[test]
fn the_end_of_the_app_is_told_and_a_stop_of_its_number_asks_for_a_look() {
    let mut known = number();
    known.standing = Standing::of_connected(true);
    assert!(known.is_on_app() && known.standing.is_asked);
    let (mut known, told) = check(&known, with(|seen| seen.number.is_on_app = Some(true)), 1);
    assert_eq!(told, [], "as the signup saw it");
    assert!(known.take_news(&news(NewsKind::Stops, "PARTNER_REMOVED"), None, present(2)));
    assert!(known.hold.is_some() && known.standing.is_asked);
    let (after, told) = check(&known, sound(), 2);
    let app = |before: &str, after: &str| (Some(before.to_owned()), after.to_owned());
    let told: [(Drift, Option<String>, String); 2] = told.try_into().expect("two");
    let [(Drift::BusinessApp, was, is), (Drift::Throughput, from, to)] = told else {
        panic!("other kinds")
    };
    assert_eq!((was, is), app("connected", "not connected"));
    assert_eq!((from, to), app("WhatsApp Business app", "STANDARD"));
    assert!(!after.is_on_app());
    assert_eq!(after.messages_per_second, 80);
}

#[test]
fn a_check_keeps_the_history() {
    let mut known = number();
    let wave = Wave {
        phase: Some(0),
        chunk: Some(1),
        progress: Some(10),
        messages: 5,
        is_declined: false,
    };
    assert!(known.take_waves(&[wave], at(1)));
    assert!(!known.take_waves(&[wave], at(2)), "Meta posts twice");
    known.take_seen(sound(), present(3));
    assert_eq!(known.standing.history.map(|history| history.messages), Some(5));
}

#[test]
fn a_stop_is_disproved_by_meta_after_a_while_and_an_old_event_only_asks_for_a_look() {
    let mut known = number();
    known.take_seen(sound(), present(1));
    known.take_news(&news(NewsKind::Stops, "PARTNER_REMOVED"), None, present(2));
    assert!(known.take_seen(sound(), present(4)));
    assert_eq!(known.hold, None);

    let old = news(NewsKind::Stops, "PARTNER_REMOVED");
    assert!(known.take_news(&old, Some(at(2)), present(30)));
    assert_eq!((known.hold, known.standing.is_asked), (None, true));
    assert!(!known.take_news(&old, Some(at(2)), present(30)));
}

#[test]
fn a_number_is_due_once_in_the_time_and_numbers_are_spread_over_it() {
    let pace = Pace {
        every: CHECKED_EVERY,
        begins: at(0),
    };
    let minutes = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
    let mut moments = BTreeSet::new();
    for tenant in 0..200_u64 {
        let mark = tenant.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut standing = Standing::default();
        let mut checks = Vec::new();
        for minute in 1..=24 * 60 {
            if standing.is_due(minutes(minute), pace, mark) {
                standing.checked_at = Some(minutes(minute));
                checks.push(minute);
            }
        }
        assert_eq!(checks.len(), 4, "{checks:?}");
        assert!(checks.windows(2).all(|two| two[1] - two[0] == 360), "{checks:?}");
        moments.insert(checks[0]);
    }
    assert!(moments.len() > 120, "{moments:?}");
    assert!(moments.iter().any(|minute| *minute < 60) && moments.iter().any(|minute| *minute > 300));
}

#[test]
fn a_number_that_somebody_has_taken_rests_and_one_that_is_asked_for_does_not_wait() {
    let pace = Pace {
        every: CHECKED_EVERY,
        begins: at(0),
    };
    let mut standing = Standing::default();
    assert!(standing.is_due(at(7), pace, 0));
    standing.rest_from(at(7));
    assert!(!standing.is_due(at(7) + Duration::from_mins(9), pace, 0));
    assert!(standing.is_due(at(7) + CHECK_LEASE, pace, 0));
    standing.rests_until = Some(at(100));
    assert!(standing.is_due(at(7), pace, 0), "a clock was ahead");

    let checked = Standing {
        checked_at: Some(at(7)),
        ..Standing::default()
    };
    assert!(!checked.is_due(at(7), pace, 0));
    let asked = Standing {
        is_asked: true,
        ..checked
    };
    assert!(asked.is_due(at(7), pace, 0));
}

#[test]
fn a_stopped_number_that_is_asked_for_is_the_most_urgent_one() {
    let pace = Pace {
        every: CHECKED_EVERY,
        begins: at(0),
    };
    let of = |standing: &Standing| standing.urgency(at(20), pace, 0);
    let checked = |hours| Standing {
        checked_at: Some(at(hours)),
        ..Standing::default()
    };
    assert_eq!((of(&checked(20)), of(&checked(1))), (None, Some(Urgency::Due)));
    assert_eq!(of(&Standing::of_new(false)), Some(Urgency::New));
    let before = checked(20);
    let mut asked = before.clone();
    asked.is_asked = true;
    assert_eq!(of(&asked), Some(Urgency::Asked));
    assert!(asked.is_asked_since(&before) && !asked.is_asked_since(&asked));
    let mut stopped = asked.clone();
    stopped.stop = Some(AccountStop {
        event: "DISABLED_UPDATE".into(),
        since: at(19),
        is_over: true,
    });
    assert_eq!(of(&stopped), Some(Urgency::Stopped));
    assert!(stopped.is_asked_since(&asked));
    assert!(Urgency::ALL.is_sorted());
}

#[test]
fn webhooks_go_here_elsewhere_or_nowhere() {
    let app = |id: &str| AppId::parse(id).expect("digits");
    let subscribed = |id: &str, url: Option<&str>| Subscription {
        app_id: app(id),
        override_url: url.map(Into::into),
    };
    let own: [Arc<str>; 1] = ["https://own.example/hook".into()];
    let ours = [app("1")];
    let of = |subscriptions: &[Subscription], of_number: Option<&str>| {
        let of_number = of_number.map(Arc::from);
        let (go, url) = webhooks_of(subscriptions, of_number.as_ref(), &ours, &own);
        (go, url.as_deref().map(str::to_owned))
    };
    let elsewhere = |url: &str| (Some(WebhooksGo::Elsewhere), Some(url.to_owned()));
    assert_eq!(
        of(&[subscribed("2", None), subscribed("1", None)], None),
        (Some(WebhooksGo::Here), None)
    );
    assert_eq!(
        of(&[subscribed("1", Some(&*own[0]))], None),
        (Some(WebhooksGo::Here), None)
    );
    // The app's own URL is below ours; at that of another app what it posts is refused.
    let below = |id: &str| format!("{}/{id}", own[0]);
    assert_eq!(
        of(&[subscribed("1", Some(&below("1")))], None),
        (Some(WebhooksGo::Here), None)
    );
    for other in [below("2"), below("1/2"), below(""), format!("{}1", own[0])] {
        assert_eq!(of(&[subscribed("1", Some(&other))], None), elsewhere(&other));
    }
    assert_eq!(of(&[subscribed("1", Some("https://b"))], None), elsewhere("https://b"));
    assert_eq!(of(&[subscribed("1", None)], Some("https://c")), elsewhere("https://c"));
    assert_eq!(of(&[subscribed("2", None)], None), (Some(WebhooksGo::Nowhere), None));
    assert_eq!(webhooks_of(&[], None, &[], &own), (Some(WebhooksGo::Nowhere), None));
    assert_eq!(webhooks_of(&[subscribed("2", None)], None, &[], &own), (None, None));
}

#[test]
fn the_event_names_each_change_and_is_one_of_its_own() {
    let (known, _) = check(&number(), sound(), 1);
    let mut after = known.clone();
    let red = with(|seen| {
        seen.number.quality = Some("RED".into());
        seen.number.name = Some("Boats".into());
    });
    after.take_seen(red, present(7));
    let told = NumberTold::of_change(&tenant(known), &tenant(after));
    let [told] = told.as_slice() else { panic!("{told:?}") };
    let event = told.event(crate::domain::ids::EventId::from_uuid(Uuid::from_u128(9)), at(7));
    assert_eq!((&*event.field, event.reason.as_str()), ("number.changed", "number"));
    let said: serde_json::Value = serde_json::from_str(&event.raw).expect("JSON");
    assert_eq!(said["phoneNumberId"], "501");
    assert_eq!(said["changes"][0]["kind"], "name");
    assert_eq!(said["changes"][0]["advice"], serde_json::Value::Null);
    assert_eq!(said["changes"][1]["before"], "GREEN");
    assert_eq!(said["changes"][1]["after"], "RED");
    assert!(said["changes"][1]["advice"].is_string() && event.problem.is_some());
}
