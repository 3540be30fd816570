use uuid::Uuid;

use super::*;
use crate::domain::ids::{MessageId, MessageKey, TenantId};
use crate::domain::message::Status;

fn number(digits: &str) -> PhoneNumberId {
    PhoneNumberId::parse(digits).expect("digits")
}

fn id(n: u128) -> RedriveId {
    RedriveId::from_uuid(Uuid::from_u128(n))
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn wanting(causes: &[Cause]) -> AutoRedriving {
    AutoRedriving {
        policy: Some(AutoRedrive {
            causes: causes.to_vec(),
            per_minute: 60,
            hours: 24,
            times: 1,
        }),
        ..AutoRedriving::default()
    }
}

fn letter(status: Status, reason: Option<DeadReason>, code: Option<i64>) -> DeadLetter {
    DeadLetter {
        key: MessageKey {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
            message_id: MessageId::from_uuid(Uuid::from_u128(2)),
        },
        phone_number_id: number("1"),
        status,
        reason,
        code,
        attempt: 1,
        maybe_sent: false,
        expires_at: None,
        ended_at: at(1),
    }
}

#[test]
fn only_what_can_end_is_a_cause() {
    let dead = |reason| Cause::of(&letter(Status::Dead, Some(reason), Some(131_000)));
    assert_eq!(dead(DeadReason::AttemptsExhausted), Some(Cause::Meta));
    assert_eq!(dead(DeadReason::NumberRemoved), Some(Cause::Number));
    assert_eq!(dead(DeadReason::OutcomeUnknown), None);
    assert_eq!(dead(DeadReason::Poison), None);
    let failed = |code| Cause::of(&letter(Status::Failed, None, code));
    assert_eq!(failed(Some(190)), Some(Cause::Token));
    assert_eq!(failed(Some(131_031)), Some(Cause::Account));
    assert_eq!(failed(Some(131_026)), None, "the person cannot be reached");
    assert_eq!(failed(None), None);
    assert_eq!(Cause::of(&letter(Status::Expired, None, None)), None);
}

#[test]
fn nothing_is_noted_that_is_not_wanted() {
    let mut off = AutoRedriving::default();
    assert!(!off.fails(&number("1")));
    off.works(&number("1"), id(1), at(1));
    off.ends(Cause::Token, &number("1"), id(2), at(2));
    assert_eq!(off, AutoRedriving::default());
    let mut tokens = wanting(&[Cause::Token]);
    assert!(!tokens.fails(&number("1")));
    tokens.ends(Cause::Account, &number("1"), id(3), at(3));
    assert_eq!(tokens, wanting(&[Cause::Token]));
}

#[test]
fn a_number_that_failed_ends_its_cause_once_when_it_works() {
    let mut auto = wanting(&[Cause::Meta]);
    assert!(auto.fails(&number("1")) && !auto.fails(&number("1")));
    auto.works(&number("2"), id(1), at(1));
    assert_eq!(auto.ended, []);
    auto.works(&number("1"), id(2), at(2));
    auto.works(&number("1"), id(3), at(3));
    assert_eq!(auto.ended.iter().map(|end| end.id).collect::<Vec<_>>(), [id(2)]);
    assert!(!auto.is_failing(&number("1")));
}

#[test]
fn of_many_ends_the_one_that_is_followed_and_the_latest_are_kept() {
    let mut auto = wanting(&[Cause::Token, Cause::Account]);
    for n in 1..=9 {
        auto.ends(Cause::Token, &number("1"), id(n), at(1));
    }
    auto.ends(Cause::Account, &number("1"), id(10), at(1));
    let kept = |auto: &AutoRedriving| auto.ended.iter().map(|end| end.id).collect::<Vec<_>>();
    assert_eq!(kept(&auto), [id(1), id(9), id(10)]);
    auto.set(wanting(&[Cause::Account]).policy);
    assert_eq!(kept(&auto), [id(10)]);
    auto.keep_numbers(|known| *known != number("1"));
    assert_eq!(kept(&auto), []);
}
