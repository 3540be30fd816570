//! Whom a text names, and how an erasure moves on.

use uuid::Uuid;

use super::*;

fn id(text: &str) -> WaId {
    WaId::parse(text).expect("printable")
}

fn person() -> PersonIds {
    PersonIds::new([id("US.12ab"), id("8801755512345"), id("77"), id("77")])
}

#[test]
fn a_person_is_named_by_a_whole_id_only() {
    let named = [
        "8801755512345",
        "+8801755512345",
        r#"{"from":"8801755512345"}"#,
        "to (8801755512345), again",
        r#""wa_id":"+8801755512345","#,
        r#"{"user_id":"US.12ab"}"#,
        "ü8801755512345x 8801755512345",
        r#"["77"]"#,
        r#"["+77"]"#,
        r#"{"body":"call me:\n8801755512345"}"#,
        r#"{"body":"\t8801755512345\r"}"#,
        r#"{"id":"\u0038\u003801755512345"}"#,
        r#"{"from":"+880 1755-512345"}"#,
        r#"{"from":"+88 (017) 555.12345, or 5"}"#,
        "{\"from\":\"880\u{a0}1755\u{a0}512345\"}",
        "{\"from\":\"880\u{2009}1755\u{2013}512345\"}",
        r#"{"body":"on 24 880 1755 512345"}"#,
    ];
    for text in named {
        assert!(person().are_named_in(text), "{text}");
    }
    let others = [
        "",
        "18801755512345",
        "88017555123456",
        "a8801755512345",
        "8801755512345b",
        "8801755512345ঢ",
        "880175551234",
        "US.12abc",
        "7US.12ab",
        // Too short to be told from anything else, unless it is a text by itself.
        r#"{"n":77}"#,
        "77",
        r#""a77""#,
        r#"{"time":"177"}"#,
        r#"{"body":"\"77\""}"#,
        r#"{"body":"\u00618801755512345"}"#,
        r#"{"body":"1880 1755 512345"}"#,
        r#"{"body":"880 1755 5123456"}"#,
        r#"{"body":"880 1755, 512345"}"#,
    ];
    for text in others {
        assert!(!person().are_named_in(text), "{text}");
    }
    assert!(person().has("+8801755512345") && person().has("US.12ab"));
    assert!(!person().has("8801755512346") && !person().has(""));
}

#[test]
fn ids_come_back_from_their_text_and_are_not_told_to_logs() {
    assert_eq!(person().ids().len(), 3);
    assert_eq!(PersonIds::parse(&person().to_text()), Some(person()));
    assert_eq!(PersonIds::parse(""), None);
    assert!(!format!("{:?}", person()).contains("880"));
}

fn erasure(with_unrouted: bool) -> PersonErasure {
    let tenant_id = TenantId::from_uuid(Uuid::from_u128(1));
    let id = ErasureId::from_uuid(Uuid::from_u128(2));
    PersonErasure::new(id, tenant_id, vec![1], with_unrouted, Timestamp::from_millis(0))
}

fn done(erased: u64, next: Option<&str>, cancelled: u64, waiting: u64) -> PortionDone {
    PortionDone {
        erased,
        next: next.map(str::to_owned),
        cancelled,
        waiting,
    }
}

#[test]
fn every_place_is_looked_through_once_and_then_nobody_is_named() {
    for (with_unrouted, count) in [(false, 7), (true, 8)] {
        let mut erasure = erasure(with_unrouted);
        let mut places = Vec::new();
        while erasure.is_open() {
            assert!(erasure.sealed_person.is_some());
            places.push(erasure.place);
            assert!(!erasure.take(done(1, Some("further"), 0, 0), Timestamp::from_millis(3)));
            assert_eq!(erasure.from.as_deref(), Some("further"));
            assert!(!erasure.take(done(2, None, 0, 0), Timestamp::from_millis(5)));
        }
        assert_eq!(places.len(), count);
        assert_eq!(places.contains(&ErasurePlace::Unrouted), with_unrouted);
        assert!(places.iter().all(|place| erasure.counts.of(*place) == 3));
        assert_eq!(
            (erasure.sealed_person, erasure.ended_at),
            (None, Some(Timestamp::from_millis(5)))
        );
    }
}

#[test]
fn messages_that_are_on_their_way_or_cancelled_are_walked_again() {
    let now = Timestamp::from_millis(1);
    let mut erasure = erasure(false);
    assert!(
        !erasure.take(done(4, Some("further"), 1, 2), now),
        "first the walk goes on"
    );
    assert!(erasure.take(done(1, None, 1, 0), now), "two are on their way");
    assert_eq!(
        (erasure.place, erasure.cancelled, erasure.waiting),
        (ErasurePlace::Messages, 2, 2)
    );
    assert!(
        !erasure.take(done(2, None, 1, 0), now),
        "what was cancelled is deleted at once"
    );
    assert_eq!((erasure.place, erasure.waiting), (ErasurePlace::Messages, 0));
    erasure.take(done(1, None, 0, 0), now);
    assert_eq!(erasure.place, ErasurePlace::GroupMessages);
    assert_eq!((erasure.counts.of(ErasurePlace::Messages), erasure.cancelled), (8, 3));
}

#[test]
fn another_process_leaves_it_alone_for_the_time_of_a_lease() {
    let now = Timestamp::from_millis(1_000_000);
    let mut erasure = erasure(false);
    erasure.keep_for(&"one".into(), now);
    assert!(erasure.is_held_by_other("two", now) && !erasure.is_held_by_other("one", now));
    assert!(!erasure.is_held_by_other("two", now + ERASURE_LEASE));
    assert!(
        !erasure.is_held_by_other("two", now - Duration::from_secs(60)),
        "by a clock that was wrong"
    );
}
