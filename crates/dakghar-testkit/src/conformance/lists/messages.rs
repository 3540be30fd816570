//! A tenant's messages: newest first, filtered, page by page.

use dakghar_core::domain::message::Content;
use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::domain::{ConversationId, Direction, Message, MessageId, Status, TenantId};

use super::super::read_pages;
use super::super::stores::{Stores, accept_all, accept_as, ids, receive_all};
use crate::samples::{With as _, at, inbound, outbound, person, phone, phone_number_id, tenant_id};

/// Everything, on one page.
pub(super) fn all() -> MessageQuery {
    MessageQuery {
        limit: PageLimit::items(200),
        ..MessageQuery::default()
    }
}

async fn list(stores: &Stores, tenant: &TenantId, query: &MessageQuery) -> Vec<Message> {
    page(stores, tenant, query).await.items
}

pub(super) async fn page(stores: &Stores, tenant: &TenantId, query: &MessageQuery) -> Listed<Message> {
    stores.lists.messages(tenant, query).await.expect("the store answers")
}

pub async fn a_list_is_newest_first(stores: Stores) {
    let tenant = tenant_id();
    let sent = [outbound(tenant), outbound(tenant)];
    let received = inbound(tenant, "wamid.A");
    let newest = outbound(tenant);
    // Stored in another order than that of the ids.
    accept_all(&stores, &[newest.clone(), sent[1].clone(), sent[0].clone()]).await;
    receive_all(&stores, std::slice::from_ref(&received)).await;
    let [first, second] = sent;
    assert_eq!(list(&stores, &tenant, &all()).await, [newest, received, second, first]);
}

pub async fn a_list_shows_its_tenant_only(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mine = outbound(tenant);
    accept_all(&stores, &[mine.clone(), outbound(other)]).await;
    receive_all(&stores, &[inbound(other, "wamid.A")]).await;
    assert_eq!(list(&stores, &tenant, &all()).await, [mine]);
    assert_eq!(list(&stores, &tenant_id(), &all()).await, []);
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub async fn each_filter_of_a_list_counts(stores: Stores) {
    let tenant = tenant_id();
    let peer = person("919999999999");
    let talker = person("918888888888");
    let plain = outbound(tenant);
    let received = inbound(tenant, "wamid.A");
    let held = accept_as(&stores, Status::Held, outbound(tenant)).await;
    let image = outbound(tenant).with(|message| {
        message.accepted.content = Content {
            kind: "image".into(),
            ..plain.accepted.content.clone()
        }
    });
    let to_peer = outbound(tenant).with(|message| message.accepted.peer_id = Some(peer.clone()));
    let of_number = outbound(tenant).with(|message| message.accepted.phone_number_id = phone("42"));
    let of_conversation = outbound(tenant).with(|message| {
        message.accepted.peer_id = Some(talker.clone());
        message.delivery.conversation_id = Some(ConversationId::of(&tenant, &phone_number_id(), &talker));
    });
    // Queued: nothing was said to this person yet.
    let outside_conversation = outbound(tenant).with(|message| message.accepted.peer_id = Some(talker.clone()));
    let early = outbound(tenant).with(|message| message.accepted.created_at = at(0));
    let late = outbound(tenant).with(|message| message.accepted.created_at = at(10_000_000));
    let newest = outbound(tenant);
    accept_all(
        &stores,
        &[
            plain,
            image.clone(),
            to_peer.clone(),
            of_number.clone(),
            of_conversation.clone(),
            outside_conversation.clone(),
            early.clone(),
        ],
    )
    .await;
    accept_all(&stores, &[late.clone(), newest.clone()]).await;
    receive_all(&stores, std::slice::from_ref(&received)).await;

    let check = async |query: MessageQuery, expected: &[&Message]| {
        let found = ids(&list(&stores, &tenant, &query).await);
        let expected: Vec<MessageId> = expected.iter().map(|message| message.accepted.id).collect();
        assert_eq!(found, expected, "{query:?}");
    };
    check(
        MessageQuery {
            direction: Some(Direction::Inbound),
            ..all()
        },
        &[&received],
    )
    .await;
    check(
        MessageQuery {
            status: Some(Status::Held),
            ..all()
        },
        &[&held],
    )
    .await;
    check(
        MessageQuery {
            status: Some(Status::Read),
            ..all()
        },
        &[],
    )
    .await;
    check(
        MessageQuery {
            kind: Some("image".into()),
            ..all()
        },
        &[&image],
    )
    .await;
    check(
        MessageQuery {
            peer_id: Some(peer),
            ..all()
        },
        &[&to_peer],
    )
    .await;
    check(
        MessageQuery {
            phone_number_id: Some(phone("42")),
            ..all()
        },
        &[&of_number],
    )
    .await;
    check(
        MessageQuery {
            peer_id: Some(talker.clone()),
            ..all()
        },
        &[&outside_conversation, &of_conversation],
    )
    .await;
    check(
        MessageQuery {
            peer_id: Some(talker),
            conversation_id: of_conversation.delivery.conversation_id,
            ..all()
        },
        &[&of_conversation],
    )
    .await;
    check(
        MessageQuery {
            since: Some(at(10_000_000)),
            ..all()
        },
        &[&late],
    )
    .await;
    check(
        MessageQuery {
            since: Some(at(10_000_001)),
            ..all()
        },
        &[],
    )
    .await;
    check(
        MessageQuery {
            until: Some(at(1)),
            ..all()
        },
        &[&early],
    )
    .await;
    check(
        MessageQuery {
            until: Some(at(0)),
            ..all()
        },
        &[],
    )
    .await;
    check(
        MessageQuery {
            limit: PageLimit::items(2),
            ..all()
        },
        &[&newest, &late],
    )
    .await;
    check(
        MessageQuery {
            before: Some(newest.accepted.id),
            limit: PageLimit::items(2),
            ..all()
        },
        &[&late, &early],
    )
    .await;
    let outbound = MessageQuery {
        direction: Some(Direction::Outbound),
        ..all()
    };
    assert_eq!(list(&stores, &tenant, &outbound).await.len(), 10);
}

pub async fn filters_of_a_list_add_up(stores: Stores) {
    let tenant = tenant_id();
    let on = |number: &str| outbound(tenant).with(|message| message.accepted.phone_number_id = phone(number));
    let both = accept_as(&stores, Status::Failed, on("1")).await;
    accept_as(&stores, Status::Failed, on("2")).await;
    accept_as(&stores, Status::Sent, on("1")).await;
    let query = MessageQuery {
        direction: Some(Direction::Outbound),
        status: Some(Status::Failed),
        kind: Some("text".into()),
        peer_id: both.accepted.peer_id.clone(),
        phone_number_id: Some(phone("1")),
        since: Some(both.accepted.created_at),
        until: Some(at(1_000_000)),
        ..all()
    };
    assert_eq!(ids(&list(&stores, &tenant, &query).await), [both.accepted.id]);
    let none = MessageQuery {
        until: Some(both.accepted.created_at),
        ..query
    };
    assert_eq!(list(&stores, &tenant, &none).await, []);
}

/// Every message that matches, read in pages of `query.limit`.
async fn page_through(stores: &Stores, tenant: &TenantId, query: MessageQuery) -> Vec<MessageId> {
    let fetch = async |before| {
        let query = MessageQuery {
            before,
            ..query.clone()
        };
        page(stores, tenant, &query).await
    };
    ids(&read_pages(query.limit.items, fetch).await)
}

pub async fn pages_of_a_list_have_no_gaps_and_no_repeats(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for index in 0..25 {
        // Others write in between, at the same time as far as their clocks tell.
        let message = outbound(tenant).with(|message| message.accepted.created_at = at(5));
        accept_all(&stores, &[message.clone(), outbound(tenant_id())]).await;
        expected.push(message.accepted.id);
        if index % 3 == 0 {
            let received = inbound(tenant, &format!("wamid.{index}"));
            expected.push(received.accepted.id);
            receive_all(&stores, &[received]).await;
        }
    }
    expected.reverse();
    for limit in [1, 7, 200] {
        assert_eq!(
            page_through(
                &stores,
                &tenant,
                MessageQuery {
                    limit: PageLimit::items(limit),
                    ..all()
                }
            )
            .await,
            expected
        );
    }
}

pub async fn pages_of_a_filtered_list_have_no_gaps_and_no_repeats(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for index in 0..20 {
        let number = phone(if index % 4 == 0 { "1" } else { "2" });
        let message = outbound(tenant).with(|message| message.accepted.phone_number_id = number);
        if index % 4 == 0 {
            expected.push(message.accepted.id);
        }
        accept_all(&stores, &[message]).await;
    }
    expected.reverse();
    let query = MessageQuery {
        phone_number_id: Some(phone("1")),
        limit: PageLimit::items(2),
        ..all()
    };
    assert_eq!(page_through(&stores, &tenant, query).await, expected);
}

pub async fn a_list_of_one_status_has_all_that_may_have_it_by_reports(stores: Stores) {
    let tenant = tenant_id();
    let mut messages = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Received) {
        messages.push(accept_as(&stores, status, outbound(tenant)).await);
    }
    messages.reverse();
    for status in Status::ALL {
        let query = MessageQuery {
            status: Some(status),
            ..all()
        };
        let found: Vec<Status> = (list(&stores, &tenant, &query).await.iter())
            .map(|message| message.delivery.status)
            .collect();
        let may_be = messages.iter().map(|message| message.delivery.status);
        let expected: Vec<Status> = may_be.filter(|stored| status.stored_as().contains(stored)).collect();
        assert_eq!(found, expected, "{status:?}");
    }
}
