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
    let refs = ["wamid.B2", "wamid.none", "wamid.A", "wamid.a", "wamid.B1"].map(|text| (number.clone(), wamid(text)));
    let found = stores.messages.find_by_wamid(&refs).await;
    let (first, twice) = (Some(first.key()), Some(twice.key()));
    assert_eq!(found, Ok(vec![twice, None, first, None, twice]));
    assert_eq!(stores.messages.find_by_wamid(&[]).await, Ok(Vec::new()));
}

pub async fn a_wamid_is_found_for_its_number_only_whoever_sent_it(stores: Stores) {
    let first = accept_as(&stores, Status::Sent, sent(outbound(tenant_id()), &["wamid.A"])).await;
    let second = accept_as(
        &stores,
        Status::Sent,
        sent(outbound(tenant_id()), &["wamid.B", "wamid.C"]),
    )
    .await;
    let number = first.accepted.phone_number_id.clone();
    let refs = [
        (phone("999"), wamid("wamid.A")),
        (number.clone(), wamid("wamid.A")),
        (number.clone(), wamid("wamid.B")),
        (number, wamid("wamid.C")),
    ];
    let (first, second) = (Some(first.key()), Some(second.key()));
    assert_eq!(
        stores.messages.find_by_wamid(&refs).await,
        Ok(vec![None, first, second, second])
    );
}

pub async fn of_several_messages_with_a_wamid_the_newest_is_found(stores: Stores) {
    let older = accept_as(&stores, Status::Sent, sent(outbound(tenant_id()), &["wamid.A"])).await;
    let newer = accept_as(
        &stores,
        Status::Sent,
        sent(outbound(tenant_id()), &["wamid.B", "wamid.A"]),
    )
    .await;
    let reference = (older.accepted.phone_number_id, wamid("wamid.A"));
    assert_eq!(
        stores.messages.find_by_wamid(&[reference]).await,
        Ok(vec![Some(newer.key())])
    );
}

pub async fn a_received_wamid_is_not_found_as_a_sent_one(stores: Stores) {
    let message = inbound(tenant_id(), "wamid.A");
    receive_all(&stores, std::slice::from_ref(&message)).await;
    let reference = (message.accepted.phone_number_id, wamid("wamid.A"));
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
