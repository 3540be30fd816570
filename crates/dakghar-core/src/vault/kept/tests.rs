//! What is asked of a service, and what is used while it is away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures_executor::block_on;
use futures_util::future::join_all;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;
use crate::domain::breaker::{FAILURES_MAX, PROBE_WAIT_MAX};
use crate::domain::ids::{AttemptLogId, EndpointId, EventId, MessageId, RedriveId, ReplayId};
use crate::domain::time::{Present, Timestamp};

const OUTAGE_MAX: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// How the service is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Well,
    Away,
    Refuses,
    /// No answer ever comes.
    Hangs,
}

/// A service whose wrapped keys are as those of nobody, and that counts what it is asked.
struct Counting {
    state: Mutex<State>,
    unwraps: AtomicUsize,
    wraps: AtomicUsize,
}

#[async_trait]
impl KeyService for Counting {
    fn key_id(&self) -> KeyId {
        KeyId::new("counting")
    }

    fn key_id_of(&self, _: &[u8]) -> Result<KeyId, KeyError> {
        Ok(self.key_id())
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        self.wraps.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        Ok([context.owner.to_string().as_bytes(), data_key.as_bytes()].concat())
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        self.unwraps.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        let key = wrapped.strip_prefix(context.owner.to_string().as_bytes());
        let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
        key.map(|key| DataKey::new(Zeroizing::new(key)))
            .ok_or(KeyError::Unreadable("another owner's"))
    }
}

impl Counting {
    async fn answer(&self) -> Result<(), KeyError> {
        // Others get to ask meanwhile.
        let mut is_first = true;
        std::future::poll_fn(|context| {
            if std::mem::take(&mut is_first) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        let state = *self.state.lock();
        match state {
            State::Well => Ok(()),
            State::Away => Err(KeyError::Unavailable("no route".into())),
            State::Refuses => Err(KeyError::Refused("permission denied".into())),
            State::Hangs => std::future::pending().await,
        }
    }
}

#[derive(Default)]
struct TestClock(Mutex<Duration>);

impl Clock for TestClock {
    fn present(&self) -> Present {
        Timestamp::from_millis(1_760_000_000_000 + i64::try_from(self.0.lock().as_millis()).unwrap()).into()
    }

    fn uptime(&self) -> Duration {
        *self.0.lock()
    }
}

/// The longest waits.
struct Jitter;

impl IdGenerator for Jitter {
    fn tenant_id(&self) -> TenantId {
        unreachable!("no ids are made")
    }

    fn message_id(&self) -> MessageId {
        unreachable!("no ids are made")
    }

    fn event_id(&self) -> EventId {
        unreachable!("no ids are made")
    }

    fn endpoint_id(&self) -> EndpointId {
        unreachable!("no ids are made")
    }

    fn redrive_id(&self) -> RedriveId {
        unreachable!("no ids are made")
    }

    fn replay_id(&self) -> ReplayId {
        unreachable!("no ids are made")
    }

    fn attempt_log_id(&self) -> AttemptLogId {
        unreachable!("no ids are made")
    }

    fn jitter(&self) -> f64 {
        1.0
    }

    fn secret_bytes(&self) -> [u8; 32] {
        unreachable!("no secrets are made")
    }
}

struct Kept {
    keys: KeptKeys,
    service: Arc<Counting>,
    clock: Arc<TestClock>,
    metrics: Arc<Metrics>,
}

impl Kept {
    fn new() -> Self {
        let service = Arc::new(Counting {
            state: Mutex::new(State::Well),
            unwraps: AtomicUsize::new(0),
            wraps: AtomicUsize::new(0),
        });
        let (clock, metrics) = (Arc::new(TestClock::default()), Arc::new(Metrics::default()));
        let keys = KeptKeys::new(KeptKeysSetup {
            service: service.clone(),
            clock: clock.clone(),
            ids: Arc::new(Jitter),
            metrics: metrics.clone(),
            outage_max: OUTAGE_MAX,
        });
        Self {
            keys,
            service,
            clock,
            metrics,
        }
    }

    fn open(&self, owner: u128) -> Result<DataKey, KeyError> {
        let (id, wrapped) = wrapped(owner);
        block_on(self.keys.unwrap(&wrapped, of(&id)))
    }

    fn unwraps(&self) -> usize {
        self.service.unwraps.load(Ordering::Relaxed)
    }

    fn is(&self, state: State) {
        *self.service.state.lock() = state;
    }

    fn passes(&self, time: Duration) {
        *self.clock.0.lock() += time;
    }

    /// Every second a look, for so long.
    fn lives(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.passes(SECOND);
            block_on(self.keys.look());
        }
    }

    fn kept(&self) -> i64 {
        self.metrics.keys_kept.get()
    }
}

fn wrapped(owner: u128) -> (TenantId, Vec<u8>) {
    let id = TenantId::from_uuid(Uuid::from_u128(owner));
    let wrapped = [id.to_string().as_bytes(), &[7; 32]].concat();
    (id, wrapped)
}

fn of(id: &TenantId) -> KeyContext<'_> {
    KeyContext { owner: id.into() }
}

#[test]
fn an_owners_key_is_asked_for_once_in_its_time_whatever_is_sent() {
    let kept = Kept::new();
    for _ in 0..1_000 {
        assert!(kept.open(1).is_ok());
        kept.passes(Duration::from_millis(200));
    }
    assert_eq!(kept.unwraps(), 1, "one call for an owner, and not one for a message");
    kept.passes(KEPT_FOR);
    assert!(kept.open(1).is_ok());
    assert_eq!(kept.unwraps(), 2);
}

#[test]
fn whoever_asks_at_the_same_time_waits_for_one_call() {
    let kept = Kept::new();
    let (id, wrapped) = wrapped(1);
    let asked = (0..100).map(|_| kept.keys.unwrap(&wrapped, of(&id)));
    assert!(block_on(join_all(asked)).iter().all(Result::is_ok));
    assert_eq!(kept.unwraps(), 1);
}

#[test]
fn a_call_that_everybody_gave_up_is_made_anew() {
    let kept = Kept::new();
    let (id, wrapped) = wrapped(1);
    {
        let given_up = kept.keys.unwrap(&wrapped, of(&id));
        futures_util::pin_mut!(given_up);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(given_up.as_mut().poll(&mut context).is_pending());
    }
    assert!(kept.open(1).is_ok());
    assert_eq!(kept.unwraps(), 2);
}

#[test]
fn a_key_is_kept_for_its_owner_only() {
    let kept = Kept::new();
    let (_, wrapped) = wrapped(1);
    assert!(kept.open(1).is_ok());
    let other = TenantId::from_uuid(Uuid::from_u128(2));
    for _ in 0..10 {
        let opened = block_on(kept.keys.unwrap(&wrapped, of(&other)));
        assert_eq!(opened.unwrap_err(), KeyError::Unreadable("another owner's"));
    }
    assert_eq!(kept.unwraps(), 2, "what does not unwrap is not asked for again either");
}

#[test]
fn a_key_that_was_made_here_is_kept() {
    let kept = Kept::new();
    let (id, _) = wrapped(1);
    let key = DataKey::new(Zeroizing::new([9; 32]));
    let wrapped = block_on(kept.keys.wrap(&key, of(&id))).unwrap();
    let opened = block_on(kept.keys.unwrap(&wrapped, of(&id))).unwrap();
    assert_eq!((opened.as_bytes(), kept.unwraps()), (&[9; 32], 0));
}

#[test]
fn what_nobody_asks_for_any_more_is_forgotten_within_five_minutes() {
    let kept = Kept::new();
    for owner in 0..10 {
        assert!(kept.open(owner).is_ok());
    }
    assert_eq!(kept.kept(), 10);
    kept.lives(Duration::from_secs(299));
    assert_eq!(kept.kept(), 0);
    let pings = kept.service.wraps.load(Ordering::Relaxed);
    assert_eq!(
        pings, 1,
        "the service is asked before its keys are forgotten, and not all the time"
    );
}

#[test]
fn so_many_are_kept_and_no_more() {
    let kept = Kept::new();
    for owner in 0..KEPT_MAX as u128 + 100 {
        assert!(kept.open(owner).is_ok());
        kept.passes(Duration::from_millis(1));
    }
    assert_eq!(kept.kept(), i64::try_from(KEPT_MAX).unwrap());
    let asked = kept.unwraps();
    assert!(kept.open(KEPT_MAX as u128).is_ok());
    assert_eq!(kept.unwraps(), asked, "the newest are kept");
    assert!(kept.open(0).is_ok());
    assert_eq!(kept.unwraps(), asked + 1, "the oldest have gone");
}

#[test]
fn while_the_service_is_away_what_is_kept_is_used_and_it_is_hardly_asked() {
    let kept = Kept::new();
    assert!(kept.open(1).is_ok());
    kept.is(State::Away);
    // Nobody asks for it: it must be there all the same when the outage goes on.
    kept.lives(Duration::from_secs(1_800));
    assert!(kept.keys.away().is_some());
    assert_eq!(kept.metrics.key_service_away.get(), 1);
    for _ in 0..1_000 {
        assert!(kept.open(1).is_ok());
        assert!(matches!(kept.open(2), Err(KeyError::Unavailable(_))), "it waits");
    }
    assert_eq!(kept.unwraps(), 1, "an outage is not made worse by those who wait");
    let probes = kept.service.wraps.load(Ordering::Relaxed);
    let probes_max = 1_800 / (PROBE_WAIT_MAX.as_secs() / 2) + 10;
    assert!(probes as u64 <= probes_max, "{probes} probes");

    kept.is(State::Well);
    kept.lives(PROBE_WAIT_MAX + SECOND);
    assert_eq!((kept.keys.away(), kept.metrics.key_service_away.get()), (None, 0));
    assert!(kept.open(2).is_ok());
    assert_eq!(
        kept.kept(),
        1,
        "what was too old is forgotten as soon as it can be asked for again"
    );
}

#[test]
fn an_outage_that_goes_on_for_too_long_ends_the_use_of_what_is_kept() {
    let kept = Kept::new();
    assert!(kept.open(1).is_ok());
    kept.is(State::Away);
    kept.lives((KEPT_FOR + OUTAGE_MAX).saturating_sub(SECOND * 5));
    assert!(kept.open(1).is_ok());
    kept.lives(SECOND * 5);
    assert!(matches!(kept.open(1), Err(KeyError::Unavailable(_))));
    assert_eq!(kept.kept(), 0);
}

#[test]
fn a_service_that_refuses_ends_the_use_of_what_is_too_old() {
    let kept = Kept::new();
    assert!(kept.open(1).is_ok());
    kept.is(State::Refuses);
    assert!(kept.open(1).is_ok(), "its time is not over");
    kept.lives(Duration::from_secs(299));
    assert_eq!(kept.kept(), 0);
    for owner in 1..100 {
        assert!(matches!(kept.open(owner), Err(KeyError::Refused(_))));
    }
    assert!(
        kept.unwraps() <= 1 + FAILURES_MAX as usize,
        "refusals are not asked for again"
    );
    kept.is(State::Well);
    kept.lives(PROBE_WAIT_MAX + SECOND);
    assert!(kept.open(1).is_ok());
}

#[test]
fn a_probe_that_hangs_holds_nobody_up() {
    let kept = Kept::new();
    assert!(kept.open(1).is_ok());
    kept.is(State::Away);
    for owner in 2..2 + u128::from(FAILURES_MAX) {
        assert!(kept.open(owner).is_err());
    }
    kept.is(State::Hangs);
    kept.passes(PROBE_WAIT_MAX);
    let look = kept.keys.look();
    {
        futures_util::pin_mut!(look);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(look.as_mut().poll(&mut context).is_pending());
        assert!(look.as_mut().poll(&mut context).is_pending());
        assert!(kept.open(1).is_ok());
        assert!(kept.open(9).is_err());
    }
    kept.is(State::Well);
    kept.lives(PROBE_WAIT_MAX);
    assert!(kept.open(9).is_ok(), "a probe that was given up lets the next one go");
}
