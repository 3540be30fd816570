//! What is kept of a person, place by place.

use dakghar_core::domain::callback::Advance;
use dakghar_core::domain::erasure::{ErasurePlace, PersonIds};
use dakghar_core::domain::message::{EvidenceStatus, StatusRecord};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::person_name::PersonName;
use dakghar_core::domain::{
    Conversation, ConversationTouch, Direction, EndpointId, Message, Place, Status, TenantId, Timestamp, WaId,
    WebhookEvent,
};
use dakghar_core::ports::{ExceptionsAsked, PersonErased, PersonPortion, Saved};

use super::super::stores::{Stores, accept_all, accept_as, deliver, load, receive_all, touch};
use crate::samples::{
    With as _, at, callback_exception_full, callback_progress, endpoint, event, event_bare, idempotency_key, inbound,
    outbound, person, status_record, tenant_id, with_key,
};

const NUMBER: &str = "8801755512345";
const USER: &str = "BD.13491208655302741918";

/// Behind everything that the samples of a test are dated.
fn later() -> Timestamp {
    at(1 << 40)
}

fn portion(tenant_id: TenantId, place: ErasurePlace) -> PersonPortion {
    PersonPortion {
        tenant_id,
        person: PersonIds::new([person(NUMBER), person(USER)]),
        before: later(),
        place,
        from: None,
        limit: 100,
    }
}

/// Looks through all of a place, portion by portion.
async fn erase(stores: &Stores, mut portion: PersonPortion) -> PersonErased {
    const PORTIONS_MAX: u32 = 500;
    let mut all = PersonErased::default();
    for _ in 0..PORTIONS_MAX {
        let done = stores
            .person_erasures
            .erase_person(&portion)
            .await
            .expect("the store answers");
        assert!(!format!("{:?}", done.next).contains(NUMBER), "a place names nobody");
        all.erased += done.erased;
        all.open.extend(done.open);
        portion.from = done.next;
        if portion.from.is_none() {
            return all;
        }
    }
    panic!("the portions do not end");
}

fn with(message: Message, id: &str) -> Message {
    message.with(|message| {
        message.accepted.peer = Some(format!("+{id}").into());
        message.accepted.peer_id = Some(person(id));
    })
}

async fn are_there(stores: &Stores, messages: &[Message]) -> Vec<bool> {
    let mut there = Vec::new();
    for message in messages {
        there.push(load(stores, message.key()).await.is_some());
    }
    there
}

/// A report of the sample about a message, as the store answers.
async fn report(stores: &Stores, report: StatusRecord) {
    let recorded = stores.statuses.record_statuses(&[report]).await;
    assert!(matches!(recorded[..], [Ok(Some(_))]), "{recorded:?}");
}

async fn reports_of(stores: &Stores, message: &Message) -> usize {
    let listed = stores.statuses.statuses_of(&message.key(), PageLimit::items(100)).await;
    listed.expect("the store answers").items.len()
}

pub async fn messages_of_the_person_go_with_their_reports_and_keys(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let keyed = with(with_key(tenant, "a"), NUMBER);
    let sent = accept_as(&stores, Status::Sent, keyed).await;
    let dead = accept_as(&stores, Status::Dead, with(outbound(tenant), USER)).await;
    let of_another = accept_as(&stores, Status::Sent, with(outbound(tenant), "8801755512340")).await;
    let of_a_longer = accept_as(&stores, Status::Sent, with(outbound(tenant), &format!("{NUMBER}6"))).await;
    let elsewhere = accept_as(&stores, Status::Sent, with(outbound(other), NUMBER)).await;
    let received = with(inbound(tenant, "wamid.P"), NUMBER);
    receive_all(&stores, std::slice::from_ref(&received)).await;
    let too_new = with(inbound(tenant, "wamid.N"), NUMBER).with(|message| message.accepted.created_at = later());
    receive_all(&stores, std::slice::from_ref(&too_new)).await;
    report(&stores, status_record(sent.key(), EvidenceStatus::Delivered)).await;
    report(&stores, status_record(of_another.key(), EvidenceStatus::Delivered)).await;

    let done = erase(&stores, portion(tenant, ErasurePlace::Messages)).await;
    assert_eq!((done.erased, done.open.len()), (3, 0));
    assert_eq!(are_there(&stores, &[sent.clone(), dead, received]).await, [false; 3]);
    let others = [of_another.clone(), of_a_longer, elsewhere, too_new];
    assert_eq!(are_there(&stores, &others).await, [true; 4]);
    assert_eq!(reports_of(&stores, &sent).await, 0);
    assert_eq!(reports_of(&stores, &of_another).await, 1);
    let keys = stores
        .messages
        .find_by_idempotency_key(&tenant, &idempotency_key("a"))
        .await;
    assert_eq!(keys, Ok(None), "its key went with it");
    let again = erase(&stores, portion(tenant, ErasurePlace::Messages)).await;
    assert_eq!(again, PersonErased::default(), "doing it again does no harm");
}

pub async fn messages_on_their_way_stay_and_are_told(stores: Stores) {
    let tenant = tenant_id();
    let mut open = Vec::new();
    for status in Status::ALL {
        if status == Status::Received {
            continue;
        }
        let message = accept_as(&stores, status, with(outbound(tenant), NUMBER)).await;
        if status.is_unsettled() {
            open.push(message.accepted.id);
        } else {
            assert!(load(&stores, message.key()).await.is_some());
        }
    }
    let done = erase(&stores, portion(tenant, ErasurePlace::Messages)).await;
    assert_eq!(done.open, open);
    assert_eq!(done.erased, (Status::ALL.len() - 1 - open.len()) as u64);
}

pub async fn messages_are_walked_portion_by_portion(stores: Stores) {
    let tenant = tenant_id();
    for n in 0..7 {
        let id = [NUMBER, USER][n % 2];
        accept_as(&stores, Status::Sent, with(outbound(tenant), id)).await;
    }
    let open = with(outbound(tenant), NUMBER);
    accept_all(&stores, std::slice::from_ref(&open)).await;
    let small = PersonPortion {
        limit: 2,
        ..portion(tenant, ErasurePlace::Messages)
    };
    let done = erase(&stores, small).await;
    assert_eq!((done.erased, done.open), (7, vec![open.accepted.id]));
}

pub async fn what_the_person_wrote_in_groups_goes(stores: Stores) {
    let tenant = tenant_id();
    let in_group = |wamid: &str, sender: &str| {
        with(inbound(tenant, wamid), "group1").with(|message| message.accepted.sender = Some(sender.into()))
    };
    let all = [
        in_group("wamid.1", NUMBER),
        in_group("wamid.2", &format!("+{NUMBER}")),
        in_group("wamid.3", "8801755512340"),
        in_group("wamid.4", USER),
    ];
    receive_all(&stores, &all).await;
    let small = PersonPortion {
        limit: 1,
        ..portion(tenant, ErasurePlace::GroupMessages)
    };
    assert_eq!(erase(&stores, small).await.erased, 3);
    assert_eq!(are_there(&stores, &all).await, [false, false, true, false]);
}

pub async fn reports_that_name_the_person_go(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let ours = accept_as(&stores, Status::Sent, with(outbound(tenant), "group1")).await;
    let theirs = accept_as(&stores, Status::Sent, with(outbound(other), "group1")).await;
    let naming = |key, participant: Option<&str>, raw: &str| {
        let mut report = status_record(key, EvidenceStatus::Delivered);
        report.reported.evidence.participant = participant.map(Into::into);
        report.raw = raw.into();
        report
    };
    let named = format!(r#"{{"recipient_id":"{NUMBER}"}}"#);
    let longer = format!(r#"{{"recipient_id":"{NUMBER}0"}}"#);
    report(&stores, naming(ours.key(), Some(NUMBER), "{}")).await;
    report(&stores, naming(ours.key(), None, &named)).await;
    report(&stores, naming(ours.key(), Some("1"), &longer)).await;
    report(&stores, naming(theirs.key(), Some(NUMBER), &named)).await;
    let small = PersonPortion {
        limit: 1,
        ..portion(tenant, ErasurePlace::Reports)
    };
    assert_eq!(erase(&stores, small).await.erased, 2);
    assert_eq!(reports_of(&stores, &ours).await, 1);
    assert_eq!(reports_of(&stores, &theirs).await, 1, "of another tenant");
    let too_new = PersonPortion {
        before: at(0),
        ..portion(other, ErasurePlace::Reports)
    };
    assert_eq!(erase(&stores, too_new).await.erased, 0);
}

pub async fn events_that_name_the_person_go(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let of = |tenant: Option<TenantId>, raw: &str| WebhookEvent {
        tenant_id: tenant,
        raw: raw.into(),
        amends: None,
        ..event_bare()
    };
    let named = format!(r#"{{"wa_id":"{NUMBER}"}}"#);
    let all = [
        of(Some(tenant), &named),
        of(Some(tenant), &format!(r#"{{"user_id":"{USER}"}}"#)),
        of(Some(tenant), r#"{"wa_id":"8801755512340"}"#),
        of(Some(other), &named),
        of(None, &named),
        of(None, "{}"),
        event(tenant),
    ];
    stores.events.record(&all).await.expect("the store answers");
    let count = async |owner: Option<&TenantId>| {
        let listed = stores.events.list(owner, None, PageLimit::items(100)).await;
        listed.expect("the store answers").items.len()
    };
    let small = |place| PersonPortion {
        limit: 1,
        ..portion(tenant, place)
    };
    assert_eq!(erase(&stores, small(ErasurePlace::Events)).await.erased, 2);
    assert_eq!(
        (count(Some(&tenant)).await, count(Some(&other)).await, count(None).await),
        (2, 1, 2)
    );
    assert_eq!(erase(&stores, small(ErasurePlace::Unrouted)).await.erased, 1);
    assert_eq!(
        (count(Some(&tenant)).await, count(Some(&other)).await, count(None).await),
        (2, 1, 1)
    );
}

async fn meet(stores: &Stores, touches: &[ConversationTouch]) {
    stores.conversations.touch(touches).await.expect("the store answers");
}

fn named(tenant: TenantId, key: &str, also: &[&str], ms: u64) -> ConversationTouch {
    ConversationTouch {
        also: also.iter().map(|id| person(id)).collect(),
        name: Some(PersonName {
            at: at(ms),
            name: Some("Asha".into()),
            username: Some("asha".into()),
        }),
        ..touch(tenant, &person(key), at(ms), Direction::Inbound)
    }
}

async fn conversations(stores: &Stores, tenant: TenantId) -> Vec<Conversation> {
    let listed = stores.conversations.list(&tenant, None, PageLimit::items(100)).await;
    listed.expect("the store answers").items
}

pub async fn conversations_of_the_person_go(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let touches = [
        named(tenant, NUMBER, &[USER], 1),
        named(tenant, "8801755512340", &[USER], 2),
        named(tenant, "8801755512349", &["BD.1"], 3),
        named(other, NUMBER, &[], 4),
    ];
    meet(&stores, &touches).await;
    assert_eq!(
        erase(&stores, portion(tenant, ErasurePlace::Conversations))
            .await
            .erased,
        2
    );
    let left: Vec<WaId> = conversations(&stores, tenant)
        .await
        .into_iter()
        .map(|one| one.wa_id)
        .collect();
    assert_eq!(left, [person("8801755512349")]);
    assert_eq!(conversations(&stores, other).await.len(), 1);
    let found = stores
        .conversations
        .of_people(&tenant, &[person(NUMBER), person(USER)], 9)
        .await;
    assert_eq!(found, Ok(Vec::new()), "no key leads to it");
}

pub async fn a_conversation_that_goes_on_keeps_its_id_alone(stores: Stores) {
    let tenant = tenant_id();
    meet(
        &stores,
        &[named(tenant, NUMBER, &[USER], 5), named(tenant, NUMBER, &[], 20)],
    )
    .await;
    let early = PersonPortion {
        before: at(10),
        ..portion(tenant, ErasurePlace::Conversations)
    };
    assert_eq!(erase(&stores, early).await.erased, 1);
    let left = conversations(&stores, tenant).await;
    let [left] = &left[..] else { panic!("{left:?}") };
    assert_eq!((left.wa_id.as_str(), left.last_message_at), (NUMBER, at(20)));
    assert_eq!((&left.also, &left.name), (&Vec::new(), &None));
    assert_eq!(left.first_message_at, Some(at(20)));
    let found = stores.conversations.of_people(&tenant, &[person(USER)], 9).await;
    assert_eq!(found, Ok(Vec::new()));
    // It can learn anew.
    meet(&stores, &[named(tenant, NUMBER, &["BD.2"], 30)]).await;
    assert_eq!(conversations(&stores, tenant).await[0].also, [person("BD.2")]);
}

/// The answers that are kept of an endpoint.
async fn answers(stores: &Stores, endpoint_id: &EndpointId) -> Vec<String> {
    let mut found = Vec::new();
    for asked in [ExceptionsAsked::Open, ExceptionsAsked::Dead] {
        let listed = stores
            .callbacks
            .exceptions(endpoint_id, asked, Place::START, PageLimit::items(100));
        let listed = listed.await.expect("the store answers").items;
        found.extend(listed.into_iter().filter_map(|exception| exception.last?.answer));
    }
    let logs = stores
        .callbacks
        .attempts(endpoint_id, None, PageLimit::items(100))
        .await;
    let attempts = logs
        .expect("the store answers")
        .items
        .into_iter()
        .flat_map(|log| log.attempts);
    found.extend(attempts.filter_map(|attempt| attempt.answer));
    found
}

/// The endpoints of which [`deliver`] keeps something.
async fn endpoints_of(stores: &Stores, tenant: TenantId, count: usize) -> Vec<EndpointId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let endpoint_id = endpoint(tenant).id;
        let exceptions = [1, 2].map(|place| callback_exception_full(endpoint_id, tenant, Place::new(place)));
        let advance = Advance {
            progress: callback_progress(endpoint_id, tenant),
            exceptions: exceptions.to_vec(),
            over: Vec::new(),
            attempts: Some(crate::samples::attempt_log(endpoint_id, tenant, 4)),
        };
        assert_eq!(stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
        ids.push(endpoint_id);
    }
    ids
}

pub async fn answers_of_receivers_are_emptied(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let ours = endpoints_of(&stores, tenant, 3).await;
    let theirs = endpoints_of(&stores, other, 1).await;
    deliver(&stores, other).await;
    let small = PersonPortion {
        limit: 1,
        ..portion(tenant, ErasurePlace::Answers)
    };
    // Of each two exceptions and a log.
    assert_eq!(erase(&stores, small).await.erased, 3 * 3);
    for endpoint_id in &ours {
        assert_eq!(answers(&stores, endpoint_id).await, Vec::<String>::new());
        let logs = stores.callbacks.attempts(endpoint_id, None, PageLimit::items(9)).await;
        let logs = logs.expect("the store answers").items;
        assert_eq!(logs[0].attempts.len(), 4, "the attempts themselves stay");
    }
    assert_eq!(answers(&stores, &theirs[0]).await.len(), 4);
    let again = erase(&stores, portion(tenant, ErasurePlace::Answers)).await;
    assert_eq!(again, PersonErased::default());
}

pub async fn whoever_delivers_reads_its_callbacks_again(stores: Stores) {
    let tenant = tenant_id();
    let endpoint_id = endpoints_of(&stores, tenant, 1).await[0];
    let read = async || {
        let read = stores.callbacks.progress(&[endpoint_id]).await.remove(0);
        read.expect("the store answers").expect("it is there")
    };
    let before = read().await;
    erase(&stores, portion(tenant, ErasurePlace::Answers)).await;
    let stale = Advance {
        progress: before.clone(),
        exceptions: Vec::new(),
        over: Vec::new(),
        attempts: None,
    };
    assert_eq!(stores.callbacks.advance(&[stale]).await, [Ok(Saved::Stale)]);
    let after = read().await;
    assert_eq!((after.after, after.delivered), (before.after, before.delivered));
}
