//! Prepares due messages for their call: the gate, the access token.
//!
//! A message that may not go out is settled or put off here. Nothing else changes, so after a crash every message is
//! still queued, and its timer brings it back.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::gate::{Candidate, Place, Verdict};
use super::in_flight::InHand;
use super::jobs::End;
use super::references::Referred;
use super::{Sending, message_key};
use crate::app::failure::Failure;
use crate::domain::message::{DeadReason, Message, NotClaimable, Status};
use crate::domain::page::Paged as _;
use crate::domain::tenant::SharedTenant;
use crate::domain::trace::{Attribute, SpanName};
use crate::domain::{MessageKey, Secret, Timestamp};
use crate::metrics::DoubtEnd;
use crate::ports::{Job, JobKey, Saved, StoreError};
use crate::traces::Span;
use crate::vault::VaultError;

/// The delay of a message whose access token cannot be opened.
const TOKEN_WAIT: Duration = Duration::from_secs(60);
/// The delay of a message whose data key is not kept while the key service is away.
const KEY_WAIT: Duration = Duration::from_secs(15);

/// A due message that passed the gate and is ready to be claimed.
#[derive(Debug)]
pub struct PreparedSend {
    /// The message as it will be once the claim is durable.
    pub(super) message: Message,
    /// The tenant that the token is of, as it was when the token was opened.
    pub(super) tenant: SharedTenant,
    pub(super) token: Secret,
    /// Of the app that the token is of, if it is one of ours.
    pub(super) app_secret: Option<Secret>,
    pub(super) job: Job,
    pub(super) place: Place,
    pub(super) in_hand: InHand,
    /// The machine's uptime when the lease began.
    pub(super) claimed_at: Duration,
    pub(super) span: Span,
}

/// A message whose claim is durable: it may be called for.
#[derive(Debug)]
pub struct ClaimedSend(pub(super) PreparedSend);

impl PreparedSend {
    /// Returns its job and drive, to find the message that crashes the worker.
    pub const fn key(&self) -> (JobKey, u32) {
        (self.job.key, self.job.drive)
    }
}

/// A due message whose number or tenant has all its calls under way. It is still queued. It stays in memory because
/// places are given back all the time; sending it back into the queue would cost several writes.
///
/// Or a job whose message is not read yet, because others have all the bytes.
#[derive(Debug)]
pub struct WaitingSend {
    message: Option<(Message, InHand)>,
    job: Job,
    since: Timestamp,
}

impl WaitingSend {
    /// Returns its job and drive, to find the message that crashes the worker.
    pub const fn key(&self) -> (JobKey, u32) {
        (self.job.key, self.job.drive)
    }
}

/// The due messages that were not settled or put off.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Messages to claim now.
    pub sends: Vec<PreparedSend>,
    /// Messages to prepare again when a call has ended.
    pub waiting: Vec<WaitingSend>,
}

/// A due message with its job.
struct Due {
    message: Message,
    job: Job,
    since: Timestamp,
    in_hand: InHand,
}

/// A message that goes no further now.
enum Stopped {
    /// The message was changed and must be saved before its job ends.
    Changed(Box<Message>, Job),
    /// There is nothing to save.
    Ended(Job, End<'static>),
}

impl Sending {
    /// Takes due messages through the gate, those that waited before first. Those that pass become ready for the claim;
    /// those that may not be sent now are settled or put off. After an error all others are still queued, and their
    /// timers bring them back.
    pub async fn prepare(&self, waited: Vec<WaitingSend>, jobs: Vec<Job>) -> Result<Prepared, Failure> {
        let mut stopped = Vec::new();
        let prepared = self.prepare_or_stop(waited, jobs, &mut stopped).await;
        if let Err(failure) = &prepared {
            self.outages.note(failure);
        }
        join_all(stopped.into_iter().map(|stopped| self.stop(stopped))).await;
        prepared
    }

    async fn prepare_or_stop(
        &self,
        waited: Vec<WaitingSend>,
        jobs: Vec<Job>,
        stopped: &mut Vec<Stopped>,
    ) -> Result<Prepared, Failure> {
        self.ports.store_health.may_claim()?;
        let mut waiting = Vec::new();
        let due = self.load(waited, jobs, stopped, &mut waiting).await?;
        let candidates = self.find_tenants(due, stopped).await?;
        let Referred { ready, waiting: early } = self.refer(candidates).await?;
        let (ready, given_up) = self.consent.divide(ready, self.ports.clock.present()).await?;
        let changed = early.into_iter().chain(given_up);
        stopped.extend(changed.map(|Candidate { message, job, .. }| Stopped::Changed(Box::new(message), job)));
        let mut passed = Vec::with_capacity(ready.len());
        for verdict in self.gate.judge(ready, self.ports.clock.present()).await? {
            match verdict {
                Verdict::Passed(candidate, place) => passed.push((candidate, place)),
                Verdict::Waits(Candidate {
                    message,
                    job,
                    since,
                    in_hand,
                    ..
                }) => waiting.push(WaitingSend {
                    message: Some((message, in_hand)),
                    job,
                    since,
                }),
                Verdict::HeldBack(Candidate { message, job, .. }) => {
                    stopped.push(Stopped::Changed(Box::new(message), job));
                }
            }
        }
        let sends = self.ready(passed, stopped).await;
        Ok(Prepared { sends, waiting })
    }

    /// Loads the messages of the jobs that are still queued. What finds no room in the hand waits until it does.
    async fn load(
        &self,
        waited: Vec<WaitingSend>,
        jobs: Vec<Job>,
        stopped: &mut Vec<Stopped>,
        waiting: &mut Vec<WaitingSend>,
    ) -> Result<Vec<Due>, StoreError> {
        let present = self.ports.clock.present();
        let now = present.now;
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for WaitingSend { message, job, since } in waited {
            match message {
                Some((message, in_hand)) => read.push((job, Ok(Some(message)), since, Some(in_hand))),
                None => unread.push(job),
            }
        }
        unread.extend(jobs);
        let messages = if self.gate.in_flight.hand_is_full() {
            vec![Err(StoreError::NotReadYet); unread.len()]
        } else {
            let keys: Vec<MessageKey> = unread.iter().map(|job| message_key(job.key)).collect();
            self.messages.load_all(&keys).await
        };
        let fresh = unread.into_iter().zip(messages);
        let fresh = fresh.map(|(job, message)| (job, message, now, None));
        let mut due = Vec::with_capacity(read.len() + fresh.len());
        let mut seen = HashSet::with_capacity(due.capacity());
        for (job, message, since, in_hand) in read.into_iter().chain(fresh) {
            // A batch may hold two jobs of one message, but a commit may name a message only once.
            if !seen.insert(job.key) {
                stopped.push(Stopped::Ended(job, End::Elsewhere));
                continue;
            }
            match message {
                // Before its slot is looked at: what is saved from here on has the right time.
                Ok(Some(mut message)) if message.is_ahead(now) && message.delivery.status == Status::Queued => {
                    message.bring_back(present, self.jobs.window());
                    stopped.push(Stopped::Changed(Box::new(message), job));
                }
                Ok(Some(message)) if message.delivery.status == Status::Queued => {
                    let in_hand = in_hand.unwrap_or_else(|| self.gate.in_flight.hold(message.bytes()));
                    due.push(Due {
                        message,
                        job,
                        since,
                        in_hand,
                    });
                }
                Err(StoreError::NotReadYet) => waiting.push(WaitingSend {
                    message: None,
                    job,
                    since,
                }),
                // Another job of the same message was faster, or the message was settled meanwhile.
                Ok(Some(message)) => self.jobs.end(job, &End::Stored(&message)),
                Ok(None) => stopped.push(Stopped::Ended(job, End::Elsewhere)),
                Err(StoreError::Corrupt(_) | StoreError::Unreadable(_)) => {
                    stopped.push(Stopped::Ended(job, End::Unreadable));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(due)
    }

    async fn find_tenants(&self, due: Vec<Due>, stopped: &mut Vec<Stopped>) -> Result<Vec<Candidate>, StoreError> {
        let ids = due.iter().map(|due| due.message.accepted.tenant_id);
        let tenants = self.directory.find_all(ids).await;
        let mut candidates = Vec::with_capacity(due.len());
        for Due {
            mut message,
            job,
            since,
            in_hand,
        } in due
        {
            match tenants.get(&message.accepted.tenant_id).cloned().unwrap_or(Ok(None)) {
                Ok(Some(tenant)) => candidates.push(Candidate {
                    message,
                    tenant,
                    job,
                    since,
                    in_hand,
                }),
                // A process that still remembered the removed tenant accepted this message.
                Ok(None) => {
                    message.abandon(self.now(), DeadReason::NumberRemoved);
                    stopped.push(Stopped::Changed(Box::new(message), job));
                }
                // The message stays queued, and its timer brings it back until a person repairs the tenant.
                Err(StoreError::Corrupt(_) | StoreError::Unreadable(_)) => {
                    stopped.push(Stopped::Ended(job, End::Unreadable));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(candidates)
    }

    /// Opens the tokens of messages that passed the gate.
    async fn with_tokens(
        &self,
        passed: Vec<(Candidate, Place)>,
        stopped: &mut Vec<Stopped>,
    ) -> Vec<(Candidate, Place, Secret)> {
        if passed.iter().any(|(candidate, _)| candidate.app().is_some()) {
            self.app_secrets.look().await;
        }
        // Together: keys that a service elsewhere must unwrap take it one round trip, and not one each.
        let opening = passed
            .iter()
            .map(|(candidate, _)| self.open_token(&candidate.tenant, &candidate.message));
        let opened = join_all(opening).await;
        let mut with_token = Vec::with_capacity(passed.len());
        for ((candidate, place), token) in passed.into_iter().zip(opened) {
            match token {
                Ok(token) => with_token.push((candidate, place, token)),
                Err(error) => stopped.push(self.without_token(candidate, &error)),
            }
        }
        with_token
    }

    /// Opens the tokens of messages that passed the gate, and writes the claims into the copies.
    async fn ready(&self, passed: Vec<(Candidate, Place)>, stopped: &mut Vec<Stopped>) -> Vec<PreparedSend> {
        let with_token = self.with_tokens(passed, stopped).await;
        // All claims get the same time: the store writes equal claims most cheaply.
        // The lease is measured from before the claim: what it takes to make it durable counts.
        let claimed_at = self.ports.clock.uptime();
        let present = self.ports.clock.present();
        let mut sends = Vec::with_capacity(with_token.len());
        for (candidate, place, token) in with_token {
            let app_secret = candidate.app().and_then(|app| self.app_secrets.of(app));
            let Candidate {
                mut message,
                tenant,
                job,
                in_hand,
                ..
            } = candidate;
            match message.claim(present, &self.settings.worker_id, &self.settings.send.timings) {
                Ok(()) => {
                    self.leases.begin(&message, claimed_at);
                    let span = self.begin_span(&message);
                    sends.push(PreparedSend {
                        message,
                        tenant,
                        token,
                        app_secret,
                        job,
                        place,
                        in_hand,
                        claimed_at,
                        span,
                    });
                }
                Err(NotClaimable::TooEarly(slot_at)) => {
                    message.postpone(present, slot_at, "slot", self.jobs.window());
                    stopped.push(Stopped::Changed(Box::new(message), job));
                }
                Err(NotClaimable::NotQueued | NotClaimable::Expired) => {
                    stopped.push(Stopped::Ended(job, End::Elsewhere));
                }
            }
        }
        sends
    }

    /// Puts off a message whose access token was not opened. No attempt is charged.
    fn without_token(&self, candidate: Candidate, error: &VaultError) -> Stopped {
        let Candidate { mut message, job, .. } = candidate;
        let accepted = &message.accepted;
        let (wait, why) = match error {
            // That it is away was told once.
            VaultError::Unavailable(_) => {
                tracing::debug!(message_id = %accepted.id, %error, "a message waits for the key service");
                (KEY_WAIT, "key_service_unavailable")
            }
            VaultError::Unreadable(_) => {
                tracing::error!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, %error, "the access token cannot be opened");
                (TOKEN_WAIT, "access_token_unreadable")
            }
        };
        let present = self.ports.clock.present();
        message.postpone(present, present.now + wait, why, self.jobs.window());
        Stopped::Changed(Box::new(message), job)
    }

    fn begin_span(&self, message: &Message) -> Span {
        let mut span = self.ports.traces.after(SpanName::Send, message.accepted.trace);
        span.say(Attribute::Tenant(message.accepted.tenant_id));
        span.say(Attribute::Message(message.accepted.id));
        span.say(Attribute::Attempt(message.delivery.attempt));
        span
    }

    /// Saves a message that was held back, and ends its job. If anything fails here, the message is still queued and
    /// its timer is set.
    async fn stop(&self, stopped: Stopped) {
        let (mut message, job) = match stopped {
            Stopped::Ended(job, end) => return self.jobs.end(job, &end),
            Stopped::Changed(message, job) => (message, job),
        };
        match self.messages.save(&mut message, Status::Queued).await {
            Ok(Saved::Done) => {
                let metrics = &self.ports.metrics;
                metrics.message_changed(Status::Queued, &message, DoubtEnd::Policy);
                self.jobs.release(&message);
                self.jobs.end(job, &End::Stored(&message));
            }
            // Another process was faster; this change never happened.
            Ok(Saved::Stale) => self.jobs.end(job, &End::Elsewhere),
            Err(failure) => {
                let accepted = &message.accepted;
                if !self.outages.note(&failure) {
                    tracing::warn!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, %failure, "a message stays queued");
                }
                if message.delivery.status == Status::Queued {
                    self.slots.give_back(&message).await;
                }
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }
}
