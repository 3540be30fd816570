//! What the send worker does while the store fails: single tries with growing waits, and nothing at all while nobody can say
//! whether sending is held. The store that fails is also that of other tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::{IdempotencyKey, Message, MessageKey, PhoneNumberId, Present, TenantId, Wamid};
use dakghar_core::ports::{Acceptance, HoldStore, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError};
use dakghar_server::worker::run_sender;
use dakghar_testkit::memory::MemoryStore;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::{Service, Setup};

/// More than a worker takes in one batch.
const MESSAGES: usize = 300;
/// Of patience with a machine that is slow. Not a measurement.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the store fails.
#[derive(Default)]
pub(crate) struct Fails {
    /// Inserts of messages that take effect and whose answer gets lost, from now on.
    pub(crate) inserts_unanswered: Mutex<usize>,
    claims: Mutex<Option<StoreError>>,
    hold: Mutex<Option<StoreError>>,
    /// The messages of each claim that was tried.
    tried: Mutex<Vec<usize>>,
}

/// A store that loses its answers to inserts, takes no claims, or cannot say whether sending is held.
struct Failing {
    store: Arc<MemoryStore>,
    fails: Arc<Fails>,
}

#[async_trait]
impl MessageStore for Failing {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        let answers = self.store.accept(batch).await;
        let mut unanswered = self.fails.inserts_unanswered.lock();
        if *unanswered == 0 {
            return answers;
        }
        *unanswered -= 1;
        vec![Err(StoreError::Unavailable("no answer".into())); answers.len()]
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        self.store.receive(batch).await
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        self.store.load(keys).await
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.store.save(batch).await
    }

    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.fails.tried.lock().push(batch.len());
        let failure = self.fails.claims.lock().clone();
        match failure {
            Some(error) => vec![Err(error); batch.len()],
            // Somebody else has them, so nobody is called.
            None => vec![Ok(Saved::Stale); batch.len()],
        }
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        self.store.find_by_wamid(refs).await
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        self.store.find_by_idempotency_key(tenant_id, key).await
    }

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        self.store.statuses_arrived(message, phone_number_id, calls).await
    }
}

#[async_trait]
impl HoldStore for Failing {
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError> {
        let failure = self.fails.hold.lock().clone();
        match failure {
            Some(error) => Err(error),
            None => self.store.sending_hold().await,
        }
    }

    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError> {
        self.store.keep_sending_hold(hold).await
    }

    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError> {
        self.store.unsettled_by_number(present, limit).await
    }
}

/// A service whose store fails like this.
pub(crate) fn failing(fails: &Arc<Fails>) -> Setup {
    let fails = fails.clone();
    Setup {
        sending: Some(Arc::new(move |store: Arc<MemoryStore>| {
            let failing = Arc::new(Failing {
                store,
                fails: fails.clone(),
            });
            (failing.clone() as Arc<dyn MessageStore>, failing as Arc<dyn HoldStore>)
        })),
        ..Setup::default()
    }
}

/// A service with many due messages, which its worker begins to send. Its clock shows how time passes.
async fn start(fails: &Arc<Fails>) -> (Service, CancellationToken) {
    let service = Service::start(failing(fails));
    // A number has a share of the places for calls, so that they are of several.
    for number in 0..6 {
        let tenant = service.register("Tenant", &format!("11111111111111{number}")).await;
        for _ in 0..MESSAGES / 6 {
            service.send(&tenant, "+919111111111", "due").await;
        }
    }
    let clock = service.clock.clone();
    tokio::spawn(async move {
        let mut shown = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            // The clock of tests moves by whole milliseconds.
            let passed = Duration::from_millis(u64::try_from(shown.elapsed().as_millis()).expect("short"));
            shown += passed;
            clock.advance(passed);
        }
    });
    let stopping = CancellationToken::new();
    let (sending, holding) = (service.app.sending.clone(), service.app.holding.clone());
    tokio::spawn(run_sender(sending, holding, TaskTracker::new(), stopping.clone()));
    (service, stopping)
}

/// Waits until so many claims were tried, of which each has one message or more.
async fn until_tried(fails: &Fails, claims: usize) -> Vec<usize> {
    let begun = Instant::now();
    loop {
        let tried = fails.tried.lock().clone();
        if tried.len() >= claims {
            return tried;
        }
        assert!(begun.elapsed() < PATIENCE, "{claims} claims: {tried:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_claimed(fails: &Fails, messages: usize) {
    let begun = Instant::now();
    while fails.tried.lock().iter().sum::<usize>() < messages {
        assert!(
            begun.elapsed() < PATIENCE,
            "{messages} messages: {:?}",
            fails.tried.lock()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_no_claims_is_tried_with_one_message_at_growing_waits() {
    const TRIES: usize = 4;
    let fails = Arc::new(Fails::default());
    *fails.claims.lock() = Some(StoreError::Full("no space".into()));
    // Before the first try, however late this test sees it.
    let begun = Instant::now();
    let (service, stopping) = start(&fails).await;
    let first = until_tried(&fails, 1).await[0];
    assert!(first > 1, "the batch that meets the outage");
    // Another batch may have been prepared before the outage was known.
    let tried = until_tried(&fails, 2 + TRIES).await;
    // Three quarters of 0.5, 1, 2 and perhaps 4 seconds, by the jitter of tests.
    assert!(
        begun.elapsed() > Duration::from_millis(2_500),
        "{:?}: {tried:?}",
        begun.elapsed()
    );
    let together = tried[1..].iter().filter(|messages| **messages > 1).count();
    assert!(together <= 1, "{tried:?}");

    *fails.claims.lock() = None;
    // What was tried in vain waits for its timer, and this queue has lost it.
    let vain: usize = fails.tried.lock().iter().sum();
    until_claimed(&fails, MESSAGES).await;
    assert!(vain < MESSAGES, "some were left: {vain}");
    assert_eq!(service.app.sending.outages().wait(), None);
    stopping.cancel();
}

async fn nothing_is_sent_while_the_hold_is_unknown(error: StoreError) {
    let fails = Arc::new(Fails::default());
    *fails.hold.lock() = Some(error.clone());
    let (_service, stopping) = start(&fails).await;
    // Longer than an answer is believed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(fails.tried.lock().is_empty(), "{error:?}");
    *fails.hold.lock() = None;
    until_claimed(&fails, MESSAGES).await;
    stopping.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_nobody_can_say_whether_sending_is_held() {
    tokio::join!(
        nothing_is_sent_while_the_hold_is_unknown(StoreError::Unavailable("away".into())),
        nothing_is_sent_while_the_hold_is_unknown(StoreError::Corrupt("page 7".into())),
        nothing_is_sent_while_the_hold_is_unknown(StoreError::Unreadable("record".into())),
    );
}
