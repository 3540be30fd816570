//! The auditor: compares what clients were promised, what the store holds and what the simulated Meta wrote down.
//!
//! It demands, of every row: a message for each promise and one id for each key; every message settled, without a
//! timer left; no attempt called twice, and no more calls than attempts; every wamid that was given out on exactly
//! one message; and no message taken by Meta twice, unless the policy for unknown outcomes sent it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::callbacks;
use super::evidence::{Journal, Seen, UNSETTLED, all_messages, count_unsettled, message_of};
use super::feeds;
use super::installation::Installation;
use super::load::Loaded;

/// How long the installation may take to settle everything. Not a measurement: past it something is stuck.
const SETTLING_MAX: Duration = Duration::from_secs(240);
/// Meta has it.
const TAKEN: [&str; 3] = ["sent", "delivered", "read"];
/// Broken promises that are shown at length.
const SHOWN: usize = 5;
/// Wamids a message keeps.
const WAMIDS_MAX: usize = 4;

/// Which messages may end as dead because nobody knows their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    #[default]
    None,
    /// Those that were not called: their worker died between claim and call, which nobody can tell from later. Under
    /// `auto` also only those whose status nobody could have received.
    Uncalled,
    /// The same, and under `auto` those after which nobody called for long, so that nothing shows whether statuses arrive.
    UncalledLast,
    Any,
}

/// What a row allows that would otherwise be a broken promise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowance {
    pub unknown_outcomes: Unknown,
    /// Messages may be sent again by the policy for unknown outcomes, and arrive twice.
    pub resent: bool,
    /// The store was put back to an earlier state: what came later is gone.
    pub forgotten: bool,
    /// No status webhooks come.
    pub no_statuses: bool,
}

impl Allowance {
    /// Every call has its evidence; only where there was none the policy decides.
    pub const BY_EVIDENCE: Self = Self {
        unknown_outcomes: Unknown::Uncalled,
        resent: false,
        forgotten: false,
        no_statuses: false,
    };
}

/// What the auditor counted.
#[derive(Debug, Default)]
pub struct Verdict {
    pub promised: usize,
    pub sent: usize,
    pub lost: usize,
    pub doubled: usize,
    pub resent: usize,
    pub in_doubt: usize,
    pub dead: usize,
    pub server_errors: u64,
    /// How long each message that waited for the end of the fault waited for its own, in milliseconds.
    pub healing_ms: Vec<i64>,
    /// Broken promises, in words.
    pub broken: Vec<String>,
    /// The messages, for what only one row wants to know.
    pub messages: BTreeMap<String, Seen>,
    allowed: Allowance,
}

impl Verdict {
    /// The columns that every row has.
    pub fn columns(&self) -> String {
        let waited = self.healing_ms.len();
        let percentile = |part: usize| -> String {
            let at = (waited.saturating_sub(1)) * part / 100;
            let ms = self.healing_ms.get(at).copied().unwrap_or_default();
            format!("{}.{} s", ms / 1000, ms % 1000 / 100)
        };
        let healing = if waited == 0 {
            "nothing waited".to_owned()
        } else {
            format!("{} / {} ({waited})", percentile(50), percentile(100))
        };
        format!(
            "{:>7} {:>7} {:>5} {:>7} {:>7} {:>8} {:>5} {:>6}  {healing:<24}",
            self.promised,
            self.sent,
            self.lost,
            self.doubled,
            self.resent,
            self.in_doubt,
            self.dead,
            self.server_errors
        )
    }

    /// Fails if a promise was broken.
    pub fn demand(&self) {
        assert!(self.broken.is_empty(), "broken promises:\n{}", self.broken.join("\n"));
        assert_eq!(self.lost, 0, "messages were lost");
        assert_eq!(self.doubled, 0, "messages were sent twice");
        assert!(
            self.allowed.resent || self.resent == 0,
            "messages arrived twice by policy"
        );
    }
}

/// Milliseconds now, by the clock that the servers go by too.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Waits until everything is settled, and counts. `healed_ms` is when the fault was over.
pub async fn audit(installation: &Installation, loaded: &Loaded, healed_ms: i64, allowed: Allowance) -> Verdict {
    let mut verdict = Verdict {
        promised: loaded.promises.len(),
        server_errors: loaded.counts.server_errors(),
        allowed,
        ..Verdict::default()
    };
    for (status, count) in loaded.counts.refusals.range(400..500) {
        verdict
            .broken
            .push(format!("{count} requests were refused with {status}"));
    }
    let ids: BTreeSet<String> = loaded
        .promises
        .values()
        .flat_map(|promise| promise.ids.clone())
        .collect();
    for (key, promise) in &loaded.promises {
        if promise.ids.len() != 1 && !allowed.forgotten {
            verdict
                .broken
                .push(format!("the key {key} has several messages: {:?}", promise.ids));
        }
    }
    settle(installation, loaded, &mut verdict).await;
    let journal = Journal::read(installation);
    verdict.messages = all_messages(installation, loaded).await;
    verdict.lost = if allowed.forgotten {
        0
    } else {
        ids.iter().filter(|id| !verdict.messages.contains_key(*id)).count()
    };
    check_calls(&mut verdict, &journal);
    check_messages(&mut verdict, &ids, healed_ms);
    check_wamids(&mut verdict, &journal);
    let feeds = feeds::check(installation, loaded, &verdict.messages, allowed.forgotten).await;
    verdict.broken.extend(feeds);
    if !allowed.forgotten {
        verdict.broken.extend(callbacks::check(installation).await);
    }
    verdict.healing_ms.sort_unstable();
    if verdict.broken.len() > SHOWN {
        let more = verdict.broken.len() - SHOWN;
        verdict.broken.truncate(SHOWN);
        verdict.broken.push(format!("and {more} more"));
    }
    verdict
}

async fn settle(installation: &Installation, loaded: &Loaded, verdict: &mut Verdict) {
    let deadline = Instant::now() + SETTLING_MAX;
    loop {
        let unsettled = count_unsettled(installation, loaded).await;
        if unsettled == 0 {
            break;
        }
        if Instant::now() > deadline {
            verdict.broken.push(format!("{unsettled} messages are not settled"));
            break;
        }
        installation.hurry().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let left = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_secs(10));
    if tokio::time::timeout(left, installation.sim.idle()).await.is_err() {
        let pending = installation.sim.pending_webhooks();
        verdict.broken.push(format!("{pending} webhooks are not taken"));
    }
}

fn check_messages(verdict: &mut Verdict, promised: &BTreeSet<String>, healed_ms: i64) {
    let messages = std::mem::take(&mut verdict.messages);
    let mut keys = BTreeSet::new();
    for (id, message) in &messages {
        // Every key here belongs to one tenant only.
        if message.key.as_ref().is_some_and(|key| !keys.insert(key)) {
            verdict
                .broken
                .push(format!("{id} has a key that another message has: {message:?}"));
        }
        verdict.in_doubt += usize::from(message.was("in_doubt", ""));
        if message.status == "dead" {
            verdict.dead += 1;
        }
        if message.has_timer && !UNSETTLED.contains(&message.status.as_str()) {
            verdict
                .broken
                .push(format!("{id} is settled and has a timer: {message:?}"));
        }
        let is_taken = TAKEN.contains(&message.status.as_str());
        let is_unknown = message.dead_reason.as_deref() == Some("outcome_unknown");
        let is_allowed = match verdict.allowed.unknown_outcomes {
            Unknown::None => false,
            Unknown::Uncalled => {
                let was_deaf = message.was("waiting", "webhooks_were_not_received");
                is_unknown && message.calls == 0 && (message.policy != "auto" || was_deaf)
            }
            Unknown::UncalledLast => {
                let waited = ["webhooks_were_not_received", "no_statuses_of_neighbouring_calls"];
                let was_unproven = waited.iter().any(|reason| message.was("waiting", reason));
                is_unknown && message.calls == 0 && (message.policy != "auto" || was_unproven)
            }
            Unknown::Any => is_unknown,
        };
        if !is_taken && !is_allowed {
            verdict
                .broken
                .push(format!("{id} ended as {}: {message:?}", message.status));
        }
        if message.status == "sent" && !verdict.allowed.no_statuses {
            verdict
                .broken
                .push(format!("{id} lacks a status that was reported: {message:?}"));
        }
        let accepted_ms = message.timeline.first().map_or(0, |(at, _, _)| *at);
        if let Some(settled_ms) = message.settled_at()
            && accepted_ms < healed_ms
            && settled_ms > healed_ms
            && promised.contains(id)
        {
            verdict.healing_ms.push(settled_ms - healed_ms);
        }
    }
    verdict.messages = messages;
}

fn check_calls(verdict: &mut Verdict, journal: &Journal) {
    let mut by_message: HashMap<String, u64> = HashMap::new();
    for (opaque, calls) in &journal.calls {
        if *calls > 1 {
            verdict
                .broken
                .push(format!("the attempt {opaque} was called {calls} times"));
        }
        *by_message.entry(message_of(opaque)).or_default() += calls;
    }
    for (id, calls) in by_message {
        if let Some(message) = verdict.messages.get_mut(&id) {
            message.calls = calls;
        }
        match verdict.messages.get(&id) {
            Some(message) if calls > message.attempts => {
                let attempts = message.attempts;
                verdict
                    .broken
                    .push(format!("{id} was called {calls} times in {attempts} attempts"));
            }
            None if !verdict.allowed.forgotten => {
                verdict.broken.push(format!("{id} was called and is not in the store"));
            }
            _ => {}
        }
    }
}

fn check_wamids(verdict: &mut Verdict, journal: &Journal) {
    verdict.sent = journal.wamids.len();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (id, message) in &verdict.messages {
        for wamid in &message.wamids {
            if let Some(other) = owners.insert(wamid, id) {
                verdict
                    .broken
                    .push(format!("the wamid {wamid} is on {id} and on {other}"));
            }
        }
    }
    for (id, wamids) in &journal.wamids {
        let Some(message) = verdict.messages.get(id) else {
            continue;
        };
        if wamids.len() > 1 {
            let is_by_policy = message.was("waiting", "resend_after_unknown_outcome");
            verdict.resent += usize::from(is_by_policy);
            verdict.doubled += usize::from(!is_by_policy);
        }
        let is_explained = message.dead_reason.as_deref() == Some("outcome_unknown")
            || (verdict.allowed.resent && message.was("waiting", "resend_after_unknown_outcome"))
            || wamids.len() > WAMIDS_MAX;
        for wamid in wamids {
            if owners.get(wamid.as_str()) != Some(&id.as_str()) && !is_explained {
                verdict
                    .broken
                    .push(format!("the wamid {wamid} is not on {id}: {message:?}"));
            }
        }
    }
}
