//! People as their tenant's conversations show them: which ids are of one person, and when that person last wrote.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::conversation::CUSTOMER_SERVICE_WINDOW;
use crate::domain::country::is_between_digits;
use crate::domain::person::Acquaintance;
use crate::domain::{
    Conversation, ConversationId, ErrorCode, PersonIds, PhoneNumberId, Problem, TenantId, Timestamp, WaId,
};
use crate::ports::{ConversationStore, StoreError};

/// Records of conversations that are read for one look.
const RECORDS_MAX: u32 = 2_000;
/// Looks for further ids: through so many ids one leads to another.
const ROUNDS_MAX: usize = 8;

/// Finds people.
#[derive(Clone)]
pub(super) struct People {
    conversations: Arc<dyn ConversationStore>,
}

/// What is known of one person.
#[derive(Clone, Debug)]
pub(super) struct KnownPerson {
    /// The numbers and ids, with those that were asked for.
    pub(super) ids: PersonIds,
    records: Vec<Conversation>,
}

impl KnownPerson {
    /// Returns the time until which the person may be sent free-form messages from this number; `None` if they never wrote
    /// to it or called it.
    pub(super) fn window_until(&self, number: &PhoneNumberId) -> Option<Timestamp> {
        let of_number = self.records.iter().filter(|record| record.phone_number_id == *number);
        let last = of_number.filter_map(|record| record.last_inbound_at).max()?;
        Some(last + CUSTOMER_SERVICE_WINDOW)
    }
}

impl People {
    pub(super) fn new(conversations: Arc<dyn ConversationStore>) -> Self {
        Self { conversations }
    }

    /// Returns the person behind these ids, with all further ids of theirs: those of conversations that share one, directly
    /// or through others.
    pub(super) async fn behind(
        &self,
        tenant_id: &TenantId,
        ids: impl IntoIterator<Item = WaId>,
    ) -> Result<PersonIds, StoreError> {
        let given: BTreeSet<WaId> = ids.into_iter().collect();
        let records = self.around(tenant_id, given.clone()).await?;
        let known = records.values().flat_map(Conversation::ids).cloned();
        Ok(PersonIds::new(given.into_iter().chain(known)))
    }

    /// Returns the person behind each of these ids, in their order.
    pub(super) async fn each(&self, tenant_id: &TenantId, ids: &[WaId]) -> Result<Vec<KnownPerson>, StoreError> {
        let records = self.around(tenant_id, ids.iter().cloned().collect()).await?;
        let people = Acquaintance::divide(records.into_values());
        let mut of_id: HashMap<&WaId, &Acquaintance> = HashMap::new();
        for person in &people {
            for id in person.records().iter().flat_map(Conversation::ids) {
                of_id.insert(id, person);
            }
        }
        let known = ids.iter().map(|id| {
            let records = of_id.get(id).map_or(&[][..], |person| person.records());
            let further = records.iter().flat_map(Conversation::ids).cloned();
            KnownPerson {
                ids: PersonIds::new(std::iter::once(id.clone()).chain(further)),
                records: records.to_vec(),
            }
        });
        Ok(known.collect())
    }

    /// Reads the records that share an id with these, and those that share one with them.
    async fn around(
        &self,
        tenant_id: &TenantId,
        mut ids: BTreeSet<WaId>,
    ) -> Result<HashMap<ConversationId, Conversation>, StoreError> {
        let mut asked = BTreeSet::new();
        let mut records = HashMap::new();
        for _ in 0..ROUNDS_MAX {
            let new: Vec<WaId> = ids.difference(&asked).cloned().collect();
            if new.is_empty() || ids.len() >= RECORDS_MAX as usize {
                break;
            }
            let found = self.conversations.of_people(tenant_id, &new, RECORDS_MAX).await?;
            ids.extend(found.iter().flat_map(Conversation::ids).cloned());
            records.extend(found.into_iter().map(|record| (record.id, record)));
            asked.extend(new);
        }
        Ok(records)
    }
}

/// Reads a phone number as people write it, or an id of Meta's.
pub(super) fn person_id(text: &str) -> Result<WaId, Problem> {
    let is_number = text
        .chars()
        .all(|c| c.is_ascii_digit() || c == '+' || is_between_digits(c));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let id = WaId::parse(if is_number { &digits } else { text });
    id.map_err(|_| {
        let message = "must be a phone number with country code, or an id of the person at Meta";
        Problem::field(ErrorCode::InvalidField, "/person", message)
    })
}
