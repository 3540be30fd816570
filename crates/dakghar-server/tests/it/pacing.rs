//! Which slots messages get, and that accepting them waits for a slot only where it must.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use dakghar_adapters::local::LocalPacer;
use dakghar_core::domain::pacing::Admission;
use dakghar_core::domain::{Message, MessageId, MessageKey, PhoneNumberId, TenantId, Timestamp};
use dakghar_core::ports::{MessageStore as _, Pacer, PairAsk, PairLines, QueueError, SlotAsk};
use dakghar_testkit::clock::START;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use crate::harness::{Service, Setup, TestTenant, request};

/// How far ahead of its slot a message is put into the queue.
const WINDOW: Duration = Duration::from_mins(1);
/// A number whose next slot is no further ahead has no backlog.
const NEAR: Duration = Duration::from_secs(2);

/// A pacer that answers only as often as it is allowed to.
struct SlowPacer {
    inner: LocalPacer,
    answers: Semaphore,
    asked: Notify,
}

#[async_trait]
impl Pacer for SlowPacer {
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError> {
        self.asked.notify_waiters();
        self.answers.acquire().await.expect("never closed").forget();
        self.inner.reserve(asks).await
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        self.inner.refund(asks).await;
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        self.inner.admit(asks).await
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp) {
        self.inner.pause_until(phone_number_id, now, until).await;
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        self.inner.forget_beyond(phone_number_id, limit).await;
    }
}

#[async_trait]
impl PairLines for SlowPacer {
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError> {
        self.inner.have_lines(numbers).await
    }

    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError> {
        self.inner.turns(asks).await
    }

    async fn put_first(&self, ask: &PairAsk, until: Timestamp) {
        self.inner.put_first(ask, until).await;
    }

    async fn put_back(&self, ask: &PairAsk, until: Timestamp) {
        self.inner.put_back(ask, until).await;
    }
}

/// A service whose pacer does not answer yet, and a tenant that may send one message a second.
async fn slow_service() -> (Service, TestTenant, Arc<SlowPacer>) {
    let pacer = Arc::new(SlowPacer {
        inner: LocalPacer::new(),
        answers: Semaphore::new(0),
        asked: Notify::new(),
    });
    let service = Service::start(Setup {
        pacer: Some(pacer.clone()),
        ..Setup::default()
    });
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/phone-numbers/{}", tenant.id, tenant.phone_number_id);
    let changed = service
        .call(request(Method::PATCH, &path, Some(&json!({"messagesPerSecond": 1}))))
        .await;
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
    (service, tenant, pacer)
}

async fn stored(service: &Service, tenant: &TestTenant, id: &str) -> Message {
    let key = MessageKey {
        tenant_id: TenantId::parse(&tenant.id).expect("an id"),
        message_id: MessageId::parse(id).expect("an id"),
    };
    let found = service.store.load(&[key]).await.pop().expect("an answer");
    found.expect("readable").expect("it is there")
}

async fn until_queued(service: &Service, count: usize) {
    while service.queue.len() < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn accepting_waits_for_no_slot_while_there_is_no_backlog() {
    let (service, tenant, pacer) = slow_service().await;
    let id = service.send(&tenant, "+919111111111", "now").await;
    let message = stored(&service, &tenant, &id).await;
    assert_eq!(message.delivery.slot_at, Some(START));
    assert!(
        message.delivery.wake_at.is_some(),
        "its timer brings it back should nobody queue it"
    );
    assert!(service.queue.is_empty());
    pacer.answers.add_permits(1);
    until_queued(&service, 1).await;
    assert_eq!(service.queue.slots(), [START]);
}

#[tokio::test]
async fn a_message_whose_client_hung_up_is_queued_all_the_same() {
    let (service, tenant, pacer) = slow_service().await;
    pacer.answers.add_permits(5);
    for count in 1..=5 {
        service.send(&tenant, "+919111111111", "in turn").await;
        until_queued(&service, count).await;
    }
    // Behind a backlog the commit waits for its slot, and the client does not wait for the commit.
    let message = json!({"to": "+919111111111", "text": "in turn"});
    let path = format!("/tenants/{}/send", tenant.id);
    tokio::select! {
        biased;
        () = pacer.asked.notified() => {}
        answer = service.post(&path, &message) => panic!("{}", answer.text),
    }
    assert_eq!(service.queue.len(), 5);
    pacer.answers.add_permits(1);
    until_queued(&service, 6).await;
}

#[tokio::test]
async fn messages_of_a_number_with_a_backlog_are_stored_with_their_slots() {
    let (service, tenant, pacer) = slow_service().await;
    pacer.answers.add_permits(1_000);
    let mut known = Vec::new();
    for count in 1..=10 {
        let id = service.send(&tenant, "+919111111111", "in turn").await;
        until_queued(&service, count).await;
        let slots = service.queue.slots();
        assert_eq!(slots.len(), count);
        let has_backlog = known.last().is_some_and(|last: &Timestamp| *last > START + NEAR);
        let expected = if has_backlog { slots[count - 1] } else { START };
        assert_eq!(
            stored(&service, &tenant, &id).await.delivery.slot_at,
            Some(expected),
            "{count}"
        );
        known = slots;
    }
    let interval = known[1].since(known[0]);
    assert!(interval > Duration::from_secs(1), "slots of their own: {interval:?}");
    // Ever closer, as the share is expected to grow, up to 95 % from 65 %.
    let apart = known.windows(2).map(|pair| pair[1].since(pair[0]));
    let apart: Vec<Duration> = apart.collect();
    assert!(
        apart
            .windows(2)
            .all(|next| next[1] <= next[0] + Duration::from_millis(1)),
        "{apart:?}"
    );
    assert!(apart.iter().all(|apart| *apart >= interval * 65 / 96), "{apart:?}");
}

#[tokio::test]
async fn what_turns_out_to_be_for_later_is_left_to_its_timer_and_its_slot_to_others() {
    let (service, tenant, pacer) = slow_service().await;
    let ids = join_all((0..100).map(|_| service.send(&tenant, "+919111111111", "at once"))).await;
    pacer.answers.add_permits(1_000);
    // The slots in the window of a number that may send one a second, and learns its share meanwhile.
    let released = 55;
    until_queued(&service, released).await;
    // Only now is it known that the number is behind, so this one asks before it is stored.
    let next = service.send(&tenant, "+919111111111", "the next").await;
    let slots = service.queue.slots();
    assert_eq!(slots.len(), released);
    let interval = slots[released - 1].since(slots[released - 2]);
    let slot_at = stored(&service, &tenant, &next).await.delivery.slot_at.expect("a slot");
    let expected = slots[released - 1] + interval;
    assert!(slot_at.since(expected).max(expected.since(slot_at)) <= Duration::from_millis(2));
    for id in ids {
        let message = stored(&service, &tenant, &id).await;
        assert!(
            message.delivery.wake_at.is_some_and(|at| at <= START + WINDOW),
            "{:?}",
            message.delivery.wake_at
        );
    }
}
