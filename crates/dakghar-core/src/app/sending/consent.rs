//! The wishes of the person whom a message goes to: that they opted out, and that their customer service window is open.
//!
//! Both are looked at when a message is accepted, and again right before its claim: what a person said meanwhile counts.
//! Only messages of tenants that want it, and those that ask for an open window, cost a look at the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::gate::Candidate;
use crate::app::people::{KnownPerson, People};
use crate::domain::message::{Accepted, DeadReason, Terms};
use crate::domain::opt_out::{OptOut, OptOutScope, PersonMark};
use crate::domain::tenant::Tenant;
use crate::domain::{
    ConversationKind, ErrorCode, PhoneNumberId, Present, Problem, SendingRules, TenantId, Timestamp, WaId,
};
use crate::ports::{Clock, OptOutStore, Ports, StoreError};
use crate::vault::InstallationSecrets;

/// Messages whose people are looked for at once.
const ASKED_AT_ONCE: usize = 100;

/// Why a message may not go to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// They opted out at this time.
    OptedOut(Timestamp),
    /// Their window closed at this time; `None` if they never opened it.
    WindowClosed(Option<Timestamp>),
}

impl Unwanted {
    /// Says so to a client.
    pub(super) fn to_problem(self) -> Problem {
        match self {
            Self::OptedOut(at) => {
                let message = format!("opted out of such messages at {at}");
                Problem::field(ErrorCode::OptedOut, "/to", message)
            }
            Self::WindowClosed(Some(at)) => {
                let message = format!("the window closed at {at}; only a template may be sent");
                Problem::field(ErrorCode::WindowClosed, "/requireOpenWindow", message)
            }
            Self::WindowClosed(None) => {
                let message = "there is no open window with this recipient; only a template may be sent";
                Problem::field(ErrorCode::WindowClosed, "/requireOpenWindow", message)
            }
        }
    }

    /// Returns the reason under which a message ends by it.
    pub(super) const fn reason(self) -> DeadReason {
        match self {
            Self::OptedOut(_) => DeadReason::OptedOut,
            Self::WindowClosed(_) => DeadReason::WindowClosed,
        }
    }
}

/// A message of which it is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    number: PhoneNumberId,
    kind: ConversationKind,
    person: Option<WaId>,
    terms: Terms,
}

impl Ask {
    pub(super) const fn new(number: PhoneNumberId, kind: ConversationKind, person: Option<WaId>, terms: Terms) -> Self {
        Self {
            number,
            kind,
            person,
            terms,
        }
    }

    pub(super) fn of(accepted: &Accepted) -> Self {
        let (number, person) = (accepted.phone_number_id.clone(), accepted.peer_id.clone());
        Self::new(number, accepted.conversation_kind, person, accepted.terms)
    }

    /// True if the answer needs a look at the store.
    const fn needs_look(&self, rules: &SendingRules) -> bool {
        self.terms.open_window || rules.enforced.concerns(self.terms.marketing)
    }
}

/// Looks for what people wish.
#[derive(Clone)]
pub(in crate::app) struct Consent {
    people: People,
    store: Arc<dyn OptOutStore>,
    secrets: Arc<InstallationSecrets>,
    clock: Arc<dyn Clock>,
}

impl Consent {
    pub(in crate::app) fn new(ports: &Ports) -> Self {
        Self {
            people: People::new(ports.conversations.clone()),
            store: ports.opt_outs.clone(),
            secrets: ports.secrets.clone(),
            clock: ports.clock.clone(),
        }
    }

    /// Returns for each message of a tenant why it may not go out, in their order.
    pub(super) async fn look(&self, tenant: &Tenant, asks: &[Ask]) -> Result<Vec<Option<Unwanted>>, StoreError> {
        let mut answers = vec![None; asks.len()];
        let places: Vec<usize> = (0..asks.len())
            .filter(|place| asks[*place].needs_look(&tenant.rules))
            .collect();
        for places in places.chunks(ASKED_AT_ONCE) {
            let some: Vec<&Ask> = places.iter().map(|place| &asks[*place]).collect();
            let found = self.look_at(tenant, &some).await?;
            for (place, found) in places.iter().zip(found) {
                answers[*place] = found;
            }
        }
        Ok(answers)
    }

    /// Parts due messages from those that may not go out, and gives these up. One whose date is over is left to the gate.
    pub(super) async fn divide(
        &self,
        candidates: Vec<Candidate>,
        present: Present,
    ) -> Result<(Vec<Candidate>, Vec<Candidate>), StoreError> {
        let mut of_tenants: BTreeMap<TenantId, Vec<usize>> = BTreeMap::new();
        for (place, candidate) in candidates.iter().enumerate() {
            let of_candidate = Ask::of(&candidate.message.accepted);
            if of_candidate.needs_look(&candidate.tenant.rules) && !candidate.message.delivery.has_expired(present) {
                of_tenants.entry(candidate.tenant.id).or_default().push(place);
            }
        }
        let mut reasons = vec![None; candidates.len()];
        for places in of_tenants.values() {
            let asks = places.iter().map(|place| Ask::of(&candidates[*place].message.accepted));
            let tenant = &candidates[places[0]].tenant;
            let found = self.look(tenant, &asks.collect::<Vec<_>>()).await?;
            for (place, found) in places.iter().zip(found) {
                reasons[*place] = found;
            }
        }
        let (mut wanted, mut given_up) = (Vec::with_capacity(candidates.len()), Vec::new());
        for (mut candidate, reason) in candidates.into_iter().zip(reasons) {
            match reason {
                None => wanted.push(candidate),
                Some(unwanted) => {
                    candidate.message.abandon(present.now, unwanted.reason());
                    given_up.push(candidate);
                }
            }
        }
        Ok((wanted, given_up))
    }

    async fn look_at(&self, tenant: &Tenant, asks: &[&Ask]) -> Result<Vec<Option<Unwanted>>, StoreError> {
        let is_person = |ask: &&&Ask| ask.kind == ConversationKind::Person;
        let ids: Vec<WaId> = (asks.iter().filter(is_person))
            .filter_map(|ask| ask.person.clone())
            .collect();
        let people = self.people.each(&tenant.id, &ids).await?;
        let people: HashMap<WaId, KnownPerson> = ids.into_iter().zip(people).collect();
        let out = self.opted_out(tenant, asks, &people).await?;
        let now = self.clock.wall();
        let answers = asks.iter().map(|ask| {
            let person = ask.person.as_ref().and_then(|id| people.get(id));
            let marks = person.map_or_else(Vec::new, |person| self.marks_of(&tenant.id, person));
            let counts = |said: &&OptOut| {
                marks.contains(&said.key.mark) && (said.key.scope == OptOutScope::All || ask.terms.marketing)
            };
            if tenant.rules.enforced.concerns(ask.terms.marketing)
                && let Some(at) = out.iter().filter(counts).map(|said| said.at).min()
            {
                return Some(Unwanted::OptedOut(at));
            }
            let until = person.and_then(|person| person.window_until(&ask.number));
            let is_closed = ask.terms.open_window && until.is_none_or(|until| until <= now);
            is_closed.then_some(Unwanted::WindowClosed(until))
        });
        Ok(answers.collect())
    }

    /// Reads the opt-outs of these people, where one of the messages needs them.
    async fn opted_out(
        &self,
        tenant: &Tenant,
        asks: &[&Ask],
        people: &HashMap<WaId, KnownPerson>,
    ) -> Result<Vec<OptOut>, StoreError> {
        let counts = asks
            .iter()
            .any(|ask| tenant.rules.enforced.concerns(ask.terms.marketing));
        if !counts || people.is_empty() {
            return Ok(Vec::new());
        }
        let mut marks: Vec<PersonMark> = (people.values())
            .flat_map(|person| self.marks_of(&tenant.id, person))
            .collect();
        marks.sort_unstable();
        marks.dedup();
        let mut found = self.store.find_opt_outs(&tenant.id, &marks).await?;
        found.retain(|said| said.is_out);
        Ok(found)
    }

    fn marks_of(&self, tenant_id: &TenantId, person: &KnownPerson) -> Vec<PersonMark> {
        let ids = person.ids.ids().iter();
        ids.map(|id| self.secrets.mark_person(tenant_id, id)).collect()
    }
}
