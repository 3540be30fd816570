//! Plans updates and posts them: one task that follows the schedule, and at most `concurrency` posts
//! under way. A post is repeated, ever more slowly, until it is answered with 200 or days have passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::{Event, Outgoing, StatusEvent, StatusKind};
use super::inbound::InboundMessage;
use super::plan::StatusPlan;
use super::post::{Poster, WebhookError};
use super::post_body::encode;
use super::schedule::{Item, Next, Repetition, Schedule};
use crate::clock;
use crate::config::{SimConfig, WebhookDelivery};
use crate::dice::Dice;
use crate::number::Number;
use crate::stats::Counter;
use crate::wamid::WamidFactory;

/// What follows an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followup {
    /// The statuses of the plan.
    Planned,
    /// One `failed` status with this code.
    Failed(u32),
    /// Nothing.
    Silence,
}

/// The sending side of the webhooks.
#[derive(Debug)]
pub(crate) struct Webhooks {
    poster: Poster,
    delivery: WebhookDelivery,
    plan: RwLock<Arc<StatusPlan>>,
    schedule: Mutex<Schedule>,
    /// Wakes the schedule's task when something earlier than it waits for is added.
    earlier: Notify,
    pending: AtomicUsize,
    emptied: Notify,
    dice: Dice,
    pub(crate) posts_ok: Counter,
    pub(crate) posts_failed: Counter,
    pub(crate) events_delivered: Counter,
    pub(crate) events_dropped: Counter,
}

impl Webhooks {
    pub(crate) fn build(config: &SimConfig) -> std::io::Result<Self> {
        Ok(Self {
            poster: Poster::build(
                config.webhook_url.as_deref(),
                config.app_secret.as_deref(),
                config.delivery.timeout_ms,
            )?,
            delivery: config.delivery,
            plan: RwLock::new(Arc::new(config.statuses.clone())),
            schedule: Mutex::default(),
            earlier: Notify::new(),
            pending: AtomicUsize::new(0),
            emptied: Notify::new(),
            dice: Dice::seeded(config.seed.wrapping_add(1)),
            posts_ok: Counter::default(),
            posts_failed: Counter::default(),
            events_delivered: Counter::default(),
            events_dropped: Counter::default(),
        })
    }

    pub(crate) fn set_url(&self, url: Option<&str>) {
        self.poster.set_url(url);
    }

    pub(crate) fn app_secret(&self) -> Option<Arc<str>> {
        self.poster.app_secret()
    }

    pub(crate) fn set_app_secret(&self, app_secret: Option<&str>) {
        self.poster.set_app_secret(app_secret);
    }

    pub(crate) fn set_plan(&self, plan: StatusPlan) {
        *self.plan.write() = Arc::new(plan);
    }

    pub(crate) fn plan(&self) -> Arc<StatusPlan> {
        Arc::clone(&self.plan.read())
    }

    /// Updates planned and not yet answered with 200.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    /// Whether no more updates may be planned.
    pub(crate) fn is_full(&self) -> bool {
        self.pending() >= self.delivery.pending_max
    }

    /// Returns once no update is pending.
    pub(crate) async fn idle(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.pending() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Plans what follows a message that is accepted `later` than now.
    pub(crate) fn follow(&self, message: Outgoing, followup: Followup, later: Duration) {
        let plan = self.plan();
        if self.poster.url().is_none() {
            return;
        }
        let message = Arc::new(message);
        let accepted_at = clock::now() + later;
        let accepted_since_epoch = clock::since_epoch() + later;
        let status = |kind, happens_after, error_code| Event::Status {
            message: Arc::clone(&message),
            kind,
            timestamp_seconds: seconds(accepted_since_epoch + happens_after),
            error_code,
        };
        let events = match followup {
            Followup::Silence => return,
            Followup::Planned if !plan.enabled => return,
            Followup::Planned => plan
                .steps(&self.dice)
                .into_iter()
                .map(|step| {
                    let at = accepted_at + step.posted_after;
                    (at, status(step.kind, step.happens_after, None))
                })
                .collect(),
            Followup::Failed(code) => {
                let delay = Duration::from_millis(plan.sent_ms.unwrap_or(0));
                let event = status(StatusKind::Failed, delay, Some(code));
                vec![(accepted_at + delay, event)]
            }
        };
        self.push_events(events);
    }

    /// Posts an inbound message as soon as possible and gives its id.
    pub(crate) fn receive(
        &self,
        inbound: InboundMessage,
        number: Arc<Number>,
        wamids: &WamidFactory,
    ) -> Result<String, WebhookError> {
        if self.poster.url().is_none() {
            return Err(WebhookError::NoUrl);
        }
        let complete = inbound.complete(wamids, seconds(clock::since_epoch()))?;
        let event = Event::Inbound {
            number,
            contact: complete.contact,
            message: complete.message,
        };
        self.push_events(vec![(clock::now(), event)]);
        Ok(complete.wamid)
    }

    /// Posts a single status as soon as possible.
    pub(crate) fn report(&self, status: StatusEvent, number: Arc<Number>) -> Result<(), WebhookError> {
        if self.poster.url().is_none() {
            return Err(WebhookError::NoUrl);
        }
        let is_failed = status.status == StatusKind::Failed;
        let event = Event::Status {
            kind: status.status,
            timestamp_seconds: status.timestamp.unwrap_or_else(|| seconds(clock::since_epoch())),
            error_code: status.error_code.or(is_failed.then_some(131_026)),
            message: Arc::new(Outgoing {
                wamid: status.wamid,
                number,
                wa_id: status.recipient_id,
                user_id: status.recipient_user_id,
                group_id: None,
                biz_opaque: status.biz_opaque_callback_data,
                category: "service",
            }),
        };
        self.push_events(vec![(clock::now(), event)]);
        Ok(())
    }

    /// A seed that was not given before.
    pub(crate) fn next_seed(&self) -> u64 {
        self.dice.up_to(u64::from(u32::MAX))
    }

    /// Posts these bytes once, signed, outside the schedule, and gives the HTTP status.
    pub(crate) async fn post_raw(&self, body: Vec<u8>) -> Result<u16, WebhookError> {
        self.poster.post(Bytes::from(body)).await
    }

    /// Plans whole bodies, each a time after now and with as many updates as it says. They are repeated as all others
    /// are until they are answered with 200.
    pub(crate) fn push_bodies(&self, bodies: Vec<(Duration, Bytes, usize)>) -> Result<(), WebhookError> {
        if self.poster.url().is_none() {
            return Err(WebhookError::NoUrl);
        }
        let updates: usize = bodies.iter().map(|(_, _, updates)| updates).sum();
        self.pending.fetch_add(updates, Ordering::AcqRel);
        let now = clock::now();
        for (after, body, events) in bodies {
            let repetition = Repetition {
                body,
                events,
                posts: 0,
                waited: Duration::ZERO,
            };
            self.push_repetition(now + after, repetition);
        }
        Ok(())
    }

    /// Adds updates in one step, so that `idle` never sees a message half planned.
    fn push_events(&self, events: Vec<(Instant, Event)>) {
        self.pending.fetch_add(events.len(), Ordering::AcqRel);
        let mut is_earlier = false;
        {
            let mut schedule = self.schedule.lock();
            for (at, event) in events {
                is_earlier |= schedule.push(at, Item::Event(event));
            }
        }
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    fn push_repetition(&self, at: Instant, repetition: Repetition) {
        let is_earlier = self.schedule.lock().push(at, Item::Repeat(repetition));
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    fn settle(&self, events: usize) {
        if self.pending.fetch_sub(events, Ordering::AcqRel) == events {
            self.emptied.notify_waiters();
        }
    }

    /// Follows the schedule until `shutdown`. What is pending then is lost.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken, tasks: TaskTracker) {
        let slots = Arc::new(Semaphore::new(self.delivery.concurrency.max(1)));
        let follow = async {
            loop {
                // First the slot, then the work: while all slots are taken, batches grow.
                let slot = Arc::clone(&slots).acquire_owned().await;
                let slot = slot.expect("the semaphore is never closed");
                let work = self.next_work().await;
                let (webhooks, shutdown) = (Arc::clone(&self), shutdown.clone());
                tasks.spawn(async move {
                    shutdown.run_until_cancelled(webhooks.post(work)).await;
                    drop(slot);
                });
            }
        };
        shutdown.run_until_cancelled(follow).await;
    }

    async fn next_work(&self) -> Work {
        loop {
            let plan = self.plan();
            let next = self.schedule.lock().next(clock::now(), plan.batch_max);
            match next {
                Next::Post(mut events) => {
                    if plan.shuffle {
                        self.dice.shuffle(&mut events);
                    }
                    return Work::Fresh(events);
                }
                Next::Repeat(repetition) => return Work::Repeat(repetition),
                Next::WaitUntil(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.earlier.notified() => {}
                    }
                }
                Next::Nothing => self.earlier.notified().await,
            }
        }
    }

    async fn post(&self, work: Work) {
        let repetition = match work {
            Work::Repeat(repetition) => repetition,
            Work::Fresh(events) => Repetition {
                body: Bytes::from(encode(&events)),
                events: events.len(),
                posts: 0,
                waited: Duration::ZERO,
            },
        };
        let Repetition {
            body,
            events,
            posts,
            waited,
        } = repetition;
        match self.poster.post(body.clone()).await {
            Ok(200) => {
                self.posts_ok.add(1);
                self.events_delivered.add(events);
                self.settle(events);
                return;
            }
            Err(WebhookError::NoUrl) => {
                self.events_dropped.add(events);
                self.settle(events);
                return;
            }
            Ok(status) => tracing::debug!(status, posts = posts + 1, "webhook not taken"),
            Err(error) => tracing::debug!(%error, posts = posts + 1, "webhook not answered"),
        }
        self.posts_failed.add(1);
        let wait = backoff(&self.delivery, posts);
        let waited = waited + wait;
        if waited > Duration::from_millis(self.delivery.retry_for_ms) {
            tracing::debug!(posts = posts + 1, "webhook given up");
            self.events_dropped.add(events);
            self.settle(events);
            return;
        }
        let repetition = Repetition {
            body,
            events,
            posts: posts.saturating_add(1),
            waited,
        };
        self.push_repetition(clock::now() + wait, repetition);
    }
}

/// What one post task does.
enum Work {
    Fresh(Vec<Event>),
    Repeat(Repetition),
}

/// The wait after the post number `posts` (from 0) failed.
fn backoff(delivery: &WebhookDelivery, posts: u32) -> Duration {
    let doubled = 2_u64
        .checked_pow(posts)
        .map_or(u64::MAX, |factor| delivery.retry_initial_ms.saturating_mul(factor));
    Duration::from_millis(doubled.min(delivery.retry_max_ms))
}

fn seconds(since_epoch: Duration) -> i64 {
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        let delivery = WebhookDelivery {
            retry_initial_ms: 200,
            retry_max_ms: 1_000,
            ..WebhookDelivery::default()
        };
        let waits: Vec<u128> = [0, 1, 2, 3, 64]
            .map(|posts| backoff(&delivery, posts).as_millis())
            .into();
        assert_eq!(waits, [200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn a_refused_post_comes_again_after_a_minute_and_then_ever_later_for_days() {
        let life = WebhookDelivery::default();
        let minutes: Vec<u64> = (0..12).map(|posts| backoff(&life, posts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
        assert_eq!(life.retry_for_ms, 7 * 86_400_000);
        let scaled = life.scaled_to(600);
        assert_eq!(backoff(&scaled, 1), Duration::from_millis(1_200));
        assert_eq!((scaled.retry_max_ms, scaled.retry_for_ms), (216_000, 6_048_000));
    }
}
