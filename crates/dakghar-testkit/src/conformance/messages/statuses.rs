//! Signs that statuses flow for a number.

use dakghar_core::domain::Message;

use super::super::stores::{Stores, accept_all, save};
use crate::samples::{With as _, at, outbound, phone, tenant_id};

pub async fn statuses_flow_after_a_later_call_was_reported_on(stores: Stores) {
    let tenant = tenant_id();
    let number = outbound(tenant).accepted.phone_number_id;
    let first = outbound(tenant);
    let flow = async |after| {
        stores
            .messages
            .statuses_flow(&first.key(), &number, after)
            .await
            .expect("the store answers")
    };
    let mut message = outbound(tenant).with(|message| message.delivery.called_at = Some(at(50)));
    accept_all(&stores, &[message.clone(), outbound(tenant)]).await;
    assert!(!flow(at(10)).await, "nothing was reported");
    message.delivery.status_seen_at = Some(at(80));
    save(&stores, &mut message).await;
    assert!(flow(at(49)).await);
    assert!(!flow(at(50)).await, "the call was not after that");
    assert!(!flow(at(60)).await, "the report was, but the call was not");
}

pub async fn statuses_flow_for_one_number_of_one_tenant(stores: Stores) {
    let tenant = tenant_id();
    let seen = outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(50));
        message.delivery.status_seen_at = Some(at(80));
    });
    let (number, key) = (seen.accepted.phone_number_id.clone(), seen.key());
    let foreign = outbound(tenant_id()).key();
    accept_all(&stores, &[seen]).await;
    assert_eq!(stores.messages.statuses_flow(&key, &number, at(1)).await, Ok(true));
    assert_eq!(
        stores.messages.statuses_flow(&key, &phone("999"), at(1)).await,
        Ok(false)
    );
    assert_eq!(stores.messages.statuses_flow(&foreign, &number, at(1)).await, Ok(false));
}

pub async fn a_backlog_does_not_hide_that_statuses_flow(stores: Stores) {
    let tenant = tenant_id();
    let in_doubt = outbound(tenant);
    let seen = outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(50));
        message.delivery.status_seen_at = Some(at(80));
    });
    let (number, key) = (seen.accepted.phone_number_id.clone(), in_doubt.key());
    accept_all(&stores, &[in_doubt, seen]).await;
    let backlog: Vec<Message> = (0..300).map(|_| outbound(tenant)).collect();
    accept_all(&stores, &backlog).await;
    assert_eq!(stores.messages.statuses_flow(&key, &number, at(10)).await, Ok(true));
    assert_eq!(stores.messages.statuses_flow(&key, &number, at(50)).await, Ok(false));
}
