//! What Dakghar promises, checked at every step against the truth: what was stored, what reached Meta, who was told what.
//!
//! The promises know more than Dakghar does. They see a message the moment it is stored, whoever stored it, and they see
//! what Meta made of a request even when the answer got lost.

mod answers;
mod calls;
mod end;
mod feed;
mod jobs;
mod transitions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dakghar_core::domain::message::Timings;
use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::{Hold, MessageKey, PhoneNumberId, Status, Subject, Tenant, TenantId, Timestamp, Wamid};
use dakghar_core::ports::{ListStore as _, StatusStore as _};
use dakghar_testkit::memory::MemoryStore;
use parking_lot::Mutex;

use crate::world::executor::{Executor, Life};
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::seen::Seen;
use crate::world::trace::Trace;
use crate::world::wire::Call;

/// A page of everything.
const ALL: PageLimit = PageLimit {
    bytes: usize::MAX,
    ..PageLimit::items(u32::MAX)
};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which promise, in words that are the same in every run.
    pub promise: &'static str,
    /// What happened.
    pub detail: String,
}

/// The watch over all promises.
pub struct Promises {
    executor: Executor,
    trace: Trace,
    timings: Timings,
    /// How long a process may remember a tenant.
    directory_ttl: Duration,
    /// Whether queued messages need a timer: not where the table itself is the queue.
    queued_needs_timer: bool,
    is_broken: AtomicBool,
    /// Whether processes write times that are not the true ones.
    clocks_are_wrong: AtomicBool,
    state: Mutex<State>,
}

/// Which transitions happened, by the names of the statuses.
pub type Reached = BTreeSet<(&'static str, &'static str)>;

#[derive(Default)]
struct State {
    broken: Option<Broken>,
    tenants: BTreeSet<TenantId>,
    stories: BTreeMap<MessageKey, Story>,
    by_wamid: BTreeMap<Wamid, (MessageKey, u32)>,
    by_key: BTreeMap<(TenantId, String), MessageKey>,
    jobs: BTreeMap<u64, jobs::Held>,
    jobs_taken: u64,
    /// What Meta's answers said to whom.
    told_sent: Vec<(Life, MessageKey, Wamid)>,
    /// Messages of which a job was dropped, with the epoch that they had then.
    jobs_dropped: BTreeSet<(MessageKey, u64)>,
    /// Since when people have stopped a tenant, or one of its numbers.
    paused: BTreeMap<(TenantId, Option<PhoneNumberId>), Timestamp>,
    /// Numbers of which a status has arrived, with the time of a call of the message that it was about.
    flowing: BTreeSet<(PhoneNumberId, Timestamp)>,
    /// When Meta first posted something about a call and nobody took it.
    refused: BTreeMap<Wamid, Timestamp>,
    reached: Reached,
    /// What tenants must be told of changes.
    news: BTreeSet<FeedEntryKey>,
}

/// The tenant and the subject of an entry.
type FeedEntryKey = (TenantId, Subject);

/// What is true about one message.
#[derive(Default)]
struct Story {
    claims: BTreeMap<u32, Claim>,
    decided: BTreeMap<u32, Answer>,
    /// The epochs of which an outcome was kept on a disk, and by whom.
    kept: BTreeMap<u64, Life>,
    /// Attempts that Meta reported as failed.
    failed: BTreeSet<u32>,
    /// Attempts up to this one may be followed by another that Meta takes, because somebody decided so.
    excused: u32,
    /// Somebody accepted the risk of a second one.
    risk_accepted: bool,
}

struct Claim {
    by: Life,
    epoch: u64,
    is_called: bool,
    /// When it was stored. The lease began before that.
    at: Timestamp,
}

impl Story {
    /// Who kept the outcome of the call that got this wamid.
    fn kept_of(&self, wamid: &Wamid, key: MessageKey) -> Option<Life> {
        let mut claims = self.claims.iter();
        let (_, claim) = claims.find(|(attempt, _)| Meta::wamid(key, **attempt) == *wamid)?;
        self.kept.get(&claim.epoch).copied()
    }

    fn taken(&self) -> impl Iterator<Item = u32> {
        self.decided
            .iter()
            .filter(|(_, answer)| answer.takes())
            .map(|(attempt, _)| *attempt)
    }

    fn has_taken(&self, attempt: u32) -> bool {
        self.decided.get(&attempt).is_some_and(|answer| answer.takes())
    }
}

/// What a check says: nothing, or what is wrong.
type Check = Result<(), Broken>;

fn broken<T>(promise: &'static str, detail: impl FnOnce() -> String) -> Result<T, Broken> {
    Err(Broken {
        promise,
        detail: detail(),
    })
}

/// The promise is kept if this is so.
fn must(is_so: bool, promise: &'static str, detail: impl FnOnce() -> String) -> Check {
    if is_so { Ok(()) } else { broken(promise, detail) }
}

impl Promises {
    pub fn new(
        executor: Executor,
        trace: Trace,
        timings: Timings,
        directory_ttl: Duration,
        queued_needs_timer: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            executor,
            trace,
            timings,
            directory_ttl,
            queued_needs_timer,
            is_broken: AtomicBool::new(false),
            clocks_are_wrong: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// The first promise that was broken.
    pub fn broken(&self) -> Option<Broken> {
        self.state.lock().broken.clone()
    }

    /// Panics if a promise was broken.
    pub fn assert_kept(&self) {
        if let Some(Broken { promise, detail }) = self.broken() {
            panic!("broken: {promise}\n{detail}\n{}", self.trace.lines().join("\n"));
        }
    }

    /// Whether a promise was broken.
    pub fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// From now on the times that processes write need not be the true ones.
    pub fn clocks_are_wrong(&self) {
        self.clocks_are_wrong.store(true, Ordering::Relaxed);
    }

    fn are_clocks_wrong(&self) -> bool {
        self.clocks_are_wrong.load(Ordering::Relaxed)
    }

    /// The transitions that happened.
    pub fn reached(&self) -> Reached {
        self.state.lock().reached.clone()
    }

    fn note(&self, state: &mut State, check: Check) {
        if let Err(found) = check
            && state.broken.is_none()
        {
            self.trace
                .note(|| format!("BROKEN: {} ({})", found.promise, found.detail));
            state.broken = Some(found);
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }

    fn now(&self) -> Timestamp {
        self.executor.now()
    }

    /// A tenant exists.
    pub fn tenant(&self, tenant: TenantId) {
        self.state.lock().tenants.insert(tenant);
    }

    /// Every message of every tenant.
    pub fn all(&self, store: &MemoryStore) -> Vec<Seen> {
        self.select(store, None)
    }

    /// Every message in this status.
    pub fn in_status(&self, store: &MemoryStore, status: Status) -> Vec<Seen> {
        self.select(store, Some(status))
    }

    fn select(&self, store: &MemoryStore, status: Option<Status>) -> Vec<Seen> {
        let query = MessageQuery {
            status,
            limit: ALL,
            ..MessageQuery::default()
        };
        let tenants: Vec<TenantId> = self.state.lock().tenants.iter().copied().collect();
        let of_tenant = |tenant: &TenantId| at_once(store.messages(tenant, &query)).expect("no outage").items;
        let mut all: Vec<_> = tenants.iter().flat_map(of_tenant).collect();
        for message in all
            .iter_mut()
            .filter(|message| message.delivery.status.may_be_further())
        {
            let reports = at_once(store.reports_of(&[message.key()]))
                .expect("no outage")
                .remove(0);
            message.merge_reports(reports);
        }
        all.retain(|message| status.is_none_or(|status| status == message.delivery.status));
        all.into_iter().map(Seen).collect()
    }

    /// A tenant was stored with these holds.
    pub fn tenant_changed(&self, tenant: &Tenant) {
        let now = self.now();
        let mut state = self.state.lock();
        let numbers = tenant
            .phone_numbers
            .iter()
            .map(|number| (Some(number.phone_number_id.clone()), number.hold));
        let holds: Vec<(Option<PhoneNumberId>, Option<Hold>)> = numbers.chain([(None, tenant.hold)]).collect();
        for (number, hold) in holds {
            let place = (tenant.id, number);
            if hold.is_some_and(|hold| hold.reason.is_pause()) {
                state.paused.entry(place).or_insert(now);
            } else {
                state.paused.remove(&place);
            }
        }
    }

    /// A new message is durable.
    pub fn stored(&self, by: Life, seen: &Seen) {
        self.trace.note(|| format!("{by:?} accepted {}", describe(seen)));
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.stories.entry(seen.key()).or_default();
        let check = self.check_timer(seen).and_then(|()| answers::remember_key(state, seen));
        self.note(state, check);
    }

    /// A message was stored again.
    pub fn changed(&self, by: Life, call: Call, before: &Seen, after: &Seen) {
        self.trace
            .note(|| format!("{by:?} {call:?}: {} -> {}", before.status().as_str(), describe(after)));
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state
            .reached
            .insert((before.status().as_str(), after.status().as_str()));
        state.news.extend(feed::news(before, after));
        let check = self.check_change(state, by, before, after);
        self.note(state, check);
    }

    /// A report on a message was recorded, and nothing else.
    pub fn reported(&self, by: Life, before: &Seen, after: &Seen) {
        self.trace
            .note(|| format!("{by:?} reports: {} -> {}", before.status().as_str(), describe(after)));
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if let Some(called_at) = after.called_at() {
            state.flowing.insert((after.number().clone(), called_at));
        }
        let (from, to) = (before.status(), after.status());
        if from != to {
            state.reached.insert((from.as_str(), to.as_str()));
        }
        let is_forward = from == to || (from.may_be_further() && from.rank() < to.rank());
        let check = must(
            is_forward && before.version() == after.version(),
            "a report alone moves only what was sent or has ended, and only forward",
            || format!("by {by:?}\n  before {}\n  after  {}", describe(before), describe(after)),
        );
        self.note(state, check);
    }

    /// A look at the messages of a tenant found this one.
    pub fn found(&self, asked: TenantId, found: Option<&Seen>) {
        let is_own = found.is_none_or(|seen| seen.key().tenant_id == asked);
        if !is_own {
            let mut state = self.state.lock();
            let check = broken("a tenant finds its own messages only", || {
                format!("{asked} found {found:?}")
            });
            self.note(&mut state, check);
        }
    }

    /// An act of a tenant changed this message.
    pub fn woken(&self, by: TenantId, before: &Seen) {
        let mut state = self.state.lock();
        let is_own = before.key().tenant_id == by;
        let check = must(is_own, "a tenant changes its own messages only", || {
            format!("{by} woke {before:?}")
        });
        self.note(&mut state, check);
    }
}

/// A message in one line.
pub fn describe(seen: &Seen) -> String {
    let from_start = |at: Option<Timestamp>| at.map(|at| at.since(dakghar_testkit::clock::START).as_millis());
    format!(
        "{} {} epoch {} attempt {}-{} drive {} v{} maybe {} slot {:?} wake {:?} {:?}",
        seen.key().message_id,
        seen.status().as_str(),
        seen.epoch(),
        seen.attempt(),
        seen.attempts_refunded(),
        seen.drive(),
        seen.version(),
        seen.maybe_sent(),
        from_start(seen.slot_at()),
        from_start(seen.wake_at()),
        seen.dead_reason(),
    )
}
