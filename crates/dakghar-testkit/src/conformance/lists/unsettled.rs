//! Counts of messages that are not settled.

use dakghar_core::domain::Status;

use super::super::stores::{Stores, accept_all, accept_as, receive_all};
use crate::samples::{inbound, outbound, tenant_id};

/// More than any case has.
const LIMIT: u32 = 1_000;

pub async fn unsettled_messages_are_counted(stores: Stores) {
    let tenant = tenant_id();
    for status in Status::ALL {
        accept_as(&stores, status, outbound(tenant)).await;
    }
    receive_all(&stores, &[inbound(tenant, "wamid.A")]).await;
    accept_all(&stores, &[outbound(tenant_id())]).await;
    let both = [(tenant, LIMIT), (tenant_id(), LIMIT)];
    assert_eq!(stores.lists.count_unsettled(&both).await, Ok(vec![4, 0]));
    assert_eq!(stores.lists.count_unsettled(&[]).await, Ok(vec![]));
}

pub async fn unsettled_messages_are_counted_up_to_the_limit(stores: Stores) {
    let tenant = tenant_id();
    accept_all(&stores, &[0; 7].map(|_| outbound(tenant))).await;
    let asked = [5, 0, 7, 8].map(|limit| (tenant, limit));
    assert_eq!(stores.lists.count_unsettled(&asked).await, Ok(vec![5, 0, 7, 7]));
}
