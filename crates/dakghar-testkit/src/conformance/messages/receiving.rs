//! Inbound messages are stored once for each number and wamid.

use dakghar_core::ports::Received;

use super::super::stores::{Stores, accept_as, load, receive_all};
use crate::samples::{With as _, echo, inbound, inbound_bare, outbound, phone, tenant_id, wamid};

pub async fn inbound_messages_can_be_loaded(stores: Stores) {
    let tenant = tenant_id();
    let messages = [inbound(tenant, "wamid.A"), inbound_bare(tenant, "wamid.B")];
    receive_all(&stores, &messages).await;
    for message in messages {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
    assert_eq!(stores.messages.receive(Vec::new()).await, []);
}

pub async fn a_wamid_received_again_is_a_duplicate(stores: Stores) {
    let tenant = tenant_id();
    let first = inbound(tenant, "wamid.A");
    receive_all(&stores, std::slice::from_ref(&first)).await;

    let again = inbound_bare(tenant, "wamid.A");
    let other = inbound(tenant, "wamid.a");
    let answers = stores
        .messages
        .receive(vec![again.clone().into(), other.clone().into()])
        .await;
    let repeated = Received::Duplicate(Some(first.key()));
    assert_eq!(answers, [Ok(repeated), Ok(Received::New)]);
    assert_eq!(load(&stores, first.key()).await, Some(first));
    assert_eq!(load(&stores, again.key()).await, None);
    assert_eq!(load(&stores, other.key()).await, Some(other));
}

pub async fn a_wamid_twice_in_a_batch_is_stored_once(stores: Stores) {
    let tenant = tenant_id();
    let batch = ["wamid.A", "wamid.B", "wamid.A"].map(|wamid| inbound(tenant, wamid));
    let answers = stores
        .messages
        .receive(batch.iter().cloned().map(Into::into).collect())
        .await;
    let repeated = Received::Duplicate(Some(batch[0].key()));
    assert_eq!(answers, [Ok(Received::New), Ok(Received::New), Ok(repeated)]);
    for (message, answer) in batch.into_iter().zip(answers) {
        let expected = (answer == Ok(Received::New)).then_some(message.clone());
        assert_eq!(load(&stores, message.key()).await, expected);
    }
}

pub async fn each_is_received_once_whatever_the_batches_before_were_like(stores: Stores) {
    let tenant = tenant_id();
    let receive = async |wamids: &[&str]| {
        let batch = wamids.iter().map(|wamid| inbound(tenant, wamid).into()).collect();
        let answers = stores.messages.receive(batch).await;
        let is_new = |answer: Result<Received, _>| answer.expect("the store answers") == Received::New;
        answers.into_iter().map(is_new).collect::<Vec<_>>()
    };
    // All new, some repeated, all repeated, and new ones again, once beside what is repeated in the batch itself.
    assert_eq!(receive(&["A", "B"]).await, [true, true]);
    assert_eq!(receive(&["B", "C", "A", "D"]).await, [false, true, false, true]);
    assert_eq!(receive(&["E", "D", "E", "F"]).await, [true, false, false, true]);
    assert_eq!(receive(&["A", "F"]).await, [false, false]);
    assert_eq!(receive(&["G", "H"]).await, [true, true]);
    assert_eq!(receive(&["H", "I", "I"]).await, [false, true, false]);
}

pub async fn two_numbers_may_receive_the_same_wamid(stores: Stores) {
    let tenant = tenant_id();
    let messages = ["1", "2"]
        .map(|number| inbound(tenant, "wamid.A").with(|message| message.accepted.phone_number_id = phone(number)));
    receive_all(&stores, &messages).await;
    for message in messages {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
}

pub async fn an_own_message_is_no_duplicate_of_a_received_one(stores: Stores) {
    let tenant = tenant_id();
    let sent = outbound(tenant).with(|message| {
        message.delivery.wamid = Some(wamid("wamid.A"));
        message.delivery.wamids = vec![wamid("wamid.A")];
    });
    accept_as(&stores, sent.delivery.status, sent).await;
    receive_all(&stores, &[inbound(tenant, "wamid.A")]).await;
}

pub async fn twenty_at_once_of_one_wamid_store_one(stores: Stores) {
    let tenant = tenant_id();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let stores = stores.clone();
            tokio::spawn(async move {
                stores
                    .messages
                    .receive(vec![inbound(tenant, "wamid.A").into()])
                    .await
                    .remove(0)
            })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += u32::from(task.await.expect("no panic").expect("the store answers") == Received::New);
    }
    assert_eq!(new, 1);
}

pub async fn an_echo_is_received_once_and_found_by_its_wamid(stores: Stores) {
    let tenant = tenant_id();
    let first = echo(tenant, "wamid.E");
    // A message of ours and one of a person may have its wamid, and stand beside it.
    let own = outbound(tenant).with(|message| {
        message.delivery.wamid = Some(wamid("wamid.O"));
        message.delivery.wamids = vec![wamid("wamid.O")];
    });
    accept_as(&stores, own.delivery.status, own.clone()).await;
    receive_all(
        &stores,
        &[first.clone(), inbound(tenant, "wamid.I"), echo(tenant, "wamid.F")],
    )
    .await;
    assert_eq!(load(&stores, first.key()).await, Some(first.clone()));
    let again = ["wamid.E", "wamid.G", "wamid.E"].map(|wamid| echo(tenant, wamid).into());
    let answers = stores.messages.receive(again.to_vec()).await;
    let repeated = Received::Duplicate(Some(first.key()));
    assert_eq!(answers, [Ok(repeated), Ok(Received::New), Ok(repeated)]);
    let refs = ["wamid.E", "wamid.I"].map(|text| (first.accepted.phone_number_id.clone(), wamid(text)));
    let found = stores.messages.find_by_wamid(&refs).await;
    assert_eq!(found, Ok(vec![Some(first.key()), None]));
}
