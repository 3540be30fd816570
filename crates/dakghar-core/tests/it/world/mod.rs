//! A world in memory: processes, a store, a queue, Meta and people, on one thread and under one clock.
//!
//! A test makes a [`World`], starts processes in it, and either lets them work by themselves or takes every step of the
//! worker. Calls go wrong as scripted ([`wire::Wire::script`]) or by chance ([`wire::Wire::weather`]). All the while
//! [`crate::promises`] watches.
//!
//! ```ignore
//! let world = World::new(Kind::Distributed);
//! let process = world.process();
//! let tenant = world.tenant(&process, UnknownOutcome::Fail);
//! let message = world.accept(&process, &tenant, "hello");
//! world.wire.script(Call::Claim, Fate::CrashesAfter);
//! world.run_for(Duration::from_secs(1));
//! assert_eq!(world.look(message).status(), Status::Sending);
//! ```

pub mod executor;
pub mod meta;
pub mod ports;
pub mod process;
pub mod random;
pub mod seen;
pub mod signal;
pub mod trace;
pub mod wire;

#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{DefaultApp, Settings};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{AppId, MessageKey, Secret, Tenant, TenantId};
use dakghar_testkit::TestClock;
use dakghar_testkit::memory::{MemoryOnboarding, MemoryQuota, MemoryStore, MemoryTokens};

use crate::promises::Promises;
use executor::Executor;
use meta::Meta;
use ports::{QueueKind, SeededIds, Shared};
use process::{Process, Setup};
use random::Random;
use seen::Seen;
use trace::Trace;
use wire::Wire;

/// The app at Meta that the world's processes know.
pub const APP: &str = "222";

/// Which backend the world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One process, whose queue is the table of messages.
    Embedded,
    /// Any number of processes, and a queue that can lose everything.
    Distributed,
}

/// The world.
pub struct World {
    shared: Shared,
    kind: Kind,
}

impl Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl World {
    /// A world in which nothing goes wrong by itself.
    pub fn new(kind: Kind) -> Self {
        Self::of_seed(kind, 1, true)
    }

    /// The world of this seed. A trace costs time.
    pub fn of_seed(kind: Kind, seed: u64, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        let clock = Arc::new(TestClock::default());
        let trace = Trace::new(clock.clone(), is_traced);
        let executor = Executor::new(clock.clone(), random.fork());
        let settings = Settings::default();
        let promises = Promises::new(
            executor.clone(),
            trace.clone(),
            settings.send.timings,
            settings.directory_ttl,
            kind == Kind::Distributed,
        );
        let quota = Arc::new(MemoryQuota::new(clock.clone()));
        let shared = Shared {
            wire: Wire::new(executor, trace, random.fork()),
            clock,
            walls: Arc::default(),
            ids: Arc::new(SeededIds::new(random.fork())),
            store: match kind {
                Kind::Embedded => MemoryStore::new(),
                Kind::Distributed => MemoryStore::with_arrivals(),
            },
            disk: Arc::default(),
            redis: Arc::default(),
            pacer: Arc::default(),
            quota,
            meta: Arc::new(Meta::new(random.fork())),
            receivers: Arc::default(),
            tokens: MemoryTokens::default(),
            onboarding: MemoryOnboarding::default(),
            gateways: Arc::default(),
            promises,
            unreadable: Arc::default(),
            unreadable_messages: Arc::default(),
            poisoned: Arc::default(),
            announced: Arc::default(),
            queued: signal::Signal::default(),
        };
        Self { shared, kind }
    }

    /// Which backend it is like.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How a process of this world is set up.
    pub fn setup(&self) -> Setup {
        Setup {
            queue: match self.kind {
                Kind::Embedded => QueueKind::Table,
                Kind::Distributed => QueueKind::Redis,
            },
            settings: Settings {
                is_sole_sender: self.kind == Kind::Embedded,
                default_app: DefaultApp {
                    id: AppId::parse(APP).ok(),
                    secrets: 1,
                    secret: Some(Secret::new("secret")),
                },
                ..Settings::default()
            },
            works_by_itself: true,
            reconciles_every: Duration::from_secs(1),
        }
    }

    /// A process that works by itself.
    pub fn process(&self) -> Process {
        Process::start(&self.shared, self.setup())
    }

    /// A process that does nothing by itself: the test takes the steps of its worker.
    pub fn idle_process(&self) -> Process {
        Process::start(
            &self.shared,
            Setup {
                works_by_itself: false,
                ..self.setup()
            },
        )
    }

    /// What the future comes to. Everything else goes on meanwhile.
    pub fn block_on<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.wire.executor.block_on(future)
    }

    /// Lets time go on.
    pub fn run_for(&self, duration: Duration) {
        self.wire.executor.run_for(duration);
        self.promises.assert_kept();
    }

    /// A tenant with a number of its own, of which `token` is the access token.
    pub fn tenant_with(&self, process: &Process, number: &str, token: &str, policy: UnknownOutcome) -> Tenant {
        let (process, number, token) = (process.clone(), number.to_owned(), token.to_owned());
        let registered = self.block_on(async move { process.register(&number, &token, policy).await });
        let tenant = registered.expect("registered");
        self.promises.tenant(tenant.id);
        tenant
    }

    /// A tenant whose number is of this account at Meta.
    pub fn tenant_in(&self, process: &Process, account: &str, number: &str) -> Tenant {
        let (process, account, number) = (process.clone(), account.to_owned(), number.to_owned());
        let registered = self.block_on(async move {
            process
                .register_in(Some(&account), &number, "token-1", UnknownOutcome::Fail)
                .await
        });
        let tenant = registered.expect("registered");
        self.promises.tenant(tenant.id);
        tenant
    }

    /// A tenant.
    pub fn tenant(&self, process: &Process, policy: UnknownOutcome) -> Tenant {
        self.tenant_with(process, "111", "token-1", policy)
    }

    /// A message of the tenant to somebody, accepted and durable.
    pub fn accept(&self, process: &Process, tenant: &TenantId, text: &str) -> MessageKey {
        let (process, tenant_id, body) = (process.clone(), *tenant, body(text, ""));
        let accepted = self.block_on(async move { process.accept(&tenant_id, &body, None).await });
        MessageKey {
            tenant_id,
            message_id: accepted.expect("accepted").message_id,
        }
    }

    /// The message as stored.
    pub fn look(&self, key: MessageKey) -> Seen {
        self.shared.look(key).expect("it exists")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks, ports and processes know each other.
        self.shared.gateways.0.lock().clear();
        self.shared.wire.executor.end_everything();
    }
}

/// A request to send this text; `more` are further members, each after a comma.
pub fn body(text: &str, more: &str) -> String {
    format!(r#"{{"to":"+919111111111","type":"text","text":{{"body":"{text}"}}{more}}}"#)
}
