//! Conversations and people, put together from the records of conversations: see [`crate::domain::person`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Page, PageRequest, Reading};
use crate::app::failure::Failure;
use crate::domain::conversation::Conversation;
use crate::domain::ids::{ConversationId, MessageId, PersonId, PhoneNumberId, WaId};
use crate::domain::page::{MessageQuery, PageLimit};
use crate::domain::{Acquaintance, AmendedMessage, ConversationKind, ErrorCode, Person, Problem, TenantId, Timestamp};
use crate::ports::StoreError;

/// Records that are put together for one page. Beyond them, people with very many conversations are not put together.
const RECORDS_MAX: u32 = 2_000;
/// Looks for further records of the same people: through so many ids one leads to another.
const ROUNDS_MAX: usize = 8;

/// One row of a list: whose it is, and whether it is the newest record of that conversation, of that person.
struct Row {
    of: usize,
    is_newest_of_conversation: bool,
    is_newest_of_person: bool,
    record: Conversation,
}

/// A conversation, and with whom it is.
#[derive(Clone, Debug)]
pub struct KnownConversation {
    /// What all its records say.
    pub conversation: Conversation,
    /// The person; `None` for a group.
    pub person_id: Option<PersonId>,
    of: Acquaintance,
}

impl KnownConversation {
    fn of(of: &Acquaintance, number: &PhoneNumberId) -> Option<Self> {
        Some(Self {
            conversation: of.conversation(number)?,
            person_id: of.person_id(),
            of: of.clone(),
        })
    }
}

impl Reading {
    /// Returns the tenant's conversations, the one with the newest message first.
    pub async fn conversations(
        &self,
        tenant_id: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<KnownConversation>, Failure> {
        let (rows, people, next_cursor) = self.rows(tenant_id, "conversations", page).await?;
        let shown = rows.iter().filter(|row| row.is_newest_of_conversation);
        let items = shown.filter_map(|row| KnownConversation::of(&people[row.of], &row.record.phone_number_id));
        Ok(Page {
            items: items.collect(),
            next_cursor,
        })
    }

    /// Returns the people with whom the tenant has conversations, the one with the newest message first.
    pub async fn people(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<Person>, Failure> {
        let (rows, people, next_cursor) = self.rows(tenant_id, "people", page).await?;
        let shown = rows.iter().filter(|row| row.is_newest_of_person);
        Ok(Page {
            items: shown.filter_map(|row| people[row.of].person()).collect(),
            next_cursor,
        })
    }

    /// Returns one person of the tenant. The id of any of their conversations' records names them.
    pub async fn person(&self, tenant_id: &TenantId, id: &str) -> Result<Person, Failure> {
        let missing = || Problem::new(ErrorCode::PersonNotFound, "The tenant has no person with this id.");
        let id = PersonId::parse(id).map_err(|_| missing())?;
        let id = ConversationId::from_uuid(*id.as_uuid());
        let found = self.acquaintance(tenant_id, &id).await?;
        Ok(found.and_then(|found| found.person()).ok_or_else(missing)?)
    }

    /// Returns one conversation of the tenant, and the person with whom it is.
    pub async fn conversation(&self, tenant_id: &TenantId, id: &str) -> Result<KnownConversation, Failure> {
        let missing = || {
            Problem::new(
                ErrorCode::ConversationNotFound,
                "The tenant has no conversation with this id.",
            )
        };
        let id = ConversationId::parse(id).map_err(|_| missing())?;
        let found = self.acquaintance(tenant_id, &id).await?.ok_or_else(missing)?;
        let number = found.records().iter().find(|record| record.id == id);
        let number = number
            .map(|record| record.phone_number_id.clone())
            .ok_or_else(missing)?;
        Ok(KnownConversation::of(&found, &number).ok_or_else(missing)?)
    }

    /// Returns the messages of a conversation that match the query.
    pub async fn conversation_messages(
        &self,
        tenant_id: &TenantId,
        KnownConversation { conversation, of, .. }: &KnownConversation,
        mut query: MessageQuery,
        page: &PageRequest,
    ) -> Result<Page<AmendedMessage>, Failure> {
        (query.before, query.limit) = (None, PageLimit::default());
        let list = format!("conversation/{tenant_id}/{}?{query:?}", conversation.id);
        query.before = self.position(page, &list, |text| MessageId::parse(text).ok())?;
        query.limit = PageLimit::items(page.limit);
        let mut whole = crate::domain::page::Listed::empty();
        for record in of.with_number(&conversation.phone_number_id) {
            if let Some(query) = query.clone().of_conversation(record) {
                let limit = query.limit;
                whole = whole.merge(self.matching(tenant_id, query).await?, limit);
            }
        }
        let Page { items, next_cursor } = self.page(&list, whole, ToString::to_string);
        let items = self.amended(tenant_id, items, 1).await?;
        Ok(Page { items, next_cursor })
    }

    async fn acquaintance(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Acquaintance>, Failure> {
        let Some(record) = self.ports.conversations.find(tenant_id, id).await? else {
            return Ok(None);
        };
        let people = self.gather(tenant_id, vec![record]).await?;
        let mut people = people.into_iter();
        Ok(people.find(|one| one.records().iter().any(|record| record.id == *id)))
    }

    async fn rows(
        &self,
        tenant_id: &TenantId,
        list: &str,
        page: &PageRequest,
    ) -> Result<(Vec<Row>, Vec<Acquaintance>, Option<String>), Failure> {
        let list = format!("{list}/{tenant_id}");
        let before = self.position(page, &list, |text| {
            let (at, id) = text.split_once(' ')?;
            Some((
                Timestamp::from_millis(at.parse().ok()?),
                ConversationId::parse(id).ok()?,
            ))
        })?;
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.conversations.list(tenant_id, before, limit).await?;
        let Page { items, next_cursor } = self.page(&list, listed, |(at, id)| format!("{} {id}", at.as_millis()));
        let people = self.gather(tenant_id, items.clone()).await?;
        let places = people.iter().enumerate();
        let of_record: HashMap<ConversationId, usize> = places
            .flat_map(|(of, one)| one.records().iter().map(move |record| (record.id, of)))
            .collect();
        let rows = items.into_iter().map(|record| {
            let of = of_record[&record.id];
            let is_not_newer = |other: &Conversation| other.position() <= record.position();
            let one = &people[of];
            let is_newest_of_conversation = one.with_number(&record.phone_number_id).all(is_not_newer);
            let is_newest_of_person = one.records().iter().all(is_not_newer);
            Row {
                of,
                is_newest_of_conversation,
                is_newest_of_person,
                record,
            }
        });
        Ok((rows.collect(), people, next_cursor))
    }

    /// Divides records by people, with all other records of these people.
    async fn gather(&self, tenant_id: &TenantId, records: Vec<Conversation>) -> Result<Vec<Acquaintance>, StoreError> {
        let mut known: BTreeMap<ConversationId, Conversation> =
            records.into_iter().map(|record| (record.id, record)).collect();
        let mut asked: BTreeSet<WaId> = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let people = known.values().filter(|record| record.kind == ConversationKind::Person);
            let ids: BTreeSet<WaId> = people.flat_map(Conversation::ids).cloned().collect();
            let new: Vec<WaId> = ids.difference(&asked).cloned().collect();
            if new.is_empty() {
                break;
            }
            let found = self.ports.conversations.of_people(tenant_id, &new, RECORDS_MAX).await?;
            for record in found {
                known.entry(record.id).or_insert(record);
            }
            asked.extend(new);
        }
        Ok(Acquaintance::divide(known.into_values()))
    }
}
