//! Entries of saves, which are announced before the save and settled after it.
//!
//! An update of messages costs the server three times as much inside of a transaction, because it reads there for every
//! index of every document anew whether the index exists. So there is none around a save. Three writes follow each other:
//!
//! 1. an arrival with the id of the save, which nobody gives a place while it has it;
//! 2. the messages, each of which keeps the ids of the last saves that told something;
//! 3. the arrival again, without the id and without the entries of messages that were not saved.
//!
//! The first is durable before the second begins, so no message is saved without its entry. A writer that dies or freezes
//! leaves an announced arrival. Who gives places sees for how long it stays, and then does the third write: see
//! [`Announced`] for how it decides. It may come too early: a writer that is still there finds its messages changed and
//! begins anew. Whoever decides comes to the same result, and only the first changes the arrival.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use bson::{Document, RawDocument, doc};
use dakghar_core::domain::feed::{Announced, Arrival, FeedEntry, Partitions, SaveTrace, Verdict};
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId};
use dakghar_core::ports::{Save, Saved, StoreError};
use mongodb::options::{Acknowledgment, Hint, WriteConcern};

use super::writing::{ENTRIES_MAX, arrival_id};
use crate::mongo::MongoStore;
use crate::mongo::documents::{Unreadable, counter, feed, message};
use crate::mongo::indexes::{ARRIVAL_ANNOUNCED, BY_ID};
use crate::mongo::inserts::Inserted;
use crate::mongo::messages::key;
use crate::mongo::reads::Query;

/// How much longer than a write may take an arrival stays announced until it counts as left behind.
const MARGIN: Duration = Duration::from_secs(1);
/// Arrivals that one look reads.
const LOOKED_AT_MAX: u32 = 500;
/// How often the messages of an announced arrival are looked at, each time after their versions were raised.
const ROUNDS_MAX: u32 = 3;

/// The arrivals that were announced for a save.
pub(in crate::mongo) struct Announcement {
    save_id: ObjectId,
    parts: Vec<Part>,
}

/// One of them, and the places of its saves in the batch.
struct Part {
    id: String,
    tenant_id: TenantId,
    places: Vec<usize>,
}

/// An arrival that is only announced.
struct Open {
    arrival: Arrival,
    save_id: ObjectId,
}

impl MongoStore {
    /// Announces the entries of a save. After an error nothing may be saved.
    pub(in crate::mongo) async fn announce(
        &self,
        batch: &[Save],
        save_id: ObjectId,
    ) -> Result<Announcement, StoreError> {
        let mut by_tenant: BTreeMap<TenantId, Vec<(usize, &FeedEntry)>> = BTreeMap::new();
        for (place, save) in batch.iter().enumerate() {
            let Some(entry) = &save.entry else { continue };
            if Announced::of(entry).is_none() {
                return Err(StoreError::Corrupt(format!("a save cannot tell of {}", entry.subject)));
            }
            by_tenant.entry(entry.tenant_id).or_default().push((place, entry));
        }
        let (mut parts, mut documents) = (Vec::new(), Vec::new());
        for (tenant_id, told) in by_tenant {
            for told in told.chunks(ENTRIES_MAX) {
                let id = arrival_id(&self.clock);
                let (places, entries): (Vec<usize>, Vec<&FeedEntry>) = told.iter().copied().unzip();
                documents.push(feed::encode_arrival(&id, &tenant_id, &entries, Some(save_id))?);
                parts.push(Part { id, tenant_id, places });
            }
        }
        for inserted in self.insert_all(&self.feed_arrivals, &documents).await {
            match inserted {
                Inserted::Stored => {}
                Inserted::Refused(error) | Inserted::Unknown(error) => return Err(error),
                Inserted::Duplicate => return Err(StoreError::Corrupt("an arrival is there already".to_owned())),
            }
        }
        Ok(Announcement { save_id, parts })
    }

    /// Settles what was announced, as far as the answers tell what was saved. The rest is left to who gives places, as is
    /// everything after an error.
    pub(in crate::mongo) async fn settle(
        &self,
        announcement: Announcement,
        batch: &[Save],
        answers: &[Result<Saved, StoreError>],
    ) {
        let Announcement { save_id, parts } = announcement;
        let (mut saved, mut mixed, mut refused) = (Vec::new(), Vec::new(), HashSet::new());
        for Part { id, tenant_id, places } in parts {
            let answers = || places.iter().filter_map(|place| answers.get(*place));
            if answers().all(|answer| *answer == Ok(Saved::Done)) {
                saved.push(id);
            } else if answers().all(|answer| matches!(answer, Ok(_) | Err(StoreError::Unreadable(_)))) {
                let saves = || places.iter().filter_map(|place| batch.get(*place));
                refused.extend(
                    (saves().zip(answers()))
                        .filter(|(_, answer)| answer.is_err())
                        .map(|(save, _)| save.key.message_id),
                );
                let entries = saves().filter_map(|save| save.entry.clone()).collect();
                let id = id.into();
                let arrival = Arrival { id, tenant_id, entries };
                mixed.push(Open { arrival, save_id });
            }
        }
        let settled = futures_util::future::try_join(self.settle_all(&saved), self.decide(mixed, &refused)).await;
        // Settled or not: an empty look costs little.
        self.arrived.notify_one();
        if let Err(error) = settled {
            tracing::debug!(%error, "announced entries are settled later, by who gives places");
        }
    }

    /// Settles arrivals all of whose entries are true. It need not be durable: what was announced is settled again.
    async fn settle_all(&self, ids: &[String]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let update = self
            .feed_arrivals
            .update_many(doc! { "_id": { "$in": ids } }, doc! { "$unset": { "saveId": "" } })
            .hint(Hint::Name(BY_ID.to_owned()))
            .write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build());
        let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
        updated.map(|_| ()).map_err(|failure| failure.to_store_error())
    }

    /// Settles what writers that died or froze left behind in these partitions, from time to time.
    pub(super) async fn settle_forgotten(&self, of: Partitions) {
        #[expect(clippy::disallowed_methods, reason = "measures for how long it has seen something")]
        let now = Instant::now();
        if !self.announcements.lock().begin_look(now) {
            return;
        }
        let settled = match self.announced(of).await {
            Ok(found) => self.decide(self.forgotten(found, now), &HashSet::new()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            tracing::debug!(%error, "announced entries that were left behind are settled later");
        }
    }

    /// What is announced; what cannot be read of it is put aside.
    async fn announced(&self, of: Partitions) -> Result<Vec<Open>, StoreError> {
        let partitions: Vec<i64> = of.iter().map(i64::from).collect();
        let filter = doc! { "saveId": { "$exists": true }, "partition": { "$in": partitions } };
        let query = Query::new(filter, ARRIVAL_ANNOUNCED).limit(LOOKED_AT_MAX);
        let read = |raw: &RawDocument| {
            let id: Arc<str> = raw.get_str("_id").ok()?.into();
            let arrival = feed::decode_arrival(raw);
            let open = arrival.and_then(|arrival| match raw.get_object_id("saveId") {
                Ok(save_id) => Ok(Open { arrival, save_id }),
                Err(_) => Err(Unreadable::field("feed arrival", &id, "saveId")),
            });
            Some((id, open))
        };
        let (mut opens, mut unreadable) = (Vec::new(), Vec::new());
        for (id, open) in self
            .fetch(&self.feed_arrivals, query, read)
            .await?
            .into_iter()
            .flatten()
        {
            match open {
                Ok(open) => opens.push(open),
                Err(why) => {
                    why.tell();
                    unreadable.push(id);
                }
            }
        }
        self.move_all(&self.feed_arrivals, &self.feed_aside, &unreadable)
            .await?;
        Ok(opens)
    }

    /// Those that have been announced for longer than a save may take.
    fn forgotten(&self, found: Vec<Open>, now: Instant) -> Vec<Open> {
        let patience = self.options.write_timeout + MARGIN;
        let mut announcements = self.announcements.lock();
        announcements.see(found.iter().map(|open| &open.arrival.id), now);
        let mut forgotten = found;
        forgotten.retain(|open| announcements.has_been(&open.arrival.id, patience, now));
        forgotten
    }

    /// Settles arrivals by what their messages show. What was refused was not saved, whatever they show.
    async fn decide(&self, mut left: Vec<Open>, refused: &HashSet<MessageId>) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            if left.is_empty() {
                return Ok(());
            }
            let traces = self.traces(&left).await?;
            let mut undecided = Vec::new();
            for open in left {
                let (mut told, mut still_open) = (Vec::new(), Vec::new());
                for entry in &open.arrival.entries {
                    match verdict(entry, &open, &traces) {
                        Verdict::Saved => told.push(entry.clone()),
                        Verdict::Open if !is_of(refused, entry) => still_open.extend(Announced::of(entry)),
                        Verdict::Open | Verdict::NotSaved => {}
                    }
                }
                if still_open.is_empty() {
                    self.settle_as(&open, &told).await?;
                } else {
                    self.raise_versions(&open, &still_open).await?;
                    undecided.push(open);
                }
            }
            left = undecided;
        }
        Ok(())
    }

    /// What the messages of arrivals show of their last saves, as a majority has it.
    async fn traces(&self, opens: &[Open]) -> Result<Traces, StoreError> {
        let entries = || opens.iter().flat_map(|open| &open.arrival.entries);
        let ids = entries()
            .filter_map(Announced::of)
            .map(|save| save.message_id.to_string());
        let filter = doc! { "_id": { "$in": ids.collect::<Vec<_>>() } };
        let query = Query::new(filter, BY_ID)
            .fields(doc! { "tenantId": 1, "version": 1, message::TOLD_SAVES: 1 })
            .majority();
        let found = self.fetch(&self.messages, query, |raw| {
            let version = raw
                .get_i64("version")
                .ok()
                .and_then(|version| u64::try_from(version).ok());
            Some((key(raw)?, (version, told_saves(raw))))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// Makes a save that is still on its way come too late.
    async fn raise_versions(&self, open: &Open, saves: &[Announced]) -> Result<(), StoreError> {
        let mut by_version: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for save in saves {
            let ids = by_version.entry(save.version_read).or_default();
            ids.push(save.message_id.to_string());
        }
        for (version, ids) in by_version {
            let filter = doc! {
                "_id": { "$in": ids }, "tenantId": open.arrival.tenant_id.to_string(), "version": counter(version),
                message::TOLD_SAVES: { "$ne": open.save_id },
            };
            let update = self
                .messages
                .update_many(filter, doc! { "$inc": { "version": 1_i64 } })
                .hint(Hint::Name(BY_ID.to_owned()))
                .bypass_document_validation(true);
            let raised = self.bounded(self.options.write_timeout, async { update.await }).await;
            raised.map_err(|failure| failure.to_store_error())?;
        }
        Ok(())
    }

    /// Settles an arrival with the entries that are true, unless somebody did so before.
    async fn settle_as(&self, open: &Open, told: &[FeedEntry]) -> Result<(), StoreError> {
        let this = doc! { "_id": &*open.arrival.id, "saveId": open.save_id };
        if told.is_empty() {
            return self.delete_by_ids(&self.feed_arrivals, this).await.map(|_| ());
        }
        let entries = Document::try_from(feed::encode_entries(told)?);
        let entries = entries.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let update = self
            .feed_arrivals
            .update_one(this, doc! { "$set": entries, "$unset": { "saveId": "" } })
            .hint(Hint::Name(BY_ID.to_owned()));
        let settled = self.bounded(self.options.write_timeout, async { update.await }).await;
        settled.map(|_| ()).map_err(|failure| failure.to_store_error())
    }

    /// Takes from messages whose list of saves is full what no announced arrival needs any more. Returns whether there was
    /// anything.
    pub(in crate::mongo) async fn make_room(&self, ids: Vec<String>) -> Result<bool, StoreError> {
        if ids.is_empty() {
            return Ok(false);
        }
        let filter = doc! { "_id": { "$in": ids }, message::TOLD_SAVES_ARE_FULL.as_str(): { "$exists": true } };
        let query = Query::new(filter, BY_ID)
            .fields(doc! { message::TOLD_SAVES: 1 })
            .majority();
        let read = |raw: &RawDocument| Some((raw.get_str("_id").ok()?.to_owned(), told_saves(raw)));
        let full: Vec<(String, Vec<ObjectId>)> = self
            .fetch(&self.messages, query, read)
            .await?
            .into_iter()
            .flatten()
            .collect();
        if full.is_empty() {
            return Ok(false);
        }
        let carried: Vec<ObjectId> = full.iter().flat_map(|(_, saves)| saves).copied().collect();
        let query = Query::new(doc! { "saveId": { "$in": carried } }, ARRIVAL_ANNOUNCED)
            .fields(doc! { "saveId": 1 })
            .majority();
        let needed = self.fetch(&self.feed_arrivals, query, |raw| raw.get_object_id("saveId").ok());
        let needed: HashSet<ObjectId> = needed.await?.into_iter().flatten().collect();
        let mut has_room = false;
        for (id, saves) in full {
            let settled: Vec<ObjectId> = saves.into_iter().filter(|save| !needed.contains(save)).collect();
            has_room |= !settled.is_empty();
            let pull = doc! { "$pull": { message::TOLD_SAVES: { "$in": settled } } };
            let update = self.messages.update_one(doc! { "_id": id }, pull);
            let pulled = self.bounded(self.options.write_timeout, async { update.await }).await;
            pulled.map_err(|failure| failure.to_store_error())?;
        }
        Ok(has_room)
    }
}

/// The version of each message, and the saves that it carries.
type Traces = HashMap<MessageKey, (Option<u64>, Vec<ObjectId>)>;

fn told_saves(raw: &RawDocument) -> Vec<ObjectId> {
    let saves = raw.get_array(message::TOLD_SAVES).ok();
    let saves = saves.into_iter().flatten().filter_map(|save| save.ok()?.as_object_id());
    saves.collect()
}

fn verdict(entry: &FeedEntry, open: &Open, traces: &Traces) -> Verdict {
    let Some(announced) = Announced::of(entry) else {
        return Verdict::NotSaved;
    };
    let key = MessageKey {
        tenant_id: open.arrival.tenant_id,
        message_id: announced.message_id,
    };
    announced.verdict(traces.get(&key).map(|(version, saves)| SaveTrace {
        version: *version,
        is_carried: saves.contains(&open.save_id),
    }))
}

fn is_of(messages: &HashSet<MessageId>, entry: &FeedEntry) -> bool {
    entry.subject.message_id().is_some_and(|id| messages.contains(&id))
}
