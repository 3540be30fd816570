//! What a tenant keeps of a person, deleted portion by portion. Reports go before their message, so that a crash leaves
//! none behind.

use bson::{Bson, DateTime, Document, RawDocument, doc};
use dakghar_core::domain::erasure::{ErasurePlace, PersonIds};
use dakghar_core::domain::ids::{MessageId, WaId};
use dakghar_core::domain::message::Status;
use dakghar_core::ports::{PersonErased, PersonPortion, StoreError};
use mongodb::options::Hint;

use crate::mongo::MongoStore;
use crate::mongo::documents::date;
use crate::mongo::indexes::{
    BY_ID, CONVERSATION_ALSO, CONVERSATION_PERSON, EVENT_TENANT, MESSAGE_PEER, MESSAGE_TENANT,
};
use crate::mongo::reads::Query;
use crate::mongo::statuses::of_tenant;

/// Texts that are looked through in one portion: they may be large.
const TEXTS_AT_ONCE: u32 = 50;
/// Conversations of one person that are looked at together.
const CONVERSATIONS_MAX: u32 = 2_000;

/// A message of which it is looked whether it goes.
struct Seen {
    id: String,
    /// `None` for a message that does not go: of somebody else, too new, or not to be read.
    is_open: Option<bool>,
}

impl MongoStore {
    /// The ids of the person one after the other, and of each the messages. The place in between names no id, only which
    /// one.
    pub(super) async fn erase_messages_of_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let (which, from) = place_of(portion.from.as_deref());
        let Some(id) = portion.person.ids().get(which) else {
            return Ok(PersonErased::default());
        };
        let tenant_id = portion.tenant_id.to_string();
        let filter = doc! { "tenantId": tenant_id, "peerId": id.as_str(), "_id": { "$gt": from } };
        let (mut done, last) = self.erase_messages(filter, MESSAGE_PEER, portion, |_| true).await?;
        done.next = match last {
            Some(last) => Some(format!("{which}/{last}")),
            None => (which + 1 < portion.person.ids().len()).then(|| format!("{}/", which + 1)),
        };
        Ok(done)
    }

    pub(super) async fn erase_group_messages(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let from = portion.from.clone().unwrap_or_default();
        let filter = doc! { "tenantId": portion.tenant_id.to_string(), "_id": { "$gt": from } };
        let is_theirs = |raw: &RawDocument| raw.get_str("sender").is_ok_and(|sender| portion.person.has(sender));
        let (mut done, last) = self.erase_messages(filter, MESSAGE_TENANT, portion, is_theirs).await?;
        done.next = last;
        Ok(done)
    }

    /// Deletes those that are settled, and tells the others; returns the last id of a full portion.
    async fn erase_messages(
        &self,
        filter: Document,
        index: &'static str,
        portion: &PersonPortion,
        is_theirs: impl Fn(&RawDocument) -> bool + Send + Sync,
    ) -> Result<(PersonErased, Option<String>), StoreError> {
        let before = date(portion.before);
        let read = |raw: &RawDocument| {
            let is_meant = is_theirs(raw) && raw.get_datetime("createdAt").is_ok_and(|at| at < before);
            let status = raw.get_str("status").ok().and_then(Status::parse);
            Some(Seen {
                id: raw.get_str("_id").ok()?.to_owned(),
                is_open: status.filter(|_| is_meant).map(Status::is_unsettled),
            })
        };
        let query = Query::new(filter, index)
            .sort(doc! { "_id": 1 })
            .limit(portion.limit)
            .fields(doc! { "_id": 1, "status": 1, "createdAt": 1, "sender": 1 });
        let seen = self.fetch(&self.messages, query, read).await?;
        let is_full = seen.len() >= portion.limit as usize;
        let seen: Vec<Seen> = seen.into_iter().flatten().collect();
        let of = |is_open: bool| seen.iter().filter(move |seen| seen.is_open == Some(is_open));
        let settled: Vec<&str> = of(false).map(|seen| seen.id.as_str()).collect();
        let mut done = PersonErased {
            open: of(true).filter_map(|seen| MessageId::parse(&seen.id).ok()).collect(),
            ..PersonErased::default()
        };
        if !settled.is_empty() {
            self.erase_statuses_of(&portion.tenant_id, &settled).await?;
            // One that was sent again meanwhile is not settled, and stays until the next walk.
            let open: Vec<&str> = Status::ALL
                .iter()
                .filter(|status| status.is_unsettled())
                .map(|status| status.as_str())
                .collect();
            let still = doc! {
                "_id": { "$in": &settled }, "tenantId": portion.tenant_id.to_string(), "status": { "$nin": open },
            };
            done.erased = self.delete_by_ids(&self.messages, still).await?;
        }
        let last = seen.last().filter(|_| is_full).map(|seen| seen.id.clone());
        Ok((done, last))
    }

    pub(super) async fn erase_reports_on_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let mut filter = of_tenant(&portion.tenant_id);
        let ids = filter.get_document_mut("_id").expect("a range of ids");
        if let Some(from) = &portion.from {
            ids.remove("$gte");
            ids.insert("$gt", from);
        }
        let query = Query::new(filter, BY_ID).sort(doc! { "_id": 1 });
        let fields = doc! { "_id": 1, "receivedAt": 1, "participant": 1, "raw": 1, "frame": 1 };
        let before = date(portion.before);
        let is_theirs = |raw: &RawDocument| {
            let participant = raw.get_str("participant");
            (participant.is_ok_and(|text| portion.person.has(text)) || names(raw, &portion.person, &["raw", "frame"]))
                && is_before(raw, before)
        };
        let (theirs, next) = self
            .look_through(&self.statuses, query.fields(fields), portion, is_theirs)
            .await?;
        let mut done = PersonErased {
            next,
            ..PersonErased::default()
        };
        if !theirs.is_empty() {
            done.erased = self
                .delete_by_ids(&self.statuses, doc! { "_id": { "$in": theirs } })
                .await?;
        }
        Ok(done)
    }

    pub(super) async fn erase_events_on_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let owner: Bson = match portion.place {
            // An absent field is indexed as null.
            ErasurePlace::Unrouted => Bson::Null,
            _ => portion.tenant_id.to_string().into(),
        };
        let from = portion.from.clone().unwrap_or_default();
        let filter = doc! { "tenantId": &owner, "_id": { "$gt": from } };
        let query = Query::new(filter, EVENT_TENANT).sort(doc! { "_id": 1 });
        let fields = doc! { "_id": 1, "receivedAt": 1, "raw": 1 };
        let before = date(portion.before);
        let is_theirs = |raw: &RawDocument| names(raw, &portion.person, &["raw"]) && is_before(raw, before);
        let (theirs, next) = self
            .look_through(&self.events, query.fields(fields), portion, is_theirs)
            .await?;
        let mut done = PersonErased {
            next,
            ..PersonErased::default()
        };
        if !theirs.is_empty() {
            let filter = doc! { "_id": { "$in": theirs }, "tenantId": owner };
            done.erased = self.delete_by_ids(&self.events, filter).await?;
        }
        Ok(done)
    }

    /// Returns the ids of those that are meant, and the last id of a full portion.
    async fn look_through(
        &self,
        collection: &mongodb::Collection<bson::RawDocumentBuf>,
        query: Query,
        portion: &PersonPortion,
        is_theirs: impl Fn(&RawDocument) -> bool + Send + Sync,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        let limit = portion.limit.min(TEXTS_AT_ONCE);
        let read = |raw: &RawDocument| Some((raw.get_str("_id").ok()?.to_owned(), is_theirs(raw)));
        let seen = self.fetch(collection, query.limit(limit), read).await?;
        let is_full = seen.len() >= limit as usize;
        let seen: Vec<(String, bool)> = seen.into_iter().flatten().collect();
        let last = seen.last().filter(|_| is_full).map(|(id, _)| id.clone());
        let theirs = seen.into_iter().filter(|(_, is_theirs)| *is_theirs);
        Ok((theirs.map(|(id, _)| id).collect(), last))
    }

    pub(super) async fn forget_conversations(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let tenant_id = portion.tenant_id.to_string();
        let ids: Vec<&str> = portion.person.ids().iter().map(WaId::as_str).collect();
        let mut found = Vec::new();
        for (field, index) in [("waId", CONVERSATION_PERSON), ("also", CONVERSATION_ALSO)] {
            let filter = doc! { "tenantId": &tenant_id, field: { "$in": &ids } };
            let query = Query::new(filter, index)
                .limit(CONVERSATIONS_MAX)
                .fields(doc! { "_id": 1, "kind": 1 });
            let read = |raw: &RawDocument| {
                let is_person = matches!(raw.get("kind"), Ok(None));
                Some(raw.get_str("_id").ok()?.to_owned()).filter(|_| is_person)
            };
            found.extend(
                self.fetch(&self.conversations, query, read)
                    .await?
                    .into_iter()
                    .flatten(),
            );
        }
        found.sort_unstable();
        found.dedup();
        let said = self.forget_person_in_opt_outs(&portion.tenant_id, portion.person.ids(), portion.before);
        let forgotten = said.await?;
        if found.is_empty() {
            return Ok(PersonErased {
                erased: forgotten,
                ..PersonErased::default()
            });
        }
        let before = date(portion.before);
        let old = doc! {
            "_id": { "$in": &found }, "tenantId": &tenant_id, "lastMessage.at": { "$lt": before },
        };
        let mut erased = forgotten + self.delete_by_ids(&self.conversations, old).await?;
        let emptied = vec![
            doc! { "$set": { "firstMessageAt": "$lastMessage.at" } },
            doc! { "$unset": ["also", "name"] },
        ];
        let others = doc! { "_id": { "$in": &found }, "tenantId": &tenant_id };
        let update = self
            .conversations
            .update_many(others, emptied)
            .hint(Hint::Name(BY_ID.to_owned()));
        let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
        erased += updated.map_err(|failure| failure.to_store_error())?.matched_count;
        Ok(PersonErased {
            erased,
            ..PersonErased::default()
        })
    }
}

fn place_of(from: Option<&str>) -> (usize, &str) {
    let parts = from.and_then(|from| from.split_once('/'));
    parts.map_or((0, ""), |(which, from)| (which.parse().unwrap_or(0), from))
}

fn names(raw: &RawDocument, person: &PersonIds, fields: &[&str]) -> bool {
    let mut texts = fields.iter().filter_map(|field| raw.get_str(field).ok());
    texts.any(|text| person.are_named_in(text))
}

fn is_before(raw: &RawDocument, before: DateTime) -> bool {
    raw.get_datetime("receivedAt").is_ok_and(|at| at < before)
}
