//! That every query touches only what it returns, however much else is stored: judged by the server's own profiler
//! over the real calls.

use dakghar_testkit::samples::{With as _, saves};
use std::time::Duration;

use dakghar_adapters::mongo::MongoStore;
use dakghar_core::domain::ConversationKind;
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::domain::{ConversationId, ConversationTouch, Direction, TenantId};
use dakghar_core::ports::{
    ConversationStore, Erasure, EventStore, ListStore, MessageStore, Received, ReceivedMessage, StoreError,
    TenantStore, TimerStore,
};
use dakghar_testkit::samples::{
    at, event, event_bare, idempotency_key, inbound, number_full, outbound, person, phone, phone_number_id, tenant,
    tenant_id, waba, wamid, with_key,
};

use super::profiler::Profiler;
use super::{database, store};

const MESSAGES: u64 = 24_000;
const PEOPLE: u64 = 500;

/// Messages of every kind; what a filter looks for is rare among them.
fn nth(tenant_id: TenantId, n: u64) -> Message {
    if n % 400 == 7 {
        return inbound(tenant_id, &format!("wamid.IN{n}"));
    }
    let peer_id = person(&format!("9190000{:05}", n % PEOPLE));
    let conversation_id = ConversationId::of(&tenant_id, &phone_number_id(), &peer_id);
    let mut message = with_key(tenant_id, &format!("key-{n}")).with(|message| {
        message.delivery.status = Status::Delivered;
        message.delivery.conversation_id = Some(conversation_id);
        message.accepted.peer_id = Some(peer_id);
        message.delivery.wamid = Some(wamid(&format!("wamid.{n}")));
        message.delivery.wamids = vec![wamid(&format!("wamid.{n}"))];
        message.delivery.called_at = Some(at(n));
    });
    match n % 600 {
        1 => message.delivery.status = Status::Queued,
        2 => message.delivery.status = Status::Held,
        3 => message.delivery.status = Status::Dead,
        4 => message.delivery.status = Status::Failed,
        5 => message.accepted.content.kind = "template".into(),
        6 => message.accepted.phone_number_id = phone("222"),
        _ => {}
    }
    if message.delivery.status.is_unsettled() {
        message.delivery.wake_at = Some(at(1_000 + n));
    }
    message
}

async fn fill(store: &MongoStore, tenant_id: TenantId, count: u64) -> Vec<Message> {
    let messages: Vec<Message> = (0..count).map(|n| nth(tenant_id, n)).collect();
    for chunk in messages.chunks(1_000) {
        let (received, accepted): (Vec<_>, Vec<_>) = chunk
            .iter()
            .cloned()
            .partition(|message| message.accepted.direction == Direction::Inbound);
        assert!(store.accept(accepted).await.iter().all(Result::is_ok));
        assert!(
            store
                .receive(received.into_iter().map(Into::into).collect())
                .await
                .iter()
                .all(Result::is_ok)
        );
    }
    messages
}

fn query() -> MessageQuery {
    MessageQuery {
        limit: PageLimit::items(50),
        ..MessageQuery::default()
    }
}

/// A page looks at its documents twice: for their sizes, one further than it has, and then for what fits.
const fn looked_at(items: usize) -> usize {
    2 * items + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_look_at_what_they_return() {
    let Some((store, server)) = store().await else { return };
    let (tenant_id, other) = (tenant_id(), tenant_id());
    let messages = fill(&store, tenant_id, MESSAGES).await;
    fill(&store, other, 2_000).await;
    let profiler = Profiler(database(&server).await);

    let middle = &messages[messages.len() / 2];
    let rare_person = messages[0].accepted.peer_id.clone();
    let filters = [
        ("all", query()),
        (
            "the second page",
            MessageQuery {
                before: Some(middle.accepted.id),
                ..query()
            },
        ),
        (
            "queued",
            MessageQuery {
                status: Some(Status::Queued),
                ..query()
            },
        ),
        (
            "nothing",
            MessageQuery {
                status: Some(Status::Cancelled),
                ..query()
            },
        ),
        (
            "inbound",
            MessageQuery {
                direction: Some(Direction::Inbound),
                ..query()
            },
        ),
        (
            "outbound",
            MessageQuery {
                direction: Some(Direction::Outbound),
                ..query()
            },
        ),
        (
            "templates",
            MessageQuery {
                kind: Some("template".into()),
                ..query()
            },
        ),
        (
            "one person",
            MessageQuery {
                peer_id: rare_person,
                ..query()
            },
        ),
        (
            "one number",
            MessageQuery {
                phone_number_id: Some(phone("222")),
                ..query()
            },
        ),
        (
            "one conversation",
            MessageQuery {
                peer_id: messages[1].accepted.peer_id.clone(),
                conversation_id: messages[1].delivery.conversation_id,
                ..query()
            },
        ),
        (
            "a page of a conversation",
            MessageQuery {
                peer_id: messages[1].accepted.peer_id.clone(),
                conversation_id: messages[1].delivery.conversation_id,
                before: Some(middle.accepted.id),
                ..query()
            },
        ),
    ];
    for (what, filter) in filters {
        let found = |answer: &Result<Listed<Message>, _>| {
            let listed = answer.as_ref().expect("the store answers");
            looked_at(listed.items.len())
        };
        profiler
            .check_by_ids(what, found, ListStore::messages(&*store, &tenant_id, &filter))
            .await;
    }
    let none = |_: &_| 0;
    let all_dead = |answer: &Result<Listed<Message>, _>| {
        let found = answer.as_ref().expect("the store answers");
        assert_eq!(found.items.len(), 30);
        looked_at(found.items.len())
    };
    profiler
        .check_by_ids(
            "a tenant's dead letters",
            all_dead,
            store.dead_letters(Some(&tenant_id), None, PageLimit::items(30)),
        )
        .await;
    profiler
        .check_by_ids(
            "all dead letters",
            all_dead,
            store.dead_letters(None, None, PageLimit::items(30)),
        )
        .await;
    profiler
        .check_by_ids(
            "a page of dead letters",
            all_dead,
            store.dead_letters(Some(&tenant_id), Some(middle.accepted.id), PageLimit::items(30)),
        )
        .await;
    let counted = |answer: &Result<Vec<u32>, _>| {
        let counted = answer.as_ref().expect("the store answers");
        assert_eq!(*counted, [80]);
        80
    };
    profiler
        .check(
            "unsettled messages",
            counted,
            store.count_unsettled(&[(tenant_id, 1_000)]),
        )
        .await;
    let never = CallSpan {
        from: at(0),
        until: at(0),
    };
    profiler
        .check(
            "statuses that arrived",
            |_| 600,
            store.statuses_arrived(&middle.key(), &phone_number_id(), never),
        )
        .await;
    profiler
        .check_by_ids(
            "nobody's messages",
            none,
            ListStore::messages(&*store, &dakghar_testkit::samples::tenant_id(), &query()),
        )
        .await;
}

/// A range of time may look at a little more: ids are searched ten seconds beyond it on both sides.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_by_time_looks_ten_seconds_around() {
    let Some((store, server)) = store().await else { return };
    let tenant_id = tenant_id();
    // A message a second.
    let messages: Vec<Message> = (0..MESSAGES)
        .map(|n| {
            let created_at = at(n * 1_000);
            let id = uuid::Builder::from_unix_timestamp_millis(
                u64::try_from(created_at.as_millis()).expect("after 1970"),
                &[1; 10],
            );
            let id = dakghar_core::domain::MessageId::from_uuid(id.into_uuid());
            outbound(tenant_id).with(|message| {
                message.accepted.id = id;
                message.accepted.created_at = created_at;
            })
        })
        .collect();
    for chunk in messages.chunks(1_000) {
        assert!(store.accept(chunk.to_vec()).await.iter().all(Result::is_ok));
    }
    let profiler = Profiler(database(&server).await);
    let range = MessageQuery {
        since: Some(messages[12_000].accepted.created_at),
        until: Some(messages[12_040].accepted.created_at),
        ..query()
    };
    let with_seconds = |seconds: usize| {
        move |answer: &Result<Listed<Message>, _>| {
            assert_eq!(answer.as_ref().expect("the store answers").items.len(), 40);
            looked_at(40) + seconds
        }
    };
    profiler
        .check_by_ids(
            "forty seconds",
            with_seconds(22),
            ListStore::messages(&*store, &tenant_id, &range),
        )
        .await;
    let latest = MessageQuery {
        since: Some(messages[messages.len() - 40].accepted.created_at),
        ..query()
    };
    profiler
        .check_by_ids(
            "the latest",
            with_seconds(11),
            ListStore::messages(&*store, &tenant_id, &latest),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_and_writes_look_at_what_they_touch() {
    let Some((store, server)) = store().await else { return };
    let (tenant_id, other) = (tenant_id(), tenant_id());
    let messages = fill(&store, tenant_id, MESSAGES).await;
    fill(&store, other, 2_000).await;
    let profiler = Profiler(database(&server).await);
    let some: Vec<Message> = messages.iter().skip(1_000).step_by(1_000).cloned().collect();

    let due = |answer: &Result<Vec<Message>, _>| answer.as_ref().expect("the store answers").len();
    let until = at(1_000) + Duration::from_millis(MESSAGES);
    profiler.check("due", due, store.due(until, None, 50)).await;
    profiler.check("nothing due", due, store.due(at(1), None, 500)).await;
    // All of these are changed after that, and have timers.
    profiler.check("ahead", due, store.ahead(at(1), 50)).await;
    profiler
        .check("nothing ahead", due, store.ahead(at(86_400_000), 50))
        .await;
    // The timers of other statuses that are due are passed over in the index, without reading their messages.
    profiler
        .check("held and due", due, store.due(at(3_000), Some(Status::Held), 500))
        .await;

    let keys: Vec<_> = some.iter().map(Message::key).collect();
    // An index looks once beyond each id it is asked for.
    let loaded = |loaded: &Vec<Result<Option<Message>, StoreError>>| {
        assert!(loaded.iter().all(|loaded| matches!(loaded, Ok(Some(_)))));
        loaded.len() * 2
    };
    profiler.check("load", loaded, store.load(&keys)).await;
    let refs: Vec<_> = some
        .iter()
        .filter_map(|message| {
            let wamid = message.delivery.wamids.first()?.clone();
            Some((message.accepted.phone_number_id.clone(), wamid))
        })
        .collect();
    let found = |answer: &Result<Vec<Option<_>>, _>| {
        let found = answer.as_ref().expect("the store answers");
        assert!(found.iter().all(Option::is_some));
        found.len() * 2
    };
    profiler.check("find by wamid", found, store.find_by_wamid(&refs)).await;
    let key = idempotency_key("key-20000");
    profiler
        .check("find by key", |_| 1, store.find_by_idempotency_key(&tenant_id, &key))
        .await;
    let replays: Vec<Message> = (100..120)
        .flat_map(|n| [tenant_id, other].map(|owner| with_key(owner, &format!("key-{n}"))))
        .collect();
    let replayed = |answer: &Vec<Result<_, _>>| answer.len() * 2;
    profiler.check("replays", replayed, store.accept(replays)).await;

    let inbound = messages
        .iter()
        .filter(|message| message.accepted.direction == Direction::Inbound);
    let again: Vec<ReceivedMessage> = inbound
        .map(|message| {
            message
                .clone()
                .with(|message| message.accepted.id = outbound(tenant_id).accepted.id)
        })
        .map(Into::into)
        .collect();
    let repeated = |answer: &Vec<Result<_, _>>| {
        let is_repeated = |answer: &_| matches!(answer, Ok(Received::Duplicate(Some(_))));
        assert!(answer.iter().all(is_repeated));
        answer.len()
    };
    // Looked for when their insert was refused; from then on before it.
    for what in ["repeated webhooks", "webhooks that go on repeating"] {
        profiler
            .check_by_ids(what, repeated, store.receive(again.clone()))
            .await;
    }

    let saved = |answer: &Vec<Result<_, _>>| {
        assert!(answer.iter().all(Result::is_ok));
        answer.len()
    };
    profiler
        .check_by_ids("save", saved, MessageStore::save(&*store, &saves(&some)))
        .await;
    let woken = |answer: &Result<u64, _>| {
        let woken = usize::try_from(*answer.as_ref().expect("the store answers")).expect("a small number");
        assert_eq!(woken, 40);
        // Found by the index, then updated by id.
        woken * 3
    };
    profiler
        .check("wake held", woken, store.wake_held(&tenant_id, None, at(9)))
        .await;
    let erased = |answer: &Result<u64, _>| {
        assert_eq!(answer, &Ok(100));
        300
    };
    profiler.check("erase", erased, store.erase(&tenant_id, 100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_events_and_tenants_are_found_by_their_indexes() {
    let Some((store, server)) = store().await else { return };
    let tenant_id = tenant_id();
    let touches: Vec<ConversationTouch> = (0..20_000)
        .map(|n| {
            let wa_id = person(&format!("91{n:010}"));
            ConversationTouch {
                also: Vec::new(),
                name: None,
                kind: ConversationKind::Person,
                id: ConversationId::of(&tenant_id, &phone_number_id(), &wa_id),
                tenant_id,
                phone_number_id: phone_number_id(),
                wa_id,
                message_id: outbound(tenant_id).accepted.id,
                at: at(n),
                opens_window: true,
            }
        })
        .collect();
    store.touch(&touches).await.expect("the store answers");
    let events: Vec<_> = (0..5_000)
        .map(|n| if n % 100 == 0 { event_bare() } else { event(tenant_id) })
        .collect();
    store.record(&events).await.expect("the store answers");
    let mut owners = Vec::new();
    for n in 0..200 {
        let mut owner = tenant();
        owner.phone_numbers.push(number_full(phone(&format!("77{n}"))));
        owner.phone_numbers[1].waba_id = Some(waba(&format!("88{}", n % 20)));
        TenantStore::insert(&*store, &owner).await.expect("the store answers");
        owners.push(owner);
    }
    let profiler = Profiler(database(&server).await);

    let listed = |answer: &Result<Listed<dakghar_core::domain::Conversation>, _>| {
        answer.as_ref().expect("the store answers").items.len() + 1
    };
    profiler
        .check(
            "conversations",
            listed,
            ConversationStore::list(&*store, &tenant_id, None, PageLimit::items(50)),
        )
        .await;
    let middle = &touches[10_000];
    profiler
        .check(
            "a page of conversations",
            listed,
            ConversationStore::list(&*store, &tenant_id, Some((middle.at, middle.id)), PageLimit::items(50)),
        )
        .await;
    profiler
        .check(
            "a conversation",
            |_| 1,
            ConversationStore::find(&*store, &tenant_id, &middle.id),
        )
        .await;
    let moved = |answer: &Result<(), _>| {
        answer.as_ref().expect("the store answers");
        // Looked up, then moved.
        200
    };
    profiler
        .check_by_ids("touches", moved, store.touch(&touches[..100]))
        .await;
    let received: Vec<ReceivedMessage> = (100..200)
        .map(|n| {
            let message = inbound(tenant_id, &format!("wamid.{n}"));
            let touch = ConversationTouch {
                message_id: message.accepted.id,
                at: at(100_000),
                ..touches[n].clone()
            };
            ReceivedMessage {
                message,
                touch: Some(touch),
            }
        })
        .collect();
    let stored = |answer: &Vec<Result<_, _>>| {
        assert!(answer.iter().all(|answer| *answer == Ok(Received::New)));
        answer.len() * 2
    };
    profiler.check_by_ids("received", stored, store.receive(received)).await;

    let seen = |answer: &Result<Listed<dakghar_core::domain::WebhookEvent>, _>| {
        looked_at(answer.as_ref().expect("the store answers").items.len())
    };
    profiler
        .check_by_ids(
            "events",
            seen,
            EventStore::list(&*store, Some(&tenant_id), None, PageLimit::items(50)),
        )
        .await;
    profiler
        .check_by_ids(
            "unrouted events",
            seen,
            EventStore::list(&*store, None, None, PageLimit::items(20)),
        )
        .await;
    profiler
        .check_by_ids(
            "older unrouted events",
            seen,
            EventStore::list(&*store, None, Some(events[2_500].id), PageLimit::items(20)),
        )
        .await;

    let asked: Vec<_> = (0..50)
        .map(|n| (phone_number_id(), wamid(&format!("wamid.{n}"))))
        .collect();
    let amended = |answer: &Result<Vec<Vec<_>>, _>| {
        let found = answer.as_ref().expect("the store answers");
        found.iter().map(Vec::len).sum::<usize>() + asked.len()
    };
    profiler
        .check("amendments", amended, store.amendments(&tenant_id, &asked, 1))
        .await;

    profiler
        .check("a tenant", |_| 1, TenantStore::find(&*store, &owners[7].id))
        .await;
    profiler
        .check_by_ids(
            "tenants",
            |_: &_| looked_at(20),
            TenantStore::list(&*store, Some(owners[150].id), PageLimit::items(20)),
        )
        .await;
    let numbers: Vec<_> = owners
        .iter()
        .step_by(10)
        .map(|owner| owner.phone_numbers[1].phone_number_id.clone())
        .collect();
    profiler
        .check("owners of numbers", |_: &_| 40, store.owners_of_numbers(&numbers))
        .await;
    profiler
        .check("owners of an account", |_| 10, store.owners_of_waba(&waba("883")))
        .await;
}
