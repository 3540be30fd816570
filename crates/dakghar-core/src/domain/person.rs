//! People: who is behind the numbers and ids of conversations.
//!
//! A conversation has one key (a number, or Meta's id of a person), and knows under which further ids Meta named its person.
//! Whoever shares an id is one person, directly or through others. This is found out when it is read, from what only ever
//! grows, so that neither the order nor the repetition of messages matters, and nothing has to be merged in the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::conversation::{Conversation, ConversationKind};
use super::ids::{ConversationId, PersonId, PhoneNumberId, WaId};
use super::person_name::PersonName;
use super::time::Timestamp;

/// A person, and all that is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// That of the first conversation.
    pub id: PersonId,
    /// The numbers and ids, in their order.
    pub ids: Vec<WaId>,
    /// How the person is called.
    pub name: Option<PersonName>,
    /// The time of the first message, in either direction; `None` if it is older than such times are known.
    pub first_seen_at: Option<Timestamp>,
    /// The time of the last message, in either direction.
    pub last_seen_at: Timestamp,
    /// The conversations, one for each number of the tenant, the one with the newest message first.
    pub conversations: Vec<ConversationId>,
}

/// The records of conversations of one person, with whatever number of the tenant: the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintance(Vec<Conversation>);

impl Acquaintance {
    /// Divides records of conversations by their people. A group is by itself.
    pub fn divide(records: impl IntoIterator<Item = Conversation>) -> Vec<Self> {
        let records: BTreeMap<ConversationId, Conversation> =
            records.into_iter().map(|record| (record.id, record)).collect();
        let records: Vec<Conversation> = records.into_values().collect();
        // For each record another of its person; a record that has none, itself.
        let mut other: Vec<usize> = (0..records.len()).collect();
        let mut first_of: HashMap<&WaId, usize> = HashMap::new();
        let people = records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.kind == ConversationKind::Person);
        for (at, record) in people {
            for id in record.ids() {
                let first = *first_of.entry(id).or_insert(at);
                let (one, two) = (root(&other, first), root(&other, at));
                other[one.max(two)] = one.min(two);
            }
        }
        let mut by_root: BTreeMap<usize, Vec<Conversation>> = BTreeMap::new();
        let roots: Vec<usize> = (0..records.len()).map(|at| root(&other, at)).collect();
        for (root, record) in roots.into_iter().zip(records) {
            by_root.entry(root).or_default().push(record);
        }
        let sorted = by_root.into_values().map(|mut records| {
            records.sort_by_key(|record| (record.first_message_at, record.id));
            Self(records)
        });
        sorted.collect()
    }

    /// Returns the records.
    pub fn records(&self) -> &[Conversation] {
        &self.0
    }

    /// Returns the records with this number of the tenant.
    pub fn with_number<'a>(&'a self, number: &'a PhoneNumberId) -> impl Iterator<Item = &'a Conversation> {
        self.0.iter().filter(move |record| record.phone_number_id == *number)
    }

    /// Returns the conversation with one of the tenant's numbers: what all records of it say. It has the id of the first.
    pub fn conversation(&self, number: &PhoneNumberId) -> Option<Conversation> {
        let newest = self.with_number(number).max_by_key(|record| record.position())?;
        let mut whole = self.with_number(number).next()?.clone();
        whole.last_message_at = newest.last_message_at;
        whole.last_message_id = newest.last_message_id;
        whole.last_inbound_at = self
            .with_number(number)
            .filter_map(|record| record.last_inbound_at)
            .max();
        let all: Vec<&Conversation> = self.with_number(number).collect();
        whole.wa_id = key_of(&all, newest);
        let ids = self.0.iter().flat_map(Conversation::ids);
        let ids: BTreeSet<&WaId> = ids.filter(|id| **id != whole.wa_id).collect();
        whole.also = ids.into_iter().cloned().collect();
        whole.name = self.name();
        Some(whole)
    }

    /// Returns the person; `None` for a group.
    pub fn person(&self) -> Option<Person> {
        let first = self.0.first().filter(|first| first.kind == ConversationKind::Person)?;
        let numbers: BTreeSet<&PhoneNumberId> = self.0.iter().map(|record| &record.phone_number_id).collect();
        let mut conversations: Vec<Conversation> = numbers
            .into_iter()
            .filter_map(|number| self.conversation(number))
            .collect();
        conversations.sort_by_key(|conversation| std::cmp::Reverse(conversation.position()));
        let ids: BTreeSet<&WaId> = self.0.iter().flat_map(Conversation::ids).collect();
        Some(Person {
            id: first.person_id(),
            ids: ids.into_iter().cloned().collect(),
            name: self.name(),
            first_seen_at: first.first_message_at,
            last_seen_at: conversations.first()?.last_message_at,
            conversations: conversations.iter().map(|conversation| conversation.id).collect(),
        })
    }

    /// Returns the id of the person.
    pub fn person_id(&self) -> Option<PersonId> {
        let first = self.0.first().filter(|first| first.kind == ConversationKind::Person)?;
        Some(first.person_id())
    }

    fn name(&self) -> Option<PersonName> {
        self.0.iter().filter_map(|record| record.name.clone()).max()
    }
}

/// The number under which the person was last met, or else the id.
fn key_of(records: &[&Conversation], newest: &Conversation) -> WaId {
    let is_number = |id: &WaId| id.as_str().bytes().all(|byte| byte.is_ascii_digit());
    let numbers = records.iter().filter(|record| is_number(&record.wa_id));
    let last = numbers.max_by_key(|record| record.position());
    last.map_or_else(|| newest.wa_id.clone(), |record| record.wa_id.clone())
}

fn root(other: &[usize], mut at: usize) -> usize {
    while other[at] != at {
        at = other[at];
    }
    at
}
