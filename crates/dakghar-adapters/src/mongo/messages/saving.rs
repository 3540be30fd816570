//! Saves under optimistic versioning, many in one statement.
//!
//! Messages that were read at the same version and leave the same fields empty share one; in a batch, that is nearly
//! all. Claims that write the same share one that needs no values of their own, which costs the server a third less.

use std::collections::{BTreeMap, HashSet};

use bson::oid::ObjectId;
use bson::{RawArrayBuf, RawBson, RawDocumentBuf, doc, raw::cstr, rawdoc};
use dakghar_core::ports::{Save, Saved, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::collections::MESSAGES;
use crate::mongo::documents::{Unreadable, counter, message};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::{Query, text};
use crate::mongo::sharing::{SHARING_MAX, Sharing};
use crate::mongo::updates::chunk_lengths;

/// A statement and the places of its messages in the batch.
pub(in crate::mongo) type Statement = (Vec<usize>, RawDocumentBuf);
/// Writes the statements of a save, each for up to so many messages.
pub(super) type Write = fn(batch: &[Save], save_id: ObjectId, sharing_max: usize) -> Result<Vec<Statement>, StoreError>;

impl MongoStore {
    /// Saves with these statements. What the messages tell in the feed is announced before, and settled after.
    pub(super) async fn save_in(&self, batch: &[Save], write: Write) -> Vec<Result<Saved, StoreError>> {
        // The reply to an update only counts what matched; this names it.
        let save_id = ObjectId::new();
        let announcement = match self.announce(batch, save_id).await {
            Ok(announcement) => announcement,
            Err(error) => return vec![Err(error); batch.len()],
        };
        let mut answers = self.save_announced(batch, write, save_id).await;
        let (places, again) = self.with_room_now(batch, &answers).await;
        if !again.is_empty() {
            let saved = self.save_announced(&again, write, save_id).await;
            for (place, saved) in places.into_iter().zip(saved) {
                answers[place] = saved;
            }
        }
        self.settle(announcement, batch, &answers).await;
        answers
    }

    async fn save_announced(&self, batch: &[Save], write: Write, save_id: ObjectId) -> Vec<Result<Saved, StoreError>> {
        let (answers, is_refused) = self
            .save_in_statements(batch, write(batch, save_id, SHARING_MAX), save_id)
            .await;
        if !is_refused {
            return answers;
        }
        // A refused message ends its statement, and nobody looked at those behind it. Once more, each alone: those that
        // were saved do not match again and are found by their save.
        let statements = write(batch, save_id, 1);
        let (answers, _) = self.save_in_statements(batch, statements, save_id).await;
        answers.into_iter().zip(batch).map(named).collect()
    }

    /// The saves that found no room for their id in the message, and have some now.
    async fn with_room_now(&self, batch: &[Save], answers: &[Result<Saved, StoreError>]) -> (Vec<usize>, Vec<Save>) {
        let is_stale = |(_, (save, answer)): &(usize, (&Save, &Result<Saved, StoreError>))| {
            save.entry.is_some() && **answer == Ok(Saved::Stale)
        };
        let stale = || batch.iter().zip(answers).enumerate().filter(is_stale);
        let ids = stale().map(|(_, (save, _))| save.key.message_id.to_string()).collect();
        match self.make_room(ids).await {
            Ok(true) => stale().map(|(place, (save, _))| (place, save.clone())).unzip(),
            // Whoever is told that a save is stale tries again.
            Ok(false) | Err(_) => (Vec::new(), Vec::new()),
        }
    }

    /// Also returns whether a statement was refused.
    async fn save_in_statements(
        &self,
        batch: &[Save],
        statements: Result<Vec<Statement>, StoreError>,
        save_id: ObjectId,
    ) -> (Vec<Result<Saved, StoreError>>, bool) {
        let (groups, updates): (Vec<Vec<usize>>, Vec<RawDocumentBuf>) = match statements {
            Ok(statements) => statements.into_iter().unzip(),
            Err(error) => return (vec![Err(error); batch.len()], false),
        };
        let mut answers = vec![Ok(Saved::Stale); batch.len()];
        let mut is_refused = false;
        let (mut groups, mut updates) = (groups.as_slice(), updates.as_slice());
        for length in chunk_lengths(updates) {
            let (chunk, groups_left) = groups.split_at(length);
            let (chunk_updates, updates_left) = updates.split_at(length);
            let places = chunk.concat();
            let saves: Vec<&Save> = places.iter().map(|place| &batch[*place]).collect();
            let (saved, refused) = self.save_chunk(&saves, chunk_updates, save_id).await;
            for (place, saved) in places.into_iter().zip(saved) {
                answers[place] = saved;
            }
            is_refused |= !refused.is_empty();
            for (index, error) in refused {
                for place in &chunk[index] {
                    answers[*place] = Err(error.clone());
                }
            }
            (groups, updates) = (groups_left, updates_left);
        }
        (answers, is_refused)
    }

    /// Executes statements that hold these messages. Returns a result for each message, and which statements were
    /// refused.
    async fn save_chunk(
        &self,
        saves: &[&Save],
        updates: &[RawDocumentBuf],
        save_id: ObjectId,
    ) -> (Vec<Result<Saved, StoreError>>, Vec<(usize, StoreError)>) {
        let reply = match self.update_all(MESSAGES, updates).await {
            Ok(reply) => reply,
            Err(failure) => {
                let error = failure.to_store_error();
                return (self.saved_or(saves, save_id, &Err(error)).await, Vec::new());
            }
        };
        if let Some(error) = reply.unconfirmed {
            return (self.saved_or(saves, save_id, &Err(error)).await, Vec::new());
        }
        let answers = if reply.matched == saves.len() {
            vec![Ok(Saved::Done); saves.len()]
        } else {
            // Also when nothing matched: the command may have been executed twice, and matched the first time.
            self.saved_or(saves, save_id, &Ok(Saved::Stale)).await
        };
        let refused = reply.refused.into_iter().map(|refused| (refused.index, refused.error));
        (answers, refused.collect())
    }

    /// `Done` for the messages that carry this save, `otherwise` for the rest.
    async fn saved_or(
        &self,
        saves: &[&Save],
        save_id: ObjectId,
        otherwise: &Result<Saved, StoreError>,
    ) -> Vec<Result<Saved, StoreError>> {
        let ids: Vec<_> = saves.iter().map(|save| save.key.message_id.to_string()).collect();
        // Another save may have followed, which leaves the id of one that told something.
        let carries = [doc! { "saveId": save_id }, doc! { message::TOLD_SAVES: save_id }];
        let query = Query::new(doc! { "_id": { "$in": ids.clone() }, "$or": carries.to_vec() }, BY_ID)
            .fields(doc! { "_id": 1 })
            .majority();
        let reading = self.fetch_readable(&self.messages, query, |raw| text(raw, "message", "_id"));
        let found: HashSet<String> = match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) => found.into_iter().collect(),
            Ok(Err(error)) => return vec![otherwise.clone().and(Err(error)); saves.len()],
            Err(_) => {
                let error = StoreError::Unavailable("what became of a save could not be read in time".to_owned());
                return vec![otherwise.clone().and(Err(error)); saves.len()];
            }
        };
        ids.iter()
            .map(|id| {
                if found.contains(id) {
                    Ok(Saved::Done)
                } else {
                    otherwise.clone()
                }
            })
            .collect()
    }
}

/// The same answer, which names and tells of the message if its document does not allow the save.
fn named((answer, save): (Result<Saved, StoreError>, &Save)) -> Result<Saved, StoreError> {
    answer.map_err(|error| {
        let StoreError::Unreadable(why) = error else {
            return error;
        };
        let unchangeable = Unreadable::unchangeable("message", &save.key.message_id.to_string(), why);
        unchangeable.tell();
        unchangeable.into_store_error()
    })
}

/// Writes just what a claim changes: the same for all that were read at the same version.
pub(super) fn claims(batch: &[Save], save_id: ObjectId, sharing_max: usize) -> Result<Vec<Statement>, StoreError> {
    let mut alike: BTreeMap<(u64, Vec<u8>), (RawDocumentBuf, Vec<usize>)> = BTreeMap::new();
    for (place, Save { delivery, .. }) in batch.iter().enumerate() {
        let set = message::encode_claim(delivery, save_id)?;
        let (_, places) = alike
            .entry((delivery.version, set.as_bytes().to_vec()))
            .or_insert_with(|| (set, Vec::new()));
        places.push(place);
    }
    let mut statements = Vec::with_capacity(alike.len());
    for ((version, _), (set, places)) in alike {
        for places in places.chunks(sharing_max) {
            let mut sharing = Sharing::default();
            for place in places {
                let key = batch[*place].key;
                sharing.add(key.message_id.to_string(), &key.tenant_id);
            }
            let update = rawdoc! { "$set": set.clone(), "$unset": { message::FIELD_A_CLAIM_UNSETS: "" } };
            statements.push((places.to_vec(), statement(sharing.filter(), version, update)));
        }
    }
    Ok(statements)
}

/// Messages that have this in common share a statement: the version that was read, the fields that are empty, and whether
/// they tell something.
type Alike = (u64, Vec<&'static str>, bool);

/// Writes everything that delivery may have changed.
pub(in crate::mongo) fn deliveries(
    batch: &[Save],
    save_id: ObjectId,
    sharing_max: usize,
) -> Result<Vec<Statement>, StoreError> {
    let mut alike: BTreeMap<Alike, Vec<(usize, RawDocumentBuf)>> = BTreeMap::new();
    for (place, Save { delivery, entry, .. }) in batch.iter().enumerate() {
        let set = message::encode_delivery(delivery, save_id)?;
        let group = (delivery.version, absent_fields(&set), entry.is_some());
        alike.entry(group).or_default().push((place, set));
    }
    let mut statements = Vec::with_capacity(alike.len());
    for ((version, absent, is_told), sets) in alike {
        let mut sets = sets.into_iter();
        while sets.len() > 0 {
            let mut places = Vec::new();
            let mut sharing = Sharing::default();
            for (place, set) in sets.by_ref().take(sharing_max) {
                let key = batch[place].key;
                sharing.add_with_value(key.message_id.to_string(), &key.tenant_id, set);
                places.push(place);
            }
            let mut filter = sharing.filter();
            let mut merged: Vec<RawBson> = vec!["$$ROOT".into(), sharing.own_value().into()];
            if is_told {
                filter.append(message::TOLD_SAVES_ARE_FULL, rawdoc! { "$exists": false });
                merged.push(with_save(save_id).into());
            }
            let mut steps = RawArrayBuf::new();
            steps.push(rawdoc! { "$replaceWith": { "$mergeObjects": merged.into_iter().collect::<RawArrayBuf>() } });
            if !absent.is_empty() {
                steps.push(rawdoc! { "$unset": absent.iter().copied().collect::<RawArrayBuf>() });
            }
            statements.push((places, statement(filter, version, steps)));
        }
    }
    Ok(statements)
}

/// In a pipeline: the saves that a message carries, and this one.
fn with_save(save_id: ObjectId) -> RawDocumentBuf {
    let carried = rawdoc! { "$ifNull": ["$toldSaves", []] };
    rawdoc! { "toldSaves": { "$concatArrays": [carried, [save_id]] } }
}

/// Updates each of the messages whose version is still the one that was read.
fn statement(mut filter: RawDocumentBuf, version: u64, update: impl Into<RawBson>) -> RawDocumentBuf {
    filter.append(cstr!("version"), counter(version));
    rawdoc! { "q": filter, "u": update.into(), "multi": true, "hint": BY_ID }
}

/// The optional fields that `set` does not set.
fn absent_fields(set: &RawDocumentBuf) -> Vec<&'static str> {
    let present: HashSet<&str> = set
        .iter()
        .filter_map(|field| field.ok().map(|(name, _)| name.as_str()))
        .collect();
    message::OPTIONAL_DELIVERY_FIELDS
        .into_iter()
        .filter(|field| !present.contains(field))
        .collect()
}
