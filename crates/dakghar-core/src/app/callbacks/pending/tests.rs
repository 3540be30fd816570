use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::domain::callback::WAITING_LINES_MAX;
use crate::domain::feed::{EntryKind, FeedEntry, PlacedEntry, Subject};
use crate::domain::{ConversationId, EndpointId, EventId, TenantId};

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn at(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn exception(place: u64, conversation: Option<u128>, state: ExceptionState) -> CallbackException {
    let entry = FeedEntry {
        tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
        kind: EntryKind::parse("message.received").expect("a kind"),
        subject: Subject::Event(EventId::from_uuid(Uuid::from_u128(2))),
        phone_number_id: None,
        at: NOW,
        reported_at: None,
    };
    CallbackException {
        endpoint_id: EndpointId::from_uuid(Uuid::from_u128(3)),
        placed: PlacedEntry {
            place: Place::new(place),
            entry,
        },
        conversation_id: conversation.map(|id| ConversationId::from_uuid(Uuid::from_u128(id))),
        state,
        attempts: 1,
        since: NOW,
        last: None,
        is_replay: false,
    }
}

fn retrying(place: u64, conversation: Option<u128>, seconds: u64) -> CallbackException {
    exception(place, conversation, ExceptionState::Retrying(at(seconds)))
}

fn take(pending: &mut Pending, seconds: u64) -> Vec<u64> {
    let places = pending.take_due(at(seconds), 10);
    places.into_iter().map(Place::number).collect()
}

#[test]
fn those_that_are_due_are_taken_once_in_the_order_of_their_times() {
    let mut pending = Pending::default();
    for (place, seconds) in [(1, 30), (2, 10), (3, 20)] {
        pending.note(&retrying(place, None, seconds), NOW);
    }
    assert_eq!(pending.next_at(), Some(at(10)));
    assert_eq!(take(&mut pending, 20), [2, 3]);
    assert_eq!(take(&mut pending, 25), [] as [u64; 0]);
    pending.note(&retrying(2, None, 60), at(20));
    pending.remove(Place::new(3), at(20));
    assert_eq!((take(&mut pending, 60), pending.len()), (vec![1, 2], 2));
    pending.put_back(Place::new(1), at(70));
    assert_eq!((take(&mut pending, 69), take(&mut pending, 70)), (vec![], vec![1]));
}

#[test]
fn only_the_first_of_a_conversation_is_tried() {
    let mut pending = Pending::default();
    pending.note(&exception(5, Some(1), ExceptionState::Behind), NOW);
    pending.note(&retrying(4, Some(1), 10), NOW);
    pending.note(&exception(6, Some(1), ExceptionState::Behind), NOW);
    pending.note(&retrying(7, Some(2), 1), NOW);
    let first = (ConversationId::from_uuid(Uuid::from_u128(1)), false);
    assert!(pending.holds_back(&first));
    assert_eq!(take(&mut pending, 100), [7, 4]);
    assert_eq!(take(&mut pending, 100), [] as [u64; 0], "the first is under way");
    pending.note(&retrying(4, Some(1), 200), at(100));
    assert_eq!(take(&mut pending, 150), [] as [u64; 0]);
    assert_eq!(take(&mut pending, 200), [4]);
    pending.remove(Place::new(4), at(200));
    assert_eq!(take(&mut pending, 200), [5]);
    pending.note(&exception(5, Some(1), ExceptionState::Dead), at(200));
    assert_eq!(take(&mut pending, 200), [6]);
    pending.remove(Place::new(6), at(200));
    assert!(!pending.holds_back(&first));
}

#[test]
fn what_is_called_up_is_tried_at_once_unless_another_is_in_its_way() {
    let mut pending = Pending::default();
    pending.note(&retrying(1, None, 500), NOW);
    pending.note(&retrying(4, Some(1), 500), NOW);
    pending.note(&retrying(5, Some(1), 400), NOW);
    for place in [1, 5, 9] {
        pending.call_up(Place::new(place), at(10));
    }
    assert_eq!(take(&mut pending, 10), [1], "5 waits for 4");
    pending.call_up(Place::new(1), at(11));
    assert_eq!(take(&mut pending, 11), [] as [u64; 0], "it is under way");
    assert!(pending.is_called_up(Place::new(1)) && !pending.is_called_up(Place::new(5)));
    pending.note(&retrying(1, None, 1_800), at(12));
    assert!(!pending.is_called_up(Place::new(1)), "once");
    pending.call_up(Place::new(4), at(13));
    assert_eq!(take(&mut pending, 1_799), [4]);
}

#[test]
fn what_is_replayed_stands_in_a_line_of_its_own() {
    let mut pending = Pending::default();
    let replayed = CallbackException {
        is_replay: true,
        ..retrying(1, Some(1), 500)
    };
    pending.note(&replayed, NOW);
    pending.note(&retrying(4, Some(1), 20), NOW);
    pending.note(&replayed, NOW);
    assert_eq!((pending.len(), pending.replayed()), (2, 1));
    let line = ConversationId::from_uuid(Uuid::from_u128(1));
    assert!(pending.holds_back(&(line, true)) && pending.holds_back(&(line, false)));
    assert_eq!(take(&mut pending, 20), [4]);
    pending.remove(Place::new(4), at(20));
    assert!(pending.holds_back(&(line, true)) && !pending.holds_back(&(line, false)));
    pending.remove(Place::new(1), at(20));
    assert_eq!(pending.replayed(), 0);
}

#[test]
fn what_comes_behind_so_many_waits_together_and_holds_its_conversation_back() {
    let mut pending = Pending::default();
    let conversation = |n: u128| ConversationId::from_uuid(Uuid::from_u128(n));
    let line = (conversation(1), false);
    pending.note(&retrying(1, Some(1), 10), NOW);
    for place in 2..40 {
        let joins = pending.join(&line, Place::new(place));
        assert_eq!(joins, place > 33, "{place}");
        if !joins {
            pending.note(&exception(place, Some(1), ExceptionState::Behind), NOW);
        }
    }
    assert_eq!((pending.len(), pending.lines_span()), (33, None));
    assert!(
        !pending.join(&(conversation(1), true), Place::new(40)),
        "replays do not"
    );
    for place in 1..=33 {
        pending.remove(Place::new(place), NOW);
    }
    assert!(pending.holds_back(&line) && !pending.holds_back(&(conversation(1), true)));
    assert_eq!(pending.lines_span(), Some((Place::new(33), Place::new(39))));
    assert_eq!(pending.waiting_together(), 6);
    for place in [34, 35] {
        assert!(pending.take_out(conversation(1), Place::new(place), Place::new(33)));
    }
    let saved = pending.waiting_lines(Place::new(39));
    assert_eq!((saved[0].after, pending.waiting_together()), (Place::new(35), 4));

    // Behind its place an endpoint reads again.
    let mut other = Pending::default();
    other.take_up(&saved, Place::new(37));
    assert_eq!(other.waiting_lines(Place::new(39))[0].to, Place::new(37));
    let mut none = Pending::default();
    none.take_up(&saved, Place::new(35));
    assert_eq!(none.waiting_lines(Place::new(39)), []);
    pending.looked_through(Place::new(35), Place::new(39));
    assert!(!pending.holds_back(&line));
}

#[test]
fn so_many_conversations_wait_in_lines_and_no_more() {
    let mut pending = Pending::default();
    let mut place = 0;
    for n in 1..=WAITING_LINES_MAX as u128 + 1 {
        let line = (ConversationId::from_uuid(Uuid::from_u128(n)), false);
        for _ in 0..=WAITING_APART_MAX {
            place += 1;
            pending.note(&retrying(place, Some(n), 10), NOW);
        }
        assert_eq!(
            pending.join(&line, Place::new(place + 1)),
            n <= WAITING_LINES_MAX as u128
        );
    }
    assert_eq!(pending.waiting_lines(Place::new(place + 1)).len(), WAITING_LINES_MAX);
}
