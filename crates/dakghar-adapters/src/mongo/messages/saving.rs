//! Saves under optimistic versioning, many in one statement.
//!
//! Messages that were read at the same version and leave the same fields empty share one; in a batch, that is nearly
//! all. Claims that write the same share one that needs no values of their own, which costs the server a third less.

use std::collections::{BTreeMap, HashSet};

use bson::oid::ObjectId;
use bson::{RawArrayBuf, RawBson, RawDocumentBuf, doc, raw::cstr, rawdoc};
use dakghar_core::ports::{Save, Saved, StoreError};
use mongodb::ClientSession;
use mongodb::options::Hint;

use crate::mongo::MongoStore;
use crate::mongo::collections::MESSAGES;
use crate::mongo::documents::{Unreadable, counter, message};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::{Query, text};
use crate::mongo::sharing::{SHARING_MAX, Sharing};
use crate::mongo::transactions::{Aborted, TRIES_MAX, wait_for_others};
use crate::mongo::updates::chunk_lengths;

/// A statement and the places of its messages in the batch.
pub(super) type Statement = (Vec<usize>, RawDocumentBuf);
/// Writes the statements of a save, each for up to so many messages.
pub(super) type Write = fn(batch: &[Save], save_id: ObjectId, sharing_max: usize) -> Result<Vec<Statement>, StoreError>;

impl MongoStore {
    /// Saves with these statements.
    pub(super) async fn save_in(&self, batch: &[Save], write: Write) -> Vec<Result<Saved, StoreError>> {
        // The reply to an update only counts what matched; this names it.
        let save_id = ObjectId::new();
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
        if saves.iter().any(|save| save.entry.is_some()) {
            return self.save_and_tell(saves, updates, save_id).await;
        }
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

    /// As [`MongoStore::save_chunk`], together with the entries of the messages that are saved.
    async fn save_and_tell(
        &self,
        saves: &[&Save],
        updates: &[RawDocumentBuf],
        save_id: ObjectId,
    ) -> (Vec<Result<Saved, StoreError>>, Vec<(usize, StoreError)>) {
        let mut tries = 0;
        loop {
            let steps = self.save_with_entries(saves, updates, save_id);
            let error = match self.within_write_timeout(steps).await {
                Ok(SavedTogether::All(answers)) => return (answers, Vec::new()),
                Ok(SavedTogether::Refused(_)) if updates.len() > 1 && updates.len() == saves.len() => {
                    return self.save_and_tell_apart(saves, updates, save_id).await;
                }
                Ok(SavedTogether::Refused(refused)) => return (vec![Ok(Saved::Stale); saves.len()], refused),
                // The entries are in the same transaction: whoever carries this save has them.
                Err(Aborted::Unknown(error)) => return (self.saved_or(saves, save_id, &Err(error)).await, Vec::new()),
                Err(Aborted::Conflict) if tries < TRIES_MAX => None,
                Err(aborted) => Some(aborted.into_store_error()),
            };
            if let Some(error) = error {
                return (vec![Err(error); saves.len()], Vec::new());
            }
            tries += 1;
            wait_for_others(tries).await;
        }
    }

    /// As [`MongoStore::save_and_tell`], each message in a transaction of its own: one of them is refused.
    async fn save_and_tell_apart(
        &self,
        saves: &[&Save],
        updates: &[RawDocumentBuf],
        save_id: ObjectId,
    ) -> (Vec<Result<Saved, StoreError>>, Vec<(usize, StoreError)>) {
        let (mut answers, mut refused) = (Vec::with_capacity(saves.len()), Vec::new());
        for (place, (save, update)) in saves.iter().zip(updates).enumerate() {
            let update = std::slice::from_ref(update);
            let (saved, why) = Box::pin(self.save_and_tell(&[*save], update, save_id)).await;
            answers.extend(saved);
            refused.extend(why.into_iter().map(|(_, error)| (place, error)));
        }
        (answers, refused)
    }

    async fn save_with_entries(
        &self,
        saves: &[&Save],
        updates: &[RawDocumentBuf],
        save_id: ObjectId,
    ) -> Result<SavedTogether, Aborted> {
        let mut session = self.begin().await?;
        let reply = self.update_within(&mut session, MESSAGES, updates).await?;
        if !reply.refused.is_empty() {
            self.undo(&mut session).await;
            let refused = reply.refused.into_iter().map(|refused| (refused.index, refused.error));
            return Ok(SavedTogether::Refused(refused.collect()));
        }
        let answers = if reply.matched == saves.len() {
            vec![Ok(Saved::Done); saves.len()]
        } else {
            self.saved_within(&mut session, saves, save_id).await?
        };
        let told = saves
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer == Ok(Saved::Done));
        let arrivals = self.arrivals_of(told.filter_map(|(save, _)| save.entry.as_ref()));
        let arrivals = arrivals.map_err(Aborted::Failed)?;
        self.insert_within(&mut session, &self.feed_arrivals, &arrivals).await?;
        self.commit(&mut session).await?;
        Ok(SavedTogether::All(answers))
    }

    /// Which messages a transaction under way has saved.
    async fn saved_within(
        &self,
        session: &mut ClientSession,
        saves: &[&Save],
        save_id: ObjectId,
    ) -> Result<Vec<Result<Saved, StoreError>>, Aborted> {
        let ids: Vec<String> = saves.iter().map(|save| save.key.message_id.to_string()).collect();
        let find = self
            .messages
            .find(doc! { "_id": { "$in": &ids }, "saveId": save_id })
            .projection(doc! { "_id": 1 })
            .hint(Hint::Name(BY_ID.to_owned()));
        let mut found = HashSet::new();
        let read = async {
            let mut cursor = find.session(&mut *session).await?;
            while cursor.advance(&mut *session).await? {
                found.extend(cursor.current().get_str("_id").ok().map(str::to_owned));
            }
            Ok::<_, mongodb::error::Error>(())
        };
        if let Err(error) = read.await {
            return Err(self.undone(session, error).await);
        }
        let answer = |id| if found.contains(id) { Saved::Done } else { Saved::Stale };
        Ok(ids.iter().map(|id| Ok(answer(id))).collect())
    }

    /// `Done` for the messages that carry this save, `otherwise` for the rest.
    async fn saved_or(
        &self,
        saves: &[&Save],
        save_id: ObjectId,
        otherwise: &Result<Saved, StoreError>,
    ) -> Vec<Result<Saved, StoreError>> {
        let ids: Vec<_> = saves.iter().map(|save| save.key.message_id.to_string()).collect();
        let query = Query::new(doc! { "_id": { "$in": ids.clone() }, "saveId": save_id }, BY_ID)
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

/// What became of saves that share a transaction.
enum SavedTogether {
    /// Nothing was refused.
    All(Vec<Result<Saved, StoreError>>),
    /// Statements were refused, and nothing was saved.
    Refused(Vec<(usize, StoreError)>),
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
            statements.push((places.to_vec(), statement(&sharing, version, update)));
        }
    }
    Ok(statements)
}

/// Messages that have this in common share a statement: the version that was read, and the fields that are empty.
type Alike = (u64, Vec<&'static str>);

/// Writes everything that delivery may have changed.
pub(super) fn deliveries(batch: &[Save], save_id: ObjectId, sharing_max: usize) -> Result<Vec<Statement>, StoreError> {
    let mut alike: BTreeMap<Alike, Vec<(usize, RawDocumentBuf)>> = BTreeMap::new();
    for (place, Save { delivery, .. }) in batch.iter().enumerate() {
        let set = message::encode_delivery(delivery, save_id)?;
        let absent = absent_fields(&set);
        alike.entry((delivery.version, absent)).or_default().push((place, set));
    }
    let mut statements = Vec::with_capacity(alike.len());
    for ((version, absent), sets) in alike {
        let mut sets = sets.into_iter();
        while sets.len() > 0 {
            let mut places = Vec::new();
            let mut sharing = Sharing::default();
            for (place, set) in sets.by_ref().take(sharing_max) {
                let key = batch[place].key;
                sharing.add_with_value(key.message_id.to_string(), &key.tenant_id, set);
                places.push(place);
            }
            let mut steps = RawArrayBuf::new();
            steps.push(rawdoc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", sharing.own_value()] } });
            if !absent.is_empty() {
                steps.push(rawdoc! { "$unset": absent.iter().copied().collect::<RawArrayBuf>() });
            }
            statements.push((places, statement(&sharing, version, steps)));
        }
    }
    Ok(statements)
}

/// Updates each of the messages whose version is still the one that was read.
fn statement(sharing: &Sharing, version: u64, update: impl Into<RawBson>) -> RawDocumentBuf {
    let mut filter = sharing.filter();
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
