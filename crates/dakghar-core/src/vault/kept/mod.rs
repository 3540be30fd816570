//! Data keys that a service elsewhere unwrapped, kept in memory for some minutes, so that the service is asked once for
//! an owner and not once for a message.
//!
//! - Whoever asks for the same key at the same time waits for one call.
//! - After some failures nobody asks any more; a probe now and then finds out whether the service is back.
//! - While the service cannot be reached, what is kept goes on to be used after its time, up to a limit of the settings.
//!   What it refuses is not.

mod memory;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;

use crate::domain::breaker::{Breaker, Open, Pass};
use crate::domain::ids::{AppId, TenantId};
use crate::metrics::{KeyCall, Metrics};
use crate::ports::{Clock, DataKey, IdGenerator, KeyContext, KeyError, KeyId, KeyOwner, KeyService};
use memory::{Id, Known, Memory};

pub use memory::KEPT_MAX;

/// The time for which a data key is used without asking again. With the time until it is forgotten, five minutes.
pub const KEPT_FOR: Duration = Duration::from_secs(270);
/// An answer of the service so long ago shows that it can be reached, so that what is too old may be forgotten.
const ANSWER_COUNTS: Duration = Duration::from_secs(20);

/// What is needed to keep the keys of a service.
pub struct KeptKeysSetup {
    /// The service.
    pub service: Arc<dyn KeyService>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub ids: Arc<dyn IdGenerator>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long a key may be used after its time while the service cannot be reached.
    pub outage_max: Duration,
}

/// A key service that is asked seldom.
#[derive(Clone)]
pub struct KeptKeys(Arc<Keeper>);

type Call = Shared<BoxFuture<'static, Result<DataKey, KeyError>>>;
type WeakCall = WeakShared<BoxFuture<'static, Result<DataKey, KeyError>>>;

struct Keeper {
    setup: KeptKeysSetup,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    /// Calls under way. One that everybody gave up is gone.
    calls: HashMap<Id, WeakCall>,
    breaker: Breaker,
    /// The latest answer, by the machine's uptime.
    answered_at: Option<Duration>,
    /// True if the latest call failed: then the service is asked again soon, so that an outage is known.
    is_doubtful: bool,
    /// True if the latest failure was a refusal.
    is_refused: bool,
    last_failure: String,
}

/// An owner that outlives the request for its key.
#[derive(Clone)]
enum Owner {
    Tenant(TenantId),
    App(AppId),
    Installation,
}

impl Owner {
    fn of(owner: KeyOwner<'_>) -> Self {
        match owner {
            KeyOwner::Tenant(id) => Self::Tenant(*id),
            KeyOwner::App(id) => Self::App(id.clone()),
            KeyOwner::Installation => Self::Installation,
        }
    }

    const fn context(&self) -> KeyContext<'_> {
        KeyContext {
            owner: match self {
                Self::Tenant(id) => KeyOwner::Tenant(id),
                Self::App(id) => KeyOwner::App(id),
                Self::Installation => KeyOwner::Installation,
            },
        }
    }
}

impl State {
    /// The age up to which a key may be used although the service does not say so again.
    fn age_max(&self, outage_max: Duration) -> Duration {
        if self.is_refused {
            KEPT_FOR
        } else {
            KEPT_FOR + outage_max
        }
    }

    fn older(&self, id: &Id, now: Duration, outage_max: Duration) -> Option<DataKey> {
        let (known, age) = self.memory.find(id, now)?;
        let key = known.as_ref().ok()?;
        (age < self.age_max(outage_max)).then(|| DataKey::clone(key))
    }

    fn away(&self) -> KeyError {
        if self.is_refused {
            KeyError::Refused(self.last_failure.clone())
        } else {
            KeyError::Unavailable(self.last_failure.clone())
        }
    }
}

impl KeptKeys {
    /// Keeps what this service unwraps.
    pub fn new(setup: KeptKeysSetup) -> Self {
        Self(Arc::new(Keeper {
            setup,
            state: Mutex::default(),
        }))
    }

    /// The call under way for this key, or a new one.
    fn call(&self, state: &mut State, id: Id, wrapped: &[u8], context: KeyContext<'_>) -> Call {
        if let Some(call) = state.calls.get(&id).and_then(WeakCall::upgrade) {
            return call;
        }
        state.calls.retain(|_, call| call.upgrade().is_some());
        let (keeper, wrapped, owner) = (self.0.clone(), wrapped.to_vec(), Owner::of(context.owner));
        let call = async move { keeper.fetch(id, &wrapped, &owner).await }.boxed().shared();
        let weak = call.downgrade().expect("a call that was just made is not over");
        state.calls.insert(id, weak);
        call
    }
}

impl Keeper {
    async fn fetch(&self, id: Id, wrapped: &[u8], owner: &Owner) -> Result<DataKey, KeyError> {
        let answer = self.setup.service.unwrap(wrapped, owner.context()).await;
        self.note(Pass::Go, answer.as_ref().err());
        let known = match &answer {
            Ok(key) => Ok(Arc::new(key.clone())),
            Err(KeyError::Unreadable(why)) => Err(*why),
            Err(KeyError::Unavailable(_) | KeyError::Refused(_)) => return answer,
        };
        self.keep(id, known);
        answer
    }

    fn keep(&self, id: Id, known: Known) {
        let now = self.setup.clock.uptime();
        let mut state = self.state.lock();
        state.memory.keep(id, known, now);
        self.show(&state);
    }

    fn show(&self, state: &State) {
        let kept = i64::try_from(state.memory.len()).unwrap_or(i64::MAX);
        self.setup.metrics.keys_kept.set(kept);
    }

    /// Takes note of the end of a call. Logs once when the service goes away, and once when it is back.
    fn note(&self, pass: Pass, error: Option<&KeyError>) {
        let KeptKeysSetup {
            clock, ids, metrics, ..
        } = &self.setup;
        let outcome = match error {
            None => KeyCall::Answered,
            Some(KeyError::Unreadable(_)) => KeyCall::Unreadable,
            Some(KeyError::Refused(_)) => KeyCall::Refused,
            Some(KeyError::Unavailable(_)) => KeyCall::Unavailable,
        };
        metrics.key_calls.of(outcome).inc();
        let (now, uptime) = (clock.now(), clock.uptime());
        let mut state = self.state.lock();
        let why = match error {
            None | Some(KeyError::Unreadable(_)) => {
                state.answered_at = Some(uptime);
                (state.is_doubtful, state.is_refused) = (false, false);
                let opened = state.breaker.succeeded();
                drop(state);
                if let Some(open) = opened {
                    metrics.key_service_away.set(0);
                    tracing::info!(
                        seconds = now.since(open.since).as_secs(),
                        "the key service can be used again"
                    );
                }
                return;
            }
            Some(error) => error,
        };
        state.is_refused = matches!(why, KeyError::Refused(_));
        (state.answered_at, state.is_doubtful) = (None, true);
        state.last_failure = match why {
            KeyError::Unavailable(text) | KeyError::Refused(text) => text.clone(),
            KeyError::Unreadable(text) => (*text).to_owned(),
        };
        let is_opened = state.breaker.failed(now, pass, ids.jitter());
        drop(state);
        if is_opened {
            metrics.key_service_away.set(1);
            tracing::warn!(%why, "the key service cannot be used; what is kept is used, and what needs a key waits");
        }
    }

    /// Forgets what is too old, and decides about a call of the service for itself: as the probe of one that is away, after
    /// a failure, and before something is forgotten, because a service that is away would not give it back.
    fn ask(&self) -> Option<Pass> {
        let (now, uptime) = (self.setup.clock.now(), self.setup.clock.uptime());
        let mut state = self.state.lock();
        if state.breaker.open().is_some() {
            let age_max = state.age_max(self.setup.outage_max);
            state.memory.forget_older(age_max, uptime);
            self.show(&state);
            let pass = state.breaker.ask(now, self.setup.ids.jitter());
            return (pass == Pass::Probe).then_some(pass);
        }
        let is_there = state
            .answered_at
            .is_some_and(|at| uptime.saturating_sub(at) < ANSWER_COUNTS);
        if is_there || state.is_refused {
            state.memory.forget_older(KEPT_FOR, uptime);
            self.show(&state);
        }
        (state.is_doubtful || state.memory.has_older(KEPT_FOR, uptime)).then_some(Pass::Go)
    }
}

/// A probe that is dropped without an end lets another one probe.
struct Probing<'a> {
    keeper: &'a Keeper,
    pass: Pass,
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        self.keeper.state.lock().breaker.not_tried(self.pass);
    }
}

#[async_trait]
impl KeyService for KeptKeys {
    fn key_id(&self) -> KeyId {
        self.0.setup.service.key_id()
    }

    fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, KeyError> {
        self.0.setup.service.key_id_of(wrapped)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        {
            let state = self.0.state.lock();
            if state.breaker.open().is_some() {
                return Err(state.away());
            }
        }
        let wrapped = self.0.setup.service.wrap(data_key, context).await;
        self.0.note(Pass::Go, wrapped.as_ref().err());
        let wrapped = wrapped?;
        // Whoever made it is about to use it.
        self.0.keep(Id::of(&wrapped, context), Ok(Arc::new(data_key.clone())));
        Ok(wrapped)
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let outage_max = self.0.setup.outage_max;
        let id = Id::of(wrapped, context);
        let call = {
            let now = self.0.setup.clock.uptime();
            let mut state = self.0.state.lock();
            match state.memory.find(&id, now) {
                Some((Ok(key), age)) if age < KEPT_FOR => return Ok(DataKey::clone(key)),
                Some((Err(why), age)) if age < KEPT_FOR => return Err(KeyError::Unreadable(why)),
                _ => {}
            }
            if state.breaker.open().is_some() {
                let older = state.older(&id, now, outage_max);
                return older.ok_or_else(|| state.away());
            }
            self.call(&mut state, id, wrapped, context)
        };
        let answer = call.await;
        if matches!(answer, Err(KeyError::Unavailable(_))) {
            let now = self.0.setup.clock.uptime();
            let older = self.0.state.lock().older(&id, now, outage_max);
            return older.map_or(answer, Ok);
        }
        answer
    }

    async fn ping(&self) -> Result<(), KeyError> {
        self.0.setup.service.ping().await
    }

    async fn look(&self) {
        let Some(pass) = self.0.ask() else { return };
        let probing = Probing { keeper: &self.0, pass };
        let answer = self.0.setup.service.ping().await;
        self.0.note(pass, answer.as_ref().err());
        drop(probing);
        if self.0.state.lock().answered_at.is_some() {
            self.0.ask();
        }
    }

    fn away(&self) -> Option<Open> {
        self.0.state.lock().breaker.open()
    }
}

#[cfg(test)]
mod tests;
