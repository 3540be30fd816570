//! Calls, which open a window without a message.

use dakghar_core::domain::{ConversationId, Direction, WindowOpening};

use super::super::stores::{Stores, touch};
use super::{apply, check, conversation};
use crate::samples::{at, person, phone_number_id, tenant_id};

pub async fn a_call_opens_the_window_and_moves_nothing_else(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let sent = touch(tenant, &person("1"), at(10), Direction::Outbound);
    let received = touch(tenant, &person("2"), at(20), Direction::Inbound);
    apply(&stores, &[sent.clone(), received.clone()]).await;
    let opening = |tenant_id, id, ms| WindowOpening {
        tenant_id,
        id,
        at: at(ms),
    };
    let unknown = ConversationId::of(&tenant, &phone_number_id(), &person("3"));
    let batch = [
        opening(tenant, sent.id, 30),
        opening(tenant, unknown, 30),
        opening(tenant, received.id, 30),
        opening(other, sent.id, 50),
        opening(tenant, received.id, 15),
    ];
    for _ in 0..2 {
        let opened = stores.conversations.open_windows(&batch).await;
        assert_eq!(opened, Ok(vec![true, false, true, false, true]));
        check(&stores, &conversation(&sent, Some(at(30)))).await;
        check(&stores, &conversation(&received, Some(at(30)))).await;
    }
    assert_eq!(stores.conversations.find(&tenant, &unknown).await, Ok(None));
    assert_eq!(stores.conversations.open_windows(&[]).await, Ok(Vec::new()));
}
