//! The suite of what a store does about messages that it holds but cannot read.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::{Message, MessageId, MessageKey, Status, TenantId};
use dakghar_core::ports::{Acceptance, StoreError};
use futures_util::future::BoxFuture;

use super::read_pages;
use super::stores::{Stores, accept_all, ids};
use crate::samples::{With as _, at, outbound, phone_number_id, tenant_id, wamid, with_key};

/// The port of the cases.
pub struct Breakable {
    /// The store.
    pub stores: Stores,
    /// Breaks a message past the store, each time in another way.
    pub break_it: Box<dyn Fn(MessageKey) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// Runs the suite: `unreadable_suite!(factory)`, where the factory gives `Breakable`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! unreadable_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, unreadable:
            it_is_loaded_as_an_error_of_its_own
            what_is_due_behind_it_is_found
            lists_leave_it_out_and_their_pages_stay_full
            dead_letters_leave_it_out
            it_does_not_spoil_the_replay_of_another_key
            it_does_not_hide_the_wamid_of_another
        }
    };
}

impl Breakable {
    /// Stores so many messages, of which every one but each third is broken then. Returns both kinds.
    async fn mixed(&self, count: usize, message: impl Fn(usize) -> Message) -> (Vec<Message>, Vec<Message>) {
        let messages: Vec<Message> = (0..count).map(message).collect();
        accept_all(&self.stores, &messages).await;
        let (mut whole, mut broken) = (Vec::new(), Vec::new());
        for (index, message) in messages.into_iter().enumerate() {
            if index % 3 == 2 {
                whole.push(message);
            } else {
                (self.break_it)(message.key()).await;
                broken.push(message);
            }
        }
        (whole, broken)
    }
}

pub async fn it_is_loaded_as_an_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(9, |_| outbound(tenant)).await;
    let keys: Vec<MessageKey> = broken.iter().chain(&whole).map(Message::key).collect();
    let loaded = port.stores.messages.load(&keys).await;
    let (first, last) = loaded.split_at(broken.len());
    for loaded in first {
        assert!(matches!(loaded, Err(StoreError::Corrupt(_))), "{loaded:?}");
    }
    assert_eq!(
        last,
        whole.into_iter().map(|message| Ok(Some(message))).collect::<Vec<_>>()
    );
    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..broken[0].key()
    };
    assert_eq!(
        port.stores.messages.load(&[foreign, whole_key(&keys)]).await[0],
        Ok(None)
    );
}

/// The key of one that is whole, so that its tenant is asked for too.
fn whole_key(keys: &[MessageKey]) -> MessageKey {
    keys[keys.len() - 1]
}

pub async fn what_is_due_behind_it_is_found(port: Breakable) {
    let waking = |index: usize| outbound(tenant_id()).with(|message| message.delivery.wake_at = Some(at(index as u64)));
    let (whole, _) = port.mixed(30, waking).await;
    for (limit, status) in [(4, None), (10, Some(Status::Queued)), (100, None)] {
        let due = port
            .stores
            .timers
            .due(at(1_000), status, limit)
            .await
            .expect("the store answers");
        let wanted = whole.len().min(limit as usize);
        assert_eq!(ids(&due), ids(&whole[..wanted]), "{limit}");
    }
}

pub async fn lists_leave_it_out_and_their_pages_stay_full(port: Breakable) {
    let tenant = tenant_id();
    let (mut whole, _) = port.mixed(24, |_| outbound(tenant)).await;
    whole.reverse();
    for status in [None, Some(Status::Queued)] {
        let fetch = async |before| list(&port, &tenant, status, before, 3).await;
        assert_eq!(read_pages(3, fetch, |id| *id).await, ids(&whole));
        let full = list(&port, &tenant, status, None, 3).await;
        assert_eq!(full, ids(&whole[..3]), "a page that is not full looks like the last");
    }
}

async fn list(
    port: &Breakable,
    tenant: &TenantId,
    status: Option<Status>,
    before: Option<MessageId>,
    limit: u32,
) -> Vec<MessageId> {
    let query = MessageQuery {
        status,
        before,
        limit,
        ..MessageQuery::default()
    };
    ids(&port
        .stores
        .lists
        .messages(tenant, &query)
        .await
        .expect("the store answers"))
}

pub async fn dead_letters_leave_it_out(port: Breakable) {
    let tenant = tenant_id();
    let dead = |_| outbound(tenant).with(|message| message.delivery.status = Status::Dead);
    let (mut whole, _) = port.mixed(12, dead).await;
    whole.reverse();
    for tenant in [Some(&tenant), None] {
        let found = port
            .stores
            .lists
            .dead_letters(tenant, None, 2)
            .await
            .expect("the store answers");
        assert_eq!(ids(&found), ids(&whole[..2]));
        let found = port
            .stores
            .lists
            .dead_letters(tenant, None, 50)
            .await
            .expect("the store answers");
        assert_eq!(ids(&found), ids(&whole));
    }
}

pub async fn it_does_not_spoil_the_replay_of_another_key(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(6, |index| with_key(tenant, &format!("key {index}"))).await;
    let again = |first: &Message| {
        outbound(tenant).with(|message| message.accepted.idempotency.clone_from(&first.accepted.idempotency))
    };
    let mut batch: Vec<Message> = broken.iter().map(again).collect();
    batch.push(again(&whole[0]));
    let answers = port.stores.messages.accept(batch).await;
    let (last, others) = answers.split_last().expect("answers");
    assert!(matches!(last, Ok(Acceptance::Replay { message_id, .. }) if *message_id == whole[0].accepted.id));
    for other in others {
        assert_ne!(*other, Ok(Acceptance::Stored), "a second message under one key");
    }
}

pub async fn it_does_not_hide_the_wamid_of_another(port: Breakable) {
    let tenant = tenant_id();
    let sent = |index| {
        outbound(tenant).with(|message| {
            message.delivery.status = Status::Sent;
            message.delivery.wamid = Some(wamid(&format!("wamid.{index}")));
            message.delivery.wamids = vec![wamid(&format!("wamid.{index}"))];
        })
    };
    let (whole, broken) = port.mixed(6, sent).await;
    let refs: Vec<_> = broken
        .iter()
        .chain(&whole)
        .map(|message| {
            (
                tenant,
                phone_number_id(),
                message.delivery.wamid.clone().expect("it was sent"),
            )
        })
        .collect();
    let found = port
        .stores
        .messages
        .find_by_wamid(&refs)
        .await
        .expect("the store answers");
    let whole: Vec<_> = whole.iter().map(|message| Some(message.key())).collect();
    assert_eq!(found[broken.len()..], whole);
}
