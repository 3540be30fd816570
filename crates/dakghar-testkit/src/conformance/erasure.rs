//! The suite of [`Erasure`](dakghar_core::ports::Erasure), which reaches over the ports of a tenant's messages,
//! conversations and events.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::{ConversationId, ConversationTouch, Direction, TenantId, WebhookEvent};

use super::stores::{Stores, accept_all, receive_all};
use crate::samples::{at, event, inbound, outbound, person, phone_number_id, tenant_id, wamid, with_key};

/// Runs the suite of `Erasure`: `erasure_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! erasure_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, erasure:
            nothing_to_erase_is_none
            everything_of_a_tenant_is_erased
            nobody_else_loses_anything
            what_was_erased_can_come_again
        }
    };
}

/// Seven messages under two keys, three conversations and four events.
const THINGS: u64 = 7 + 3 + 4;

async fn fill(stores: &Stores, tenant: TenantId) {
    let sent = [
        with_key(tenant, "a"),
        with_key(tenant, "b"),
        outbound(tenant),
        outbound(tenant),
        outbound(tenant),
    ];
    accept_all(stores, &sent).await;
    receive_all(stores, &[inbound(tenant, "wamid.A"), inbound(tenant, "wamid.B")]).await;
    let touches = ["1", "2", "3"].map(|digits| ConversationTouch {
        id: ConversationId::of(&tenant, &phone_number_id(), &person(digits)),
        tenant_id: tenant,
        phone_number_id: phone_number_id(),
        wa_id: person(digits),
        message_id: sent[0].accepted.id,
        at: at(1),
        direction: Direction::Inbound,
    });
    stores.conversations.touch(&touches).await.expect("the store answers");
    stores
        .events
        .record(&[0; 4].map(|_| event(tenant)))
        .await
        .expect("the store answers");
}

/// The numbers of messages, conversations and events that are there.
async fn count(stores: &Stores, tenant: &TenantId) -> [usize; 3] {
    let query = MessageQuery {
        limit: PageLimit::items(200),
        ..MessageQuery::default()
    };
    [
        stores
            .lists
            .messages(tenant, &query)
            .await
            .expect("the store answers")
            .items
            .len(),
        stores
            .conversations
            .list(tenant, None, PageLimit::items(200))
            .await
            .expect("the store answers")
            .items
            .len(),
        stores
            .events
            .list(Some(tenant), None, PageLimit::items(200))
            .await
            .expect("the store answers")
            .items
            .len(),
    ]
}

async fn erase(stores: &Stores, tenant: &TenantId, limit: u32) -> u64 {
    let mut erased = 0;
    loop {
        let count = stores.erasure.erase(tenant, limit).await.expect("the store answers");
        assert!(count <= u64::from(limit), "{count} at once");
        if count == 0 {
            return erased;
        }
        erased += count;
    }
}

pub async fn nothing_to_erase_is_none(stores: Stores) {
    fill(&stores, tenant_id()).await;
    assert_eq!(stores.erasure.erase(&tenant_id(), 100).await, Ok(0));
}

pub async fn everything_of_a_tenant_is_erased(stores: Stores) {
    for limit in [1, 3, 1_000] {
        let tenant = tenant_id();
        fill(&stores, tenant).await;
        assert_eq!(count(&stores, &tenant).await, [7, 3, 4]);
        assert_eq!(erase(&stores, &tenant, limit).await, THINGS);
        assert_eq!(count(&stores, &tenant).await, [0, 0, 0]);
    }
}

pub async fn nobody_else_loses_anything(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    fill(&stores, tenant).await;
    accept_all(&stores, &[with_key(other, "a")]).await;
    let unrouted = WebhookEvent {
        tenant_id: None,
        ..event(other)
    };
    stores
        .events
        .record(&[event(other), unrouted])
        .await
        .expect("the store answers");
    erase(&stores, &tenant, 5).await;
    assert_eq!(count(&stores, &other).await, [1, 0, 1]);
    assert_eq!(
        stores
            .events
            .list(None, None, PageLimit::items(10))
            .await
            .expect("the store answers")
            .items
            .len(),
        1
    );
}

pub async fn what_was_erased_can_come_again(stores: Stores) {
    let tenant = tenant_id();
    fill(&stores, tenant).await;
    erase(&stores, &tenant, 5).await;
    let reference = (phone_number_id(), wamid("wamid.A"));
    assert_eq!(stores.messages.find_by_wamid(&[reference]).await, Ok(vec![None]));
    // Neither the keys nor the wamids are remembered.
    fill(&stores, tenant).await;
    assert_eq!(count(&stores, &tenant).await, [7, 3, 4]);
}
