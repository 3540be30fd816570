//! Pages that end before they have as many messages as were asked for.

use std::cell::Cell;
use std::time::Duration;

use dakghar_core::domain::message::Content;
use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::{Message, Status, TenantId};

use super::super::read_pages;
use super::super::stores::{Stores, accept_all, ids};
use super::messages::{all, page};
use crate::samples::{With as _, at, outbound, person, phone, tenant_id};

/// A message with a body of 100 KB.
pub(super) fn large(tenant: TenantId) -> Message {
    outbound(tenant).with(|message| {
        message.accepted.content = Content {
            body: format!("{{\"body\":\"{}\"}}", "x".repeat(100_000)).into(),
            ..message.accepted.content.clone()
        }
    })
}

/// A page that ends with the third large message.
pub(super) const fn three_large() -> PageLimit {
    PageLimit {
        bytes: 250_000,
        ..PageLimit::items(200)
    }
}

pub async fn a_page_of_a_list_ends_at_its_bytes(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for index in 0..8 {
        // The time of some is not that of their ids: they are found another way.
        let created_at = at(if index % 2 == 0 { 0 } else { 5 });
        let message = large(tenant).with(|message| message.accepted.created_at = created_at);
        accept_all(&stores, std::slice::from_ref(&message)).await;
        expected.push(message.accepted.id);
    }
    expected.reverse();
    let queries = [
        all(),
        MessageQuery {
            status: Some(Status::Queued),
            kind: Some("text".into()),
            ..all()
        },
        MessageQuery {
            since: Some(at(0)),
            ..all()
        },
    ];
    for query in queries {
        let fetch = async |before| {
            let limit = three_large();
            let query = MessageQuery {
                before,
                limit,
                ..query.clone()
            };
            let page = page(&stores, &tenant, &query).await;
            assert_eq!(page.items.len(), if page.next.is_some() { 3 } else { 2 }, "{query:?}");
            page
        };
        assert_eq!(ids(&read_pages(3, fetch).await), expected);
    }
    let limit = PageLimit {
        bytes: 1,
        ..PageLimit::items(200)
    };
    let first = page(&stores, &tenant, &MessageQuery { limit, ..all() }).await;
    assert_eq!(ids(&first.items), expected[..1], "a larger message is a page by itself");
}

pub async fn a_filter_that_matches_little_gives_partial_pages(stores: Stores) {
    let tenant = tenant_id();
    let (rare, common) = (phone("1"), phone("2"));
    let mut expected = Vec::new();
    for batch in 0..8 {
        let messages: Vec<Message> = (0..100)
            .map(|index| {
                let number = if batch < 2 && index % 50 == 0 { &rare } else { &common };
                outbound(tenant).with(|message| {
                    message.accepted.phone_number_id = number.clone();
                    message.accepted.peer_id = Some(person("919111111111"));
                    message.accepted.created_at = at(5);
                })
            })
            .collect();
        let rare = messages
            .iter()
            .filter(|message| message.accepted.phone_number_id == rare);
        expected.extend(rare.map(|message| message.accepted.id));
        accept_all(&stores, &messages).await;
    }
    expected.reverse();
    for (since, number) in [(None, Some(&rare)), (Some(at(5)), Some(&rare)), (Some(at(6)), None)] {
        let query = MessageQuery {
            // No index knows both.
            phone_number_id: number.cloned(),
            peer_id: Some(person("919111111111")),
            since,
            limit: PageLimit {
                time: Duration::ZERO,
                ..PageLimit::items(3)
            },
            ..all()
        };
        let pages = Cell::new(0);
        let fetch = async |before| {
            let page = page(
                &stores,
                &tenant,
                &MessageQuery {
                    before,
                    ..query.clone()
                },
            )
            .await;
            assert!(
                pages.get() > 0 || number.is_none() || (page.items.is_empty() && page.next.is_some()),
                "{page:?}"
            );
            pages.set(pages.get() + 1);
            page
        };
        let found = ids(&read_pages(3, fetch).await);
        assert_eq!(found, if number.is_some() { &expected[..] } else { &[] }, "{query:?}");
    }
}
