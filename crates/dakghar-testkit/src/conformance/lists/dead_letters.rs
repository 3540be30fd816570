//! Messages that ended as dead, failed or expired.

use dakghar_core::domain::{MessageId, Status, TenantId};

use super::super::read_pages;
use super::super::stores::{Stores, accept_as, ids, receive_all};
use crate::samples::{inbound, outbound, tenant_id};

async fn dead_letters(
    stores: &Stores,
    tenant: Option<&TenantId>,
    before: Option<MessageId>,
    limit: u32,
) -> Vec<MessageId> {
    let found = stores
        .lists
        .dead_letters(tenant, before, limit)
        .await
        .expect("the store answers");
    ids(&found)
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
    assert_eq!(
        stores.lists.dead_letters(Some(&tenant), None, 200).await,
        Ok(expected.clone())
    );
    assert_eq!(stores.lists.dead_letters(None, None, 200).await, Ok(expected));
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
    let fetch = async |before| dead_letters(&stores, None, before, 3).await;
    assert_eq!(read_pages(3, fetch, |id| *id).await, expected);
}
