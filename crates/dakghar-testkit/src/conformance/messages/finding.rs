//! One message, by what Meta or the client calls it.

use dakghar_core::domain::{Message, Status};

use super::super::stores::{Stores, accept_all, accept_as, receive_all, save};
use crate::samples::{With as _, idempotency_key, inbound, outbound, phone, tenant_id, wamid, with_key};

/// A sent message with these wamids.
fn sent(message: Message, wamids: &[&str]) -> Message {
    let wamids: Vec<_> = wamids.iter().map(|text| wamid(text)).collect();
    message.with(|message| {
        message.delivery.wamid = wamids.first().cloned();
        message.delivery.wamids = wamids;
    })
}

pub async fn messages_are_found_by_wamid(stores: Stores) {
    let tenant = tenant_id();
    let first = accept_as(&stores, Status::Sent, sent(outbound(tenant), &["wamid.A"])).await;
    let twice = accept_as(&stores, Status::Read, sent(outbound(tenant), &["wamid.B1", "wamid.B2"])).await;
    let number = &first.accepted.phone_number_id;
    let refs =
        ["wamid.B2", "wamid.none", "wamid.A", "wamid.a", "wamid.B1"].map(|text| (tenant, number.clone(), wamid(text)));
    let found = stores.messages.find_by_wamid(&refs).await;
    let (first, twice) = (Some(first.key()), Some(twice.key()));
    assert_eq!(found, Ok(vec![twice, None, first, None, twice]));
    assert_eq!(stores.messages.find_by_wamid(&[]).await, Ok(Vec::new()));
}

pub async fn a_wamid_is_found_for_its_tenant_and_number_only(stores: Stores) {
    let tenant = tenant_id();
    let message = accept_as(&stores, Status::Sent, sent(outbound(tenant), &["wamid.A"])).await;
    let number = message.accepted.phone_number_id.clone();
    let refs = [
        (tenant_id(), number.clone(), wamid("wamid.A")),
        (tenant, phone("999"), wamid("wamid.A")),
        (tenant, number, wamid("wamid.A")),
    ];
    assert_eq!(
        stores.messages.find_by_wamid(&refs).await,
        Ok(vec![None, None, Some(message.key())])
    );
}

pub async fn a_received_wamid_is_not_found_as_a_sent_one(stores: Stores) {
    let message = inbound(tenant_id(), "wamid.A");
    receive_all(&stores, std::slice::from_ref(&message)).await;
    let reference = (
        message.accepted.tenant_id,
        message.accepted.phone_number_id,
        wamid("wamid.A"),
    );
    assert_eq!(stores.messages.find_by_wamid(&[reference]).await, Ok(vec![None]));
}

pub async fn a_message_is_found_by_its_key(stores: Stores) {
    let tenant = tenant_id();
    let mut message = with_key(tenant, "k");
    accept_all(
        &stores,
        &[
            message.clone(),
            with_key(tenant, "other"),
            with_key(tenant_id(), "foreign"),
        ],
    )
    .await;
    message.delivery.status = Status::Sent;
    save(&stores, &mut message).await;
    // A repetition does not take the place of the first.
    stores
        .messages
        .accept(vec![with_key(tenant, "k")])
        .await
        .remove(0)
        .expect("the store answers");

    let found = stores
        .messages
        .find_by_idempotency_key(&tenant, &idempotency_key("k"))
        .await;
    assert_eq!(found, Ok(Some(message)));
    for key in ["K", "unknown", "foreign"] {
        let found = stores
            .messages
            .find_by_idempotency_key(&tenant, &idempotency_key(key))
            .await;
        assert_eq!(found, Ok(None), "{key}");
    }
}
