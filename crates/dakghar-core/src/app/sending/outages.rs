//! The outages of the store and the queue, as the worker meets them: each is logged once, and answered by single tries with
//! longer and longer waits between them. Whatever is due stays where it is meanwhile, and keeps its slots.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::failure::{Failure, Fault};
use crate::ports::{Clock, IdGenerator};

/// The wait after the first failure; it doubles with each further try.
const WAIT_FIRST: Duration = Duration::from_millis(500);
/// The longest wait. What is due then is that much late at most when the outage is over.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// An outage that goes on.
#[derive(Clone, Copy, Debug)]
struct Down {
    since: Duration,
    tries: u32,
    again_at: Duration,
}

/// Which of the store and the queue are down. All times are the machine's uptime.
#[derive(Default)]
struct State {
    store: Option<Down>,
    queue: Option<Down>,
}

/// Whether the store and the queue can be used.
#[derive(Clone)]
pub struct Outages {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl Outages {
    pub(in crate::app) fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self {
            state: Arc::default(),
            clock,
            ids,
        }
    }

    /// Notes a failure. Returns false, and does nothing, if it is not one of the surroundings: then it must be logged.
    /// Failures of one batch count as one try.
    pub fn note(&self, failure: &Failure) -> bool {
        if failure.fault() != Fault::Surroundings {
            return false;
        }
        // Only what needs a key waits for the key service, which tells by itself that it is away.
        if matches!(failure, Failure::Vault(_)) {
            return true;
        }
        let (now, jitter) = (self.clock.uptime(), self.ids.jitter());
        let mut state = self.state.lock();
        let down = match failure {
            Failure::Queue(_) => &mut state.queue,
            _ => &mut state.store,
        };
        let before = *down;
        if before.is_some_and(|before| now < before.again_at) {
            return true;
        }
        let tries = before.map_or(0, |before| before.tries) + 1;
        let wait = WAIT_FIRST.saturating_mul(1 << (tries - 1).min(10)).min(WAIT_MAX);
        // Many processes must not try in step.
        let wait = wait.mul_f64(0.5 + jitter / 2.0);
        *down = Some(Down {
            since: before.map_or(now, |before| before.since),
            tries,
            again_at: now + wait,
        });
        drop(state);
        if before.is_none() {
            tracing::warn!(%failure, "sending waits for the store or the queue, and tries again from time to time");
        }
        true
    }

    /// Notes that something was stored.
    pub fn store_answered(&self) {
        let ended = self.state.lock().store.take();
        self.tell_end(ended, "the store can be used again");
    }

    /// Notes that the queue gave something out.
    pub fn queue_answered(&self) {
        let ended = self.state.lock().queue.take();
        self.tell_end(ended, "the queue can be used again");
    }

    fn tell_end(&self, ended: Option<Down>, what: &str) {
        if let Some(ended) = ended {
            let seconds = self.clock.uptime().saturating_sub(ended.since).as_secs();
            tracing::info!(seconds, tries = ended.tries, "{what}");
        }
    }

    /// How long to wait before the next try, which should be one of a single message; `None` while there is no outage.
    pub fn wait(&self) -> Option<Duration> {
        let again_at = {
            let state = self.state.lock();
            state
                .store
                .into_iter()
                .chain(state.queue)
                .map(|down| down.again_at)
                .max()
        };
        again_at.map(|again_at| again_at.saturating_sub(self.clock.uptime()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Present;
    use crate::domain::ids::{AttemptLogId, EndpointId, EventId, MessageId, RedriveId, ReplayId, TenantId};
    use crate::ports::{QueueError, StoreError};
    use crate::vault::VaultError;

    #[derive(Default)]
    struct Uptime(Mutex<Duration>);

    impl Clock for Uptime {
        fn present(&self) -> Present {
            unreachable!("an outage has no date")
        }

        fn uptime(&self) -> Duration {
            *self.0.lock()
        }
    }

    /// The longest waits.
    struct NearlyOne;

    impl IdGenerator for NearlyOne {
        fn tenant_id(&self) -> TenantId {
            unreachable!("an outage has no ids")
        }

        fn message_id(&self) -> MessageId {
            unreachable!("an outage has no ids")
        }

        fn event_id(&self) -> EventId {
            unreachable!("an outage has no ids")
        }

        fn endpoint_id(&self) -> EndpointId {
            unreachable!("an outage has no ids")
        }

        fn redrive_id(&self) -> RedriveId {
            unreachable!("an outage has no ids")
        }

        fn replay_id(&self) -> ReplayId {
            unreachable!("an outage has no ids")
        }

        fn attempt_log_id(&self) -> AttemptLogId {
            unreachable!("an outage has no ids")
        }

        fn jitter(&self) -> f64 {
            1.0
        }

        fn secret_bytes(&self) -> [u8; 32] {
            unreachable!("an outage has no secrets")
        }
    }

    #[test]
    fn single_tries_come_after_longer_and_longer_waits_until_it_is_over() {
        let clock = Arc::new(Uptime::default());
        let outages = Outages::new(clock.clone(), Arc::new(NearlyOne));
        let full = Failure::from(StoreError::Full("no space".into()));
        assert_eq!(outages.wait(), None);
        let mut waits = Vec::new();
        for _ in 0..6 {
            assert!(outages.note(&full));
            // The rest of a batch is no further try.
            assert!(outages.note(&full));
            let wait = outages.wait().expect("an outage");
            waits.push(wait.as_millis());
            *clock.0.lock() += wait;
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(outages.wait(), Some(Duration::ZERO), "it is time for a try");
        outages.note(&Failure::from(QueueError("away".into())));
        outages.store_answered();
        assert!(outages.wait().is_some(), "the queue is down still");
        outages.queue_answered();
        assert_eq!(outages.wait(), None);
        assert!(
            !outages.note(&Failure::from(StoreError::Corrupt("page 7".into()))),
            "no outage"
        );
        assert!(outages.note(&Failure::from(VaultError::Unavailable("away".into()))));
        assert_eq!(outages.wait(), None, "only what needs a key waits for the key service");
    }
}
