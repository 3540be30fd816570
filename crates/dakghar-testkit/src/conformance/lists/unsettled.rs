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
    assert_eq!(stores.lists.count_unsettled(&tenant, LIMIT).await, Ok(4));
    assert_eq!(stores.lists.count_unsettled(&tenant_id(), LIMIT).await, Ok(0));
}

pub async fn unsettled_messages_are_counted_up_to_the_limit(stores: Stores) {
    let tenant = tenant_id();
    accept_all(&stores, &[0; 7].map(|_| outbound(tenant))).await;
    assert_eq!(stores.lists.count_unsettled(&tenant, 5).await, Ok(5));
    assert_eq!(stores.lists.count_unsettled(&tenant, 7).await, Ok(7));
    assert_eq!(stores.lists.count_unsettled(&tenant, 8).await, Ok(7));
}
