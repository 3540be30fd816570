//! Lists and counts of messages.

use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::domain::{ConversationId, Direction, Message, MessageId, Present, Status, TenantId};

use super::super::read_pages;
use super::super::stores::ids;
use super::{Breakable, MIXED};
use crate::samples::{With as _, at, outbound, person, phone_number_id, tenant_id};

/// Covers `ListStore::messages`.
pub async fn lists_leave_it_out_and_their_pages_stay_full(port: Breakable) {
    let tenant = tenant_id();
    let (mut whole, _) = port.mixed(MIXED, |_| outbound(tenant)).await;
    whole.reverse();
    for status in [None, Some(Status::Queued)] {
        let query = |before, limit| MessageQuery {
            status,
            before,
            limit,
            ..MessageQuery::default()
        };
        let small = PageLimit {
            bytes: 1,
            ..PageLimit::items(100)
        };
        for (items_max, limit) in [(3, PageLimit::items(3)), (1, small)] {
            let fetch = async |before| page(&port, &tenant, query(before, limit)).await;
            assert_eq!(ids(&read_pages(items_max, fetch).await), ids(&whole));
        }
        let full = list(&port, &tenant, query(None, PageLimit::items(3))).await;
        assert_eq!(full, ids(&whole[..3]));
    }
}

/// Covers `ListStore::messages`, of which each filter reads another field.
pub async fn every_filter_passes_it(port: Breakable) {
    let tenant = tenant_id();
    let conversation = ConversationId::of(&tenant, &phone_number_id(), &person("919111111111"));
    let sent = |_| outbound(tenant).with(|message| message.delivery.conversation_id = Some(conversation));
    let (mut whole, _) = port.mixed(MIXED, sent).await;
    whole.reverse();
    let all = || MessageQuery {
        limit: PageLimit::items(100),
        ..MessageQuery::default()
    };
    let filters = [
        all(),
        all().with_filter(|query| query.direction = Some(Direction::Outbound)),
        all().with_filter(|query| query.kind = Some("text".into())),
        all().with_filter(|query| query.peer_id = Some(person("919111111111"))),
        all().with_filter(|query| query.phone_number_id = Some(phone_number_id())),
        all().with_filter(|query| query.conversation_id = Some(conversation)),
        all().with_filter(|query| query.since = Some(at(0))),
    ];
    for filter in filters {
        assert_eq!(list(&port, &tenant, filter.clone()).await, ids(&whole), "{filter:?}");
    }
}

trait WithFilter: Sized {
    fn with_filter(self, change: impl FnOnce(&mut Self)) -> Self;
}

impl WithFilter for MessageQuery {
    fn with_filter(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

async fn list(port: &Breakable, tenant: &TenantId, query: MessageQuery) -> Vec<MessageId> {
    ids(&page(port, tenant, query).await.items)
}

async fn page(port: &Breakable, tenant: &TenantId, query: MessageQuery) -> Listed<Message> {
    let listed = port.stores.lists.messages(tenant, &query).await;
    listed.expect("the store answers")
}

/// Covers `ListStore::dead_letters`.
pub async fn dead_letters_leave_it_out(port: Breakable) {
    let tenant = tenant_id();
    let dead = |_| outbound(tenant).with(|message| message.delivery.status = Status::Dead);
    let (mut whole, _) = port.mixed(MIXED, dead).await;
    whole.reverse();
    for tenant in [Some(&tenant), None] {
        for (limit, expected) in [(2, &whole[..2]), (50, &whole[..])] {
            let found = port
                .stores
                .lists
                .dead_letters(tenant, None, PageLimit::items(limit))
                .await;
            assert_eq!(ids(&found.expect("an answer").items), ids(expected));
        }
        let small = PageLimit {
            bytes: 1,
            ..PageLimit::items(100)
        };
        let fetch = async |before| {
            let found = port.stores.lists.dead_letters(tenant, before, small).await;
            found.expect("an answer")
        };
        assert_eq!(ids(&read_pages(1, fetch).await), ids(&whole));
    }
}

/// Covers `HoldStore::unsettled_by_number`.
pub async fn messages_beside_it_are_counted_by_number(port: Breakable) {
    let tenant = tenant_id();
    let waiting = |_| outbound(tenant).with(|message| message.delivery.wake_at = Some(at(5)));
    let (whole, broken) = port.mixed(MIXED, waiting).await;
    let present = Present::from(at(9));
    let counts = port.stores.holds.unsettled_by_number(present, 1_000).await;
    let counts = counts.expect("the store answers").into_iter();
    let counted: u64 = counts
        .filter(|count| count.tenant_id == tenant)
        .map(|count| count.messages)
        .sum();
    let (least, most) = (whole.len() as u64, (whole.len() + broken.len()) as u64);
    assert!((least..=most).contains(&counted), "{counted} of {least} to {most}");
}

/// Covers `ListStore::count_unsettled`.
pub async fn unsettled_messages_beside_it_are_counted(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(MIXED, |_| outbound(tenant)).await;
    let count = port
        .stores
        .lists
        .count_unsettled(&[(tenant, 1_000)])
        .await
        .expect("the store answers");
    let (least, most) = (whole.len(), whole.len() + broken.len());
    assert!((least..=most).contains(&(count[0] as usize)), "{count:?}");
}
