//! The reach of Meta's host. While it cannot be reached nothing is sent, and one call at a time probes it.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::domain::Timestamp;
use crate::domain::breaker::{Breaker, Open, Pass};
use crate::metrics::{self, Metrics};
use crate::ports::{Clock, IdGenerator};

/// The end of a call, as far as it tells about the host.
pub(super) enum Reach<'a> {
    /// It answered.
    Answered,
    /// The call went out, and nothing came back.
    NoAnswer,
    /// No connection came about, for this reason.
    Unreachable(&'a str),
    /// The call was not tried.
    NotTried,
}

/// Meta's host, as the calls of this process find it.
#[derive(Clone)]
pub(in crate::app) struct Host {
    breaker: Arc<Mutex<Breaker>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    /// 1 while it cannot be reached.
    is_open: Gauge,
}

/// The right to make one call. A probe that is dropped without a call lets another one probe.
pub(super) struct HostPass {
    host: Host,
    /// `None` for a call that does not go to the host, and after the call was told.
    pass: Option<Pass>,
}

impl Host {
    pub(in crate::app) fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>, metrics: &Metrics) -> Self {
        Self {
            breaker: Arc::default(),
            clock,
            ids,
            is_open: metrics.breaker_open.of(metrics::Host::Graph).clone(),
        }
    }

    /// Asks for one call. An error is the time from which it may ask again.
    pub(super) fn enter(&self, now: Timestamp) -> Result<HostPass, Timestamp> {
        match self.breaker.lock().ask(now, self.ids.jitter()) {
            Pass::Wait(until) => Err(until),
            pass => Ok(self.pass(Some(pass))),
        }
    }

    /// Returns the right to a call that does not go to the host.
    pub(super) fn bypass(&self) -> HostPass {
        self.pass(None)
    }

    fn pass(&self, pass: Option<Pass>) -> HostPass {
        HostPass {
            host: self.clone(),
            pass,
        }
    }

    /// Returns since when it cannot be reached, and when it is probed next.
    pub(in crate::app) fn unreachable(&self) -> Option<Open> {
        self.breaker.lock().open()
    }
}

impl HostPass {
    /// Tells the end of the call. Logs once when sending stops, and once when it goes on.
    pub(super) fn tell(&mut self, reach: &Reach<'_>) {
        let Some(pass) = self.pass.take() else { return };
        let (now, jitter) = (self.host.clock.now(), self.host.ids.jitter());
        let mut breaker = self.host.breaker.lock();
        match reach {
            Reach::Answered => {
                let opened = breaker.succeeded();
                if opened.is_some() {
                    self.host.is_open.set(0);
                }
                drop(breaker);
                if let Some(open) = opened {
                    let seconds = now.since(open.since).as_secs();
                    tracing::info!(
                        seconds,
                        probes = open.probes + 1,
                        "Meta is reached again; sending goes on"
                    );
                }
            }
            Reach::Unreachable(why) => {
                let is_opened = breaker.failed(now, pass, jitter);
                if is_opened {
                    self.host.is_open.set(1);
                }
                drop(breaker);
                if is_opened {
                    tracing::warn!(
                        why,
                        "Meta cannot be reached; sending waits, and one call at a time probes it"
                    );
                }
            }
            // Only a probe that brings an answer shows that the host is back.
            Reach::NoAnswer if pass == Pass::Probe => _ = breaker.failed(now, pass, jitter),
            Reach::NoAnswer | Reach::NotTried => breaker.not_tried(pass),
        }
    }
}

impl Drop for HostPass {
    fn drop(&mut self) {
        self.tell(&Reach::NotTried);
    }
}

impl std::fmt::Debug for HostPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostPass")
            .field("pass", &self.pass)
            .finish_non_exhaustive()
    }
}
