//! Finds the tenant of each part of a webhook.

use std::collections::HashMap;
use std::sync::Arc;

use super::accounts::{Accounts, Heard};
use super::calls::Call;
use super::events::Events;
use super::news::Told;
use super::waves::Waves;
use crate::app::failure::Failure;
use crate::app::tenants::directory::{Directory, Found};
use crate::domain::message::{
    ATTEMPTS_MAX_DEFAULT, Accepted, Content, Delivery, Evidence, Message, Origin, Priority, Reported, StatusRecord,
    Terms, TimelineEntry, TimelineEvent, UnknownOutcome,
};
use crate::domain::opaque::OpaqueSigner;
use crate::domain::opt_out::{OptOutScope, OptOutSource, Wish, Word};
use crate::domain::tenant::SharedTenant;
use crate::domain::webhook::{
    EventReason, InboundMessage, OtherPart, PersonSignal, SignalKind, StatusReport, WebhookEvent, WebhookPart,
};
use crate::domain::{ConversationKind, ConversationTouch, MessageKey, PhoneNumberId, TenantId, WabaId};
use crate::ports::{MessageStore, ReceivedMessage, StoreError};

/// The type of what Meta says about a person (a new number or id) in the place of a message. The person wrote nothing.
const SYSTEM_NOTICE: &str = "system";

/// The parts of a webhook, by kind.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) statuses: Vec<(StatusRecord, StatusReport)>,
    unplaced: Vec<Unplaced>,
    pub(super) events: Vec<WebhookEvent>,
    /// What people said about being written to.
    pub(super) said: Vec<(TenantId, Wish)>,
    /// Calls of people.
    pub(super) calls: Vec<Call>,
    /// News of the standing of numbers.
    pub(super) news: Vec<(TenantId, Told)>,
    /// Pieces of histories, and the number of each.
    pub(super) waves: Vec<Waves>,
    /// Set if some parts are missing here because their tenant could not be read.
    pub(super) left_out: Option<StoreError>,
}

impl Sorted {
    /// Takes what people did, as a part of this tenant tells.
    fn take_signals(&mut self, tenant_id: TenantId, other: &OtherPart) {
        for signal in &other.signals {
            match (signal.kind, &other.phone_number_id) {
                (SignalKind::Calls, Some(number)) => self.calls.push(Call {
                    tenant_id,
                    number: number.clone(),
                    ids: signal.ids.clone(),
                    at: signal.at,
                }),
                (SignalKind::Calls, None) => {}
                (SignalKind::StopsMarketing | SignalKind::ResumesMarketing, _) => {
                    self.said.push((tenant_id, wish_of_signal(signal)));
                }
            }
        }
    }
}

/// A status of which its callback data and the present owner of its number do not say whose it is.
struct Unplaced {
    report: StatusReport,
    /// Why it is kept if nobody sent the message.
    reason: EventReason,
    /// Set if the present owner may have sent the message and cannot be read.
    unread: Option<StoreError>,
}

impl Unplaced {
    /// The data to be tried against past owners.
    fn to_try(&self) -> Option<&str> {
        let opaque = self.report.opaque.as_deref();
        opaque.filter(|opaque| OpaqueSigner::names_no_tenant(opaque))
    }
}

/// Sorts the parts of webhooks by tenant and kind.
pub(super) struct Sorter {
    pub(super) events: Events,
    pub(super) messages: Arc<dyn MessageStore>,
    pub(super) accounts: Accounts,
    pub(super) directory: Arc<Directory>,
    pub(super) opaque: Arc<OpaqueSigner>,
}

impl Sorter {
    /// Finds the tenant of each part.
    pub(super) async fn sort(&self, parts: Vec<WebhookPart>) -> Result<Sorted, Failure> {
        let owners = self.owners_of(&parts).await?;
        let mut sorted = Sorted::default();
        // First, so that events about an account find the tenants that these parts show to be in it. A crash behind it
        // loses nothing: Meta posts the parts again.
        self.accounts.learn(heard(&parts, &owners)).await;
        for part in parts {
            let owner = part.phone_number_id().and_then(|number| owners.get(number)).cloned();
            match (part, owner.unwrap_or(Ok(None))) {
                (WebhookPart::Status(report), owner) => self.sort_status(&mut sorted, owner, report),
                (_, Err(error)) => sorted.left_out = Some(error),
                (WebhookPart::Message(inbound), Ok(Some(tenant))) => self.sort_message(&mut sorted, &tenant, inbound),
                (WebhookPart::Message(inbound), Ok(None)) => sorted.events.push(self.events.of_message(&inbound)),
                (WebhookPart::Other(other), Ok(owner)) => self.sort_other(&mut sorted, owner, &other).await?,
            }
        }
        self.place_by_past_owner(&mut sorted).await?;
        self.place_by_wamid(&mut sorted).await?;
        Ok(sorted)
    }

    async fn owners_of(&self, parts: &[WebhookPart]) -> Result<HashMap<PhoneNumberId, Found>, Failure> {
        let mut numbers: Vec<PhoneNumberId> = parts.iter().filter_map(WebhookPart::phone_number_id).cloned().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let owners = self.directory.owners(&numbers).await?;
        Ok(numbers.into_iter().zip(owners).collect())
    }

    fn sort_message(&self, sorted: &mut Sorted, tenant: &SharedTenant, inbound: InboundMessage) {
        let now = self.events.clock.now();
        // A webhook that is a day late must not open today's window.
        let said_at = inbound.sent_at.unwrap_or(now).min(now);
        let opens_window = inbound.origin == Origin::Person
            && inbound.conversation_kind == ConversationKind::Person
            && &*inbound.kind != SYSTEM_NOTICE;
        sorted
            .said
            .extend(wish_of(tenant, &inbound).map(|wish| (tenant.id, wish)));
        let mut delivery = Delivery::reported(inbound.status, inbound.wamid.clone(), now);
        let mut entry = TimelineEntry::new(now, TimelineEvent::Received);
        entry.until = inbound.sent_at;
        delivery.timeline.push(entry);
        let accepted = Accepted {
            id: self.events.ids.message_id(),
            tenant_id: tenant.id,
            direction: inbound.direction(),
            phone_number_id: inbound.phone_number_id,
            peer: inbound.peer,
            peer_id: inbound.peer_id,
            content: Content {
                kind: inbound.kind,
                body: inbound.body,
                envelope: Some(inbound.raw),
                frame: inbound.frame,
                removed_at: None,
            },
            idempotency: None,
            metadata: None,
            client_opaque: None,
            priority: Priority::Normal,
            unknown_outcome: UnknownOutcome::Auto,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            created_at: now,
            origin: inbound.origin,
            terms: Terms::default(),
            trace: None,
            by_gateway_id: false,
            conversation_kind: inbound.conversation_kind,
            sender: inbound.sender,
        };
        delivery.conversation_id = accepted.conversation();
        let message = Message { accepted, delivery };
        let touch = message.touch(said_at, opens_window).map(|touch| ConversationTouch {
            also: inbound.also,
            name: inbound.name,
            ..touch
        });
        sorted.messages.push(ReceivedMessage { message, touch });
    }

    /// A status belongs to the tenant that sent the message, whoever has the number now.
    fn sort_status(&self, sorted: &mut Sorted, owner: Found, report: StatusReport) {
        let tried: Vec<TenantId> = owner.iter().flatten().map(|tenant| tenant.id).collect();
        let opaque = report.opaque.as_deref();
        let named = opaque.and_then(|opaque| self.opaque.verify(opaque, &tried, &report.phone_number_id));
        if let Some((key, attempt)) = named {
            sorted.statuses.push((self.record(key, Some(attempt), &report), report));
            return;
        }
        let reason = match owner {
            Ok(None) => EventReason::UnknownNumber,
            Ok(Some(_)) | Err(_) => EventReason::UnknownMessage,
        };
        let mut unplaced = Unplaced {
            report,
            reason,
            unread: None,
        };
        unplaced.unread = owner.err().filter(|_| unplaced.to_try().is_some());
        sorted.unplaced.push(unplaced);
    }

    async fn sort_other(
        &self,
        sorted: &mut Sorted,
        owner: Option<SharedTenant>,
        other: &OtherPart,
    ) -> Result<(), Failure> {
        let found = match (owner, &other.waba_id) {
            (Some(owner), _) => vec![Ok(Some(owner))],
            (None, Some(waba_id)) if other.phone_number_id.is_none() => {
                let owners = self.directory.owners_of_waba(waba_id).await?;
                match &other.display_digits {
                    Some(digits) => only_of_number(owners, waba_id, digits),
                    None => owners,
                }
            }
            _ => Vec::new(),
        };
        let mut owners = Vec::with_capacity(found.len());
        let mut unread = None;
        for owner in found {
            match owner {
                Ok(owner) => owners.extend(owner),
                Err(error) => unread = Some(error),
            }
        }
        let reason = if other.problem.is_some() {
            EventReason::Malformed
        } else if !owners.is_empty() {
            EventReason::Routed
        } else if other.phone_number_id.is_some() || other.display_digits.is_some() {
            EventReason::UnknownNumber
        } else {
            EventReason::UnknownWaba
        };
        if owners.is_empty() && unread.is_none() {
            sorted.events.push(self.events.of_part(None, reason, other));
        }
        for owner in owners {
            sorted.events.push(self.events.of_part(Some(owner.id), reason, other));
            sorted.take_signals(owner.id, other);
            sorted.waves.extend(Waves::of(owner.id, other));
            sorted.news.extend(Told::of(other).map(|told| (owner.id, told)));
        }
        sorted.left_out = unread.or(sorted.left_out.take());
        Ok(())
    }

    fn record(&self, key: MessageKey, attempt: Option<u32>, report: &StatusReport) -> StatusRecord {
        StatusRecord {
            key,
            reported: Reported {
                evidence: Evidence {
                    status: report.status,
                    wamid: report.wamid.clone(),
                    attempt,
                    reported_at: report.reported_at,
                    error: report.error.clone(),
                    by_webhook: true,
                    participant: report.participant.clone(),
                },
                received_at: self.events.clock.now(),
            },
            raw: report.raw.clone(),
            frame: report.frame.clone(),
        }
    }

    /// Finds the messages of statuses whose callback data names no tenant and that the present owner of their number
    /// did not send.
    async fn place_by_past_owner(&self, sorted: &mut Sorted) -> Result<(), Failure> {
        let to_try = sorted.unplaced.iter().filter(|unplaced| unplaced.to_try().is_some());
        let mut numbers: Vec<_> = to_try.map(|unplaced| unplaced.report.phone_number_id.clone()).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        numbers.sort_unstable();
        numbers.dedup();
        let past = self.directory.past_owners(&numbers).await?;
        let past: HashMap<PhoneNumberId, Vec<TenantId>> = numbers.into_iter().zip(past).collect();
        for unplaced in std::mem::take(&mut sorted.unplaced) {
            let number = &unplaced.report.phone_number_id;
            let tried = past.get(number).map(Vec::as_slice).unwrap_or_default();
            let named = unplaced
                .to_try()
                .and_then(|data| self.opaque.verify(data, tried, number));
            match named {
                Some((key, attempt)) => {
                    let record = self.record(key, Some(attempt), &unplaced.report);
                    sorted.statuses.push((record, unplaced.report));
                }
                None => sorted.unplaced.push(unplaced),
            }
        }
        Ok(())
    }

    /// Finds the messages of the statuses that are left by Meta's id. Those not found are kept as events for the
    /// operator: who has the number now need not be who sent it.
    async fn place_by_wamid(&self, sorted: &mut Sorted) -> Result<(), Failure> {
        if sorted.unplaced.is_empty() {
            return Ok(());
        }
        let reports = sorted.unplaced.iter().map(|unplaced| &unplaced.report);
        let refs: Vec<_> = reports
            .map(|report| (report.phone_number_id.clone(), report.wamid.clone()))
            .collect();
        let keys = self.messages.find_by_wamid(&refs).await?;
        for (unplaced, key) in sorted.unplaced.drain(..).zip(keys) {
            let report = unplaced.report;
            match (key, unplaced.unread) {
                (Some(key), _) => sorted.statuses.push((self.record(key, None, &report), report)),
                (None, Some(unread)) => sorted.left_out = Some(unread),
                (None, None) => sorted
                    .events
                    .push(self.events.of_status(None, unplaced.reason, &report)),
            }
        }
        Ok(())
    }
}

/// What a person says in a message about being written to, if the tenant wants it to be understood.
fn wish_of(tenant: &SharedTenant, inbound: &InboundMessage) -> Option<Wish> {
    if !tenant.rules.stop_words
        || inbound.origin != Origin::Person
        || inbound.conversation_kind != ConversationKind::Person
    {
        return None;
    }
    let word = Word::of_message(&inbound.kind, &inbound.body)?;
    Some(Wish {
        ids: inbound.peer_id.iter().chain(&inbound.also).cloned().collect(),
        scope: OptOutScope::All,
        is_out: word == Word::Stop,
        at: inbound.sent_at,
        source: OptOutSource::StopWord,
    })
}

/// What a person told Meta.
fn wish_of_signal(signal: &PersonSignal) -> Wish {
    Wish {
        ids: signal.ids.clone(),
        scope: OptOutScope::Marketing,
        is_out: signal.kind == SignalKind::StopsMarketing,
        at: signal.at,
        source: OptOutSource::Meta,
    }
}

/// What the messages and statuses among these parts say about the accounts of their numbers; of a number the last word.
fn heard(parts: &[WebhookPart], owners: &HashMap<PhoneNumberId, Found>) -> Vec<Heard> {
    let mut heard = HashMap::new();
    for part in parts {
        let (number, account, at) = match part {
            WebhookPart::Message(inbound) => (&inbound.phone_number_id, &inbound.waba_id, inbound.sent_at),
            WebhookPart::Status(report) => (&report.phone_number_id, &report.waba_id, report.reported_at),
            WebhookPart::Other(_) => continue,
        };
        if let Some(Ok(Some(tenant))) = owners.get(number)
            && let Some(new) = Heard::of(tenant, number, account.as_ref(), at)
        {
            heard.insert(number, new);
        }
    }
    heard.into_values().collect()
}

/// The tenants of an account to whom an event about this number belongs. Another tenant of the account must not see it.
/// Without anybody who is known to have the number, it belongs to an only tenant that may have it.
fn only_of_number(owners: Vec<Found>, waba_id: &WabaId, digits: &str) -> Vec<Found> {
    let has_it = |found: &Found| matches!(found, Ok(Some(tenant)) if tenant.has_display_number(digits));
    let may_have_it = |tenant: &SharedTenant| {
        let mut numbers = tenant.phone_numbers.iter();
        numbers.any(|number| number.waba_id.as_ref() == Some(waba_id) && number.display_phone_number.is_none())
    };
    match owners.iter().filter(|owner| has_it(owner)).count() {
        0 => {}
        1 => return owners.into_iter().filter(has_it).collect(),
        // Several say that it is theirs, and one of them at most is right.
        _ => return Vec::new(),
    }
    match owners.as_slice() {
        [Ok(Some(only))] if may_have_it(only) => owners,
        // One that cannot be read may have it.
        _ => owners.into_iter().filter(Result::is_err).collect(),
    }
}
