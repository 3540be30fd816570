//! Messages that ended as dead, failed or expired.

use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Message, MessageId, Status, TenantId};

use super::super::read_pages;
use super::super::stores::{Stores, accept_as, ids, receive_all};
use super::bounds::{large, three_large};
use crate::samples::{inbound, outbound, tenant_id};

async fn dead_letters(
    stores: &Stores,
    tenant: Option<&TenantId>,
    before: Option<MessageId>,
    limit: u32,
) -> Vec<MessageId> {
    ids(&page(stores, tenant, before, PageLimit::items(limit)).await.items)
}

async fn page(
    stores: &Stores,
    tenant: Option<&TenantId>,
    before: Option<MessageId>,
    limit: PageLimit,
) -> Listed<Message> {
    let found = stores.lists.dead_letters(tenant, before, limit).await;
    found.expect("the store answers")
}

pub async fn dead_letters_are_what_ended_badly(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for status in Status::ALL {
        let message = accept_as(&stores, status, outbound(tenant)).await;
        if status.is_dead_letter() {
            expected.push(message);
        }
    }
    receive_all(&stores, &[inbound(tenant, "wamid.A")]).await;
    expected.reverse();
    assert_eq!(expected.len(), 3);
    for tenant in [Some(&tenant), None] {
        let listed = page(&stores, tenant, None, PageLimit::items(200)).await;
        assert_eq!((&listed.items, listed.next), (&expected, None));
    }
}

pub async fn dead_letters_of_one_tenant(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let first = accept_as(&stores, Status::Dead, outbound(tenant)).await.accepted.id;
    accept_as(&stores, Status::Dead, outbound(other)).await;
    let second = accept_as(&stores, Status::Failed, outbound(tenant)).await.accepted.id;
    assert_eq!(dead_letters(&stores, Some(&tenant), None, 200).await, [second, first]);
    assert_eq!(dead_letters(&stores, Some(&tenant), None, 1).await, [second]);
    assert_eq!(dead_letters(&stores, Some(&tenant), Some(second), 200).await, [first]);
    assert_eq!(dead_letters(&stores, Some(&tenant_id()), None, 200).await, []);
}

pub async fn dead_letters_of_everybody_page_by_page(stores: Stores) {
    let tenants = [tenant_id(), tenant_id(), tenant_id()];
    let mut expected = Vec::new();
    for index in 0..10 {
        let status = [Status::Dead, Status::Expired, Status::Failed][index % 3];
        expected.push(
            accept_as(&stores, status, outbound(tenants[index % 2]))
                .await
                .accepted
                .id,
        );
        accept_as(&stores, Status::Sent, outbound(tenants[2])).await;
    }
    expected.reverse();
    let fetch = async |before| page(&stores, None, before, PageLimit::items(3)).await;
    assert_eq!(ids(&read_pages(3, fetch).await), expected);
}

pub async fn a_page_of_dead_letters_ends_at_its_bytes(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for status in [Status::Dead, Status::Failed, Status::Expired]
        .into_iter()
        .cycle()
        .take(8)
    {
        expected.push(accept_as(&stores, status, large(tenant)).await.accepted.id);
    }
    expected.reverse();
    for tenant in [Some(&tenant), None] {
        let fetch = async |before| {
            let page = page(&stores, tenant, before, three_large()).await;
            assert_eq!(page.items.len(), if page.next.is_some() { 3 } else { 2 });
            page
        };
        assert_eq!(ids(&read_pages(3, fetch).await), expected);
    }
}
