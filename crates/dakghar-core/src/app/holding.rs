//! The hold of all sending: for a backup that was restored, and for whoever wants to look before anything goes out.
//!
//! It is one record in the store, so it holds every process, also after a restart by mistake. Messages stay what they
//! are and wait; accepting and receiving go on. A process looks at it once a second, so what runs when it begins may make
//! calls for that long. Who starts with it sets it before anything of the process sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::auditing::{Deed, Ledger};
use crate::domain::Timestamp;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::hold::{SendingHold, UnsettledCount};
use crate::episode::Episode;
use crate::metrics::Metrics;
use crate::ports::{AuditedChange, Clock, HoldStore, Ports, StoreError};

/// The time for which an answer of the store is believed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most counts in a report.
pub const COUNTS_MAX: u32 = 10_000;

/// What was seen last, and when by the machine's uptime.
#[derive(Default)]
struct Seen {
    at: Option<Duration>,
    hold: Option<SendingHold>,
}

/// Whether anything may be sent.
pub struct Holding {
    store: Arc<dyn HoldStore>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    /// 1 while sending is held, as this process saw it last.
    is_held: Gauge,
    unreadable: Episode,
    /// When this process saw it end the last time; 0 if it never did.
    released_at: AtomicI64,
    ledger: Ledger,
}

/// The hold, and what waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReport {
    /// The hold, if there is one.
    pub hold: Option<SendingHold>,
    /// The messages that are not settled; at most [`COUNTS_MAX`] counts, the largest.
    pub waiting: Vec<UnsettledCount>,
}

impl Holding {
    pub(super) fn new(ports: &Ports, metrics: &Metrics) -> Self {
        Self {
            store: ports.holds.clone(),
            clock: ports.clock.clone(),
            seen: Mutex::default(),
            is_held: metrics.sending_held.clone(),
            unreadable: Episode::default(),
            released_at: AtomicI64::new(0),
            ledger: Ledger::new(ports),
        }
    }

    /// Returns the hold as it was a second ago or later. While the store cannot say, nothing may be sent.
    pub async fn hold(&self) -> Result<Option<SendingHold>, StoreError> {
        let now = self.clock.uptime();
        {
            let seen = self.seen.lock();
            if seen.at.is_some_and(|at| now.saturating_sub(at) < LOOK_EVERY) {
                return Ok(seen.hold);
            }
        }
        let hold = self.store.sending_hold().await?;
        self.note(now, hold);
        if let Some(looks) = self.unreadable.end() {
            tracing::info!(looks, "whether sending is held can be read again");
        }
        Ok(hold)
    }

    /// Notes that the hold cannot be read. Returns true if that is new, which is to be logged.
    pub fn note_unreadable(&self) -> bool {
        self.unreadable.note()
    }

    /// Returns the hold as it was seen last, without asking anybody.
    pub fn last_seen(&self) -> Option<SendingHold> {
        self.seen.lock().hold
    }

    /// Returns when this process saw a hold end the last time, if it did.
    pub fn released_at(&self) -> Option<Timestamp> {
        let at = self.released_at.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_millis(at))
    }

    /// Holds all sending, durably. A hold that is there goes on.
    pub async fn begin(&self, by: &Principal) -> Result<SendingHold, StoreError> {
        let now = self.clock.uptime();
        if let Some(hold) = self.store.sending_hold().await? {
            self.note(now, Some(hold));
            return Ok(hold);
        }
        let hold = SendingHold {
            since: self.clock.wall(),
        };
        self.keep(Some(hold), by, AuditAction::HoldBegun).await?;
        self.note(now, Some(hold));
        Ok(hold)
    }

    /// Ends the hold. Returns it, if there was one.
    pub async fn release(&self, by: &Principal) -> Result<Option<SendingHold>, StoreError> {
        let hold = self.store.sending_hold().await?;
        if hold.is_some() {
            self.keep(None, by, AuditAction::HoldReleased).await?;
        }
        self.note(self.clock.uptime(), None);
        Ok(hold)
    }

    async fn keep(&self, hold: Option<SendingHold>, by: &Principal, action: AuditAction) -> Result<(), StoreError> {
        let change = AuditedChange::KeepSendingHold(hold);
        let deed = Deed::new(by, action);
        self.ledger.carry_out(&change, &deed, Vec::new()).await.map(drop)
    }

    /// Returns the hold and what waits, as it is now.
    pub async fn report(&self) -> Result<HoldReport, StoreError> {
        let hold = self.store.sending_hold().await?;
        self.note(self.clock.uptime(), hold);
        let present = self.clock.present();
        let waiting = self.store.unsettled_by_number(present, COUNTS_MAX).await?;
        Ok(HoldReport { hold, waiting })
    }

    fn note(&self, at: Duration, hold: Option<SendingHold>) {
        let before = {
            let mut seen = self.seen.lock();
            seen.at = Some(at);
            std::mem::replace(&mut seen.hold, hold)
        };
        self.is_held.set(i64::from(hold.is_some()));
        match (before, hold) {
            (None, Some(hold)) => tracing::warn!(since = %hold.since, "all sending is held until it is released"),
            (Some(_), None) => {
                self.released_at.store(self.clock.now().as_millis(), Ordering::Relaxed);
                tracing::info!("sending is released");
            }
            _ => {}
        }
    }
}
