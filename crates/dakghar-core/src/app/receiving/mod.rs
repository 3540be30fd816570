//! Receives Meta's webhooks. Every part of one is durable before the answer.
//!
//! Nothing is applied later. If the process dies before the answer, Meta posts the same body again, and every write
//! absorbs the repetition. After the answer there is nothing left to do.

mod accounts;
mod calls;
mod corrections;
mod events;
mod lag;
mod news;
mod sort;
mod waves;

use std::sync::Arc;

use super::commits::merge::Merge;
use super::commits::receive::{Inbound, Receives};
use super::failure::{Failure, Fault};
use super::listening::Listening;
use super::meta_apps::KnownApps;
use super::opt_outs::OptOuts;
use super::sending::NumberHolds;
use super::tenants::Tenants;
use super::tenants::directory::Directory;
use super::tokens::AppSecrets;
use crate::domain::message::{Origin, StatusRecord};
use crate::domain::meta_app::Addressed;
use crate::domain::opaque::OpaqueSigner;
use crate::domain::trace::{Attribute, SpanName};
use crate::domain::webhook::{EventReason, StatusReport, WebhookEvent};
use crate::domain::{ErrorCode, HoldReason, Problem, graph_error};
use crate::metrics::{Metrics, Received as Counted};
use crate::ports::{Ports, Received, SignatureCheck, StoreError};
use crate::traces::Span;
use accounts::Accounts;
use calls::Calls;
use corrections::corrections;
use events::{Element, Events};
use lag::Arrived;
use news::News;
use sort::{Sorted, Sorter};
use waves::Histories;

/// The parts of a webhook, counted by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookReceipt {
    /// Messages from people, stored now.
    pub messages: usize,
    /// Messages that the business wrote in its app, and those of its history, stored now.
    pub echoes: usize,
    /// Statuses kept with their messages.
    pub statuses: usize,
    /// Events kept for a tenant.
    pub events: usize,
    /// Parts that belong to no tenant, or could not be understood; kept and visible.
    pub unrouted: usize,
    /// Messages received before.
    pub duplicates: usize,
    /// Those of them that came with another content now; kept and visible.
    pub corrected: usize,
}

impl WebhookReceipt {
    fn count(&mut self, messages: &[Received], is_echo: &[bool]) {
        for (received, is_echo) in messages.iter().zip(is_echo) {
            match received {
                Received::New if *is_echo => self.echoes += 1,
                Received::New => self.messages += 1,
                Received::Duplicate(_) => self.duplicates += 1,
            }
        }
    }

    fn count_events(&mut self, events: &[WebhookEvent]) {
        for event in events {
            if event.tenant_id.is_some() && event.reason == EventReason::Routed {
                self.events += 1;
            } else {
                self.unrouted += 1;
            }
        }
    }
}

impl WebhookReceipt {
    /// Counts the parts.
    fn tell(&self, metrics: &Metrics) {
        let parts = [
            (Counted::Message, self.messages),
            (Counted::Echo, self.echoes),
            (Counted::Status, self.statuses),
            (Counted::Event, self.events),
            (Counted::Unrouted, self.unrouted),
            (Counted::Absorbed, self.duplicates - self.corrected),
            (Counted::Corrected, self.corrected),
        ];
        for (part, count) in parts {
            metrics.received.of(part).inc_by(count as u64);
        }
    }
}

fn not_signed() -> Failure {
    let detail = "X-Hub-Signature-256 must sign the raw body.";
    Problem::new(ErrorCode::InvalidSignature, detail).into()
}

/// Receives webhooks.
pub struct Receiving {
    ports: Ports,
    receives: Receives,
    sorter: Sorter,
    holds: NumberHolds,
    listening: Arc<Listening>,
    apps: Arc<KnownApps>,
    opt_outs: Arc<OptOuts>,
    calls: Calls,
    news: News,
    histories: Histories,
}

impl Receiving {
    pub(super) fn new(
        ports: Ports,
        receives: Receives,
        (tenants, directory): (Arc<Tenants>, Arc<Directory>),
        opaque: Arc<OpaqueSigner>,
        (holds, opt_outs): (NumberHolds, Arc<OptOuts>),
        (listening, apps, app_secrets): (Arc<Listening>, Arc<KnownApps>, AppSecrets),
    ) -> Self {
        let sorter = Sorter {
            events: Events {
                ids: ports.ids.clone(),
                clock: ports.clock.clone(),
            },
            messages: ports.messages.clone(),
            accounts: Accounts::new(tenants.clone(), directory.clone(), ports.clock.clone()),
            directory,
            opaque,
        };
        Self {
            calls: Calls::new(&ports),
            news: News::new(tenants.clone(), app_secrets, ports.clock.clone()),
            histories: Histories::new(tenants, ports.clock.clone()),
            ports,
            receives,
            sorter,
            holds,
            listening,
            apps,
            opt_outs,
        }
    }

    /// Checks that Meta may use this webhook URL. Returns the challenge, which must be sent back.
    pub async fn verify<'a>(
        &self,
        addressed: Addressed<'_>,
        mode: &str,
        token: &str,
        challenge: &'a str,
    ) -> Result<&'a str, Failure> {
        const CHALLENGE_BYTES_MAX: usize = 256;
        let known = self.apps.look().await;
        let is_ours = self.ports.webhooks.is_verify_token(addressed, token);
        if !is_ours {
            // It may be that of an app that is not known.
            known?;
        }
        if mode == "subscribe" && is_ours && challenge.len() <= CHALLENGE_BYTES_MAX {
            Ok(challenge)
        } else {
            let detail = "The mode or the verify token is wrong.";
            Err(Problem::new(ErrorCode::VerificationFailed, detail).into())
        }
    }

    /// Refuses a webhook that has no signature and needs one, before its body is known.
    pub fn expect_signature(&self, addressed: Addressed<'_>, signatures: &[&[u8]]) -> Result<(), Failure> {
        let verdict = || self.ports.webhooks.check_signature(addressed, &[], signatures);
        let is_missing = signatures.is_empty() && verdict() == SignatureCheck::Invalid;
        if is_missing { Err(not_signed()) } else { Ok(()) }
    }

    /// Stores everything in a webhook's body. `signatures` are the values of its `X-Hub-Signature-256` headers.
    pub async fn receive(
        &self,
        addressed: Addressed<'_>,
        body: &[u8],
        signatures: &[&[u8]],
    ) -> Result<WebhookReceipt, Failure> {
        let attending = self.listening.attend();
        let received = self.take(addressed, body, signatures).await;
        if received
            .as_ref()
            .err()
            .is_none_or(|failure| failure.fault() == Fault::Caller)
        {
            attending.answered();
        }
        received
    }

    async fn take(
        &self,
        addressed: Addressed<'_>,
        body: &[u8],
        signatures: &[&[u8]],
    ) -> Result<WebhookReceipt, Failure> {
        let known = self.apps.look().await;
        match self.ports.webhooks.check_signature(addressed, body, signatures) {
            SignatureCheck::Valid => {}
            // It may be that of an app that is not known, so Meta is to post it again.
            SignatureCheck::Skipped => known?,
            SignatureCheck::Invalid => {
                known?;
                return Err(not_signed());
            }
        }
        let mut span = self.ports.traces.within(SpanName::Webhook, || None);
        let receipt = self.take_signed(body, &mut span).await;
        if let Err(failure) = &receipt {
            span.fail(failure.class());
        }
        receipt
    }

    /// Stores everything in a body that is signed.
    async fn take_signed(&self, body: &[u8], span: &mut Span) -> Result<WebhookReceipt, Failure> {
        let parts = self.ports.webhooks.parse(body);
        let mut arrived = Arrived::of(&parts, self.ports.clock.wall());
        let mut sorted = self.sorter.sort(parts).await?;
        arrived.sorted(&sorted, &self.ports.metrics);
        for received in &mut sorted.messages {
            received.message.accepted.trace = span.context();
        }
        span.say(Attribute::Parts(
            sorted.messages.len() + sorted.statuses.len() + sorted.events.len(),
        ));
        let left_out = sorted.left_out.take();
        self.opt_outs.keep(std::mem::take(&mut sorted.said)).await?;
        self.calls.note(std::mem::take(&mut sorted.calls)).await?;
        let news = std::mem::take(&mut sorted.news);
        let waves = std::mem::take(&mut sorted.waves);
        let receipt = self.store(sorted, span).await?;
        self.news.keep(news).await?;
        self.histories.keep(waves).await?;
        receipt.tell(&self.ports.metrics);
        arrived.tell(&self.ports.metrics);
        // Meta posts all of it again until that tenant can be read. The parts of other tenants, stored by then, are
        // absorbed.
        left_out.map_or(Ok(receipt), |error| Err(error.into()))
    }

    async fn store(&self, sorted: Sorted, span: &mut Span) -> Result<WebhookReceipt, Failure> {
        let Sorted {
            messages,
            statuses,
            events,
            ..
        } = sorted;
        let mut receipt = WebhookReceipt {
            statuses: statuses.len(),
            ..WebhookReceipt::default()
        };
        receipt.count_events(&events);
        let is_echo: Vec<bool> = messages
            .iter()
            .map(|received| received.message.accepted.origin != Origin::Person)
            .collect();
        let elements: Vec<Element> = messages.iter().map(Element::from).collect();
        let inbound = Inbound {
            messages,
            statuses: statuses.iter().map(|(record, _)| record.clone()).collect(),
            events,
        };
        let stored = self.receives.submit(inbound).await??;
        receipt.count(&stored.messages, &is_echo);
        span.link(stored.statuses.iter().filter_map(|settled| settled.trace));
        let corrected = corrections(&*self.ports.messages, &self.sorter.events, &elements, &stored.messages).await?;
        receipt.corrected = corrected.len();
        self.store_events(corrected).await?;

        self.hold_numbers(&statuses).await?;

        // A status must not vanish because its message cannot be read or is missing (after a backup was restored, say).
        let all = stored.statuses.iter().zip(&statuses);
        let lost = all.filter(|(result, _)| result.merge == Merge::NoSuchMessage);
        let lost: Vec<_> = lost
            .map(|(_, (record, report))| (record.key.tenant_id, report))
            .collect();
        let tenants = lost.iter().map(|(tenant_id, _)| *tenant_id);
        let tenants = self.sorter.directory.find_all(tenants).await;
        let mut orphans: Vec<WebhookEvent> = Vec::with_capacity(lost.len());
        for (tenant_id, report) in lost {
            // Nobody would see or erase what is kept for a tenant that is gone.
            let owner = match tenants.get(&tenant_id) {
                None | Some(Ok(None)) => None,
                Some(Ok(Some(_)) | Err(StoreError::Unreadable(_))) => Some(tenant_id),
                Some(Err(error)) => return Err(error.clone().into()),
            };
            orphans.push(self.sorter.events.of_status(owner, EventReason::UnknownMessage, report));
        }
        receipt.statuses -= orphans.len();
        receipt.unrouted += orphans.len();
        self.store_events(orphans).await?;
        Ok(receipt)
    }

    /// Stores what is known to be an event only when the other parts were stored.
    async fn store_events(&self, events: Vec<WebhookEvent>) -> Result<(), Failure> {
        if !events.is_empty() {
            let inbound = Inbound {
                events,
                ..Inbound::default()
            };
            self.receives.submit(inbound).await??;
        }
        Ok(())
    }

    /// Puts numbers on hold of which Meta reports, in a `failed` status, that they or their accounts may not send. A
    /// report that is older than the time between two probes says nothing about now: Meta posts again for days.
    async fn hold_numbers(&self, statuses: &[(StatusRecord, StatusReport)]) -> Result<(), Failure> {
        let now = self.ports.clock.now();
        let is_of_now = |report: &StatusReport| {
            report
                .reported_at
                .is_none_or(|at| now.since(at) < HoldReason::AccountRestricted.probe_interval())
        };
        let is_of_account = |report: &StatusReport| {
            let error = report.error.as_ref();
            let code = error.and_then(|error| Some((error.code?, error.subcode)));
            code.is_some_and(|(code, subcode)| graph_error::is_of_account(code, subcode))
        };
        let mut stopped: Vec<_> = statuses
            .iter()
            .filter(|(_, report)| is_of_account(report) && is_of_now(report))
            .map(|(record, report)| (record.key.tenant_id, &report.phone_number_id))
            .collect();
        // Many messages fail together, and one of them is enough.
        stopped.sort_unstable();
        stopped.dedup();
        for (tenant_id, number) in stopped {
            self.holds.number_restricted(&tenant_id, number).await?;
        }
        Ok(())
    }
}
