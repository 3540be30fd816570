//! Records that are inserted together with their entries, in one transaction.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::raw::RawBsonRef;
use bson::{Bson, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Clock as _, StoreError};
use mongodb::options::Hint;
use mongodb::{ClientSession, Collection};

use crate::mongo::documents::feed;
use crate::mongo::indexes::BY_ID;
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::Query;
use crate::mongo::transactions::{Aborted, TRIES_MAX, in_the_way, wait_for_others};
use crate::mongo::{MongoClock, MongoStore};

/// Entries in one arrival at most.
pub(super) const ENTRIES_MAX: usize = 1_000;

/// A collection, and the field that must not be twice in it.
#[derive(Clone, Copy)]
pub(in crate::mongo) struct Keyed<'a> {
    pub(in crate::mongo) collection: &'a Collection<RawDocumentBuf>,
    pub(in crate::mongo) field: &'static str,
    pub(in crate::mongo) index: &'static str,
}

impl Keyed<'_> {
    /// The key in a document; `None` if it has none.
    fn key(&self, document: &RawDocument) -> Option<Vec<u8>> {
        match document.get(self.field).ok()?? {
            RawBsonRef::String(text) => Some(text.as_bytes().to_vec()),
            RawBsonRef::Binary(binary) => Some(binary.bytes.to_vec()),
            _ => None,
        }
    }
}

/// A record on its way into the store, and what is told of it.
pub(in crate::mongo) struct Told {
    pub(in crate::mongo) document: RawDocumentBuf,
    pub(in crate::mongo) entry: Option<FeedEntry>,
}

impl MongoStore {
    /// Inserts records, each with its entry or not at all; the answers are in their order. One that is refused does not
    /// hold up the others, and neither does one that is there: a duplicate makes the server undo the transaction, and it is
    /// tried once more without all that are known. With `look_first`, they are looked for before.
    pub(in crate::mongo) async fn insert_told(
        &self,
        keyed: Keyed<'_>,
        records: &[Told],
        look_first: bool,
    ) -> Vec<Inserted> {
        let mut answers = vec![Inserted::Stored; records.len()];
        let mut left = first_of_each(keyed, records, &mut answers);
        if look_first {
            // What cannot be looked for is found by the insert.
            let _ = self.leave_out_known(keyed, records, &mut left, &mut answers).await;
        }
        let mut tries = 0;
        while !left.is_empty() {
            let end_with = match self.insert_with_entries(keyed, records, &left).await {
                Ok(()) => return answers,
                Err(Aborted::Refused(place, error)) if place < left.len() => {
                    answers[left.remove(place)] = Inserted::Refused(error);
                    continue;
                }
                Err(Aborted::Duplicate) => match self.leave_out_known(keyed, records, &mut left, &mut answers).await {
                    Ok(0) => None,
                    Ok(_) => continue,
                    Err(error) => Some(Inserted::Refused(error)),
                },
                Err(Aborted::Conflict) => None,
                Err(Aborted::Unknown(error)) => Some(Inserted::Unknown(error)),
                Err(Aborted::Failed(error) | Aborted::Refused(_, error)) => Some(Inserted::Refused(error)),
            };
            tries += 1;
            let end_with = end_with.or_else(|| (tries >= TRIES_MAX).then(|| Inserted::Refused(in_the_way())));
            if let Some(answer) = end_with {
                for place in left {
                    answers[place] = answer.clone();
                }
                return answers;
            }
            wait_for_others(tries).await;
        }
        answers
    }

    async fn insert_with_entries(&self, keyed: Keyed<'_>, records: &[Told], places: &[usize]) -> Result<(), Aborted> {
        let records = || places.iter().filter_map(|place| records.get(*place));
        let documents: Vec<RawDocumentBuf> = records().map(|record| record.document.clone()).collect();
        let arrivals = self.arrivals_of(records().filter_map(|record| record.entry.as_ref()));
        let arrivals = arrivals.map_err(Aborted::Failed)?;
        let steps = async {
            let mut session = self.begin().await?;
            self.insert_within(&mut session, keyed.collection, &documents).await?;
            let told = self.insert_within(&mut session, &self.feed_arrivals, &arrivals).await;
            told.map_err(|aborted| match aborted {
                // Not a record's fault.
                Aborted::Refused(_, error) => Aborted::Failed(error),
                other => other,
            })?;
            self.commit(&mut session).await
        };
        self.within_write_timeout(steps).await?;
        if !arrivals.is_empty() {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Entries as arrivals: one document for each tenant.
    pub(in crate::mongo) fn arrivals_of<'a>(
        &self,
        entries: impl Iterator<Item = &'a FeedEntry>,
    ) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let mut by_tenant: BTreeMap<TenantId, Vec<&FeedEntry>> = BTreeMap::new();
        for entry in entries {
            by_tenant.entry(entry.tenant_id).or_default().push(entry);
        }
        let mut arrivals = Vec::with_capacity(by_tenant.len());
        for (tenant_id, entries) in by_tenant {
            for entries in entries.chunks(ENTRIES_MAX) {
                let id = arrival_id(&self.clock);
                arrivals.push(feed::encode_arrival(&id, &tenant_id, entries, None)?);
            }
        }
        Ok(arrivals)
    }

    /// Entries as arrivals that come behind all arrivals of the tenant that this transaction sees.
    ///
    /// An arrival is placed by the clock of the process that made it. Another process may be a little ahead, and what was
    /// told by it before would come behind. The transaction writes the tenant first, so it sees what an earlier save told.
    pub(in crate::mongo) async fn next_arrivals_within(
        &self,
        session: &mut ClientSession,
        tenant_id: &TenantId,
        entries: &[FeedEntry],
    ) -> Result<Vec<RawDocumentBuf>, Aborted> {
        let mut time = self.clock.present().now;
        let ahead = doc! { "_id": { "$gt": arrival_id_at(time) }, "tenantId": tenant_id.to_string() };
        let find = self.feed_arrivals.find_one(ahead).projection(doc! { "_id": 1 });
        let find = find.sort(doc! { "_id": -1 }).hint(Hint::Name(BY_ID.to_owned()));
        let last = match find.session(&mut *session).await {
            Ok(last) => last,
            Err(error) => return Err(self.undone(session, error).await),
        };
        if let Some(last) = last.and_then(|last| time_of_arrival(last.get_str("_id").ok()?)) {
            time = time.max(last + Duration::from_millis(1));
        }
        let entries: Vec<&FeedEntry> = entries.iter().collect();
        let arrivals = entries
            .chunks(ENTRIES_MAX)
            .map(|entries| feed::encode_arrival(&arrival_id_at(time), tenant_id, entries, None));
        arrivals.collect::<Result<_, _>>().map_err(Aborted::Failed)
    }

    /// Takes out what the store has already, for good. Returns how many.
    async fn leave_out_known(
        &self,
        keyed: Keyed<'_>,
        records: &[Told],
        left: &mut Vec<usize>,
        answers: &mut [Inserted],
    ) -> Result<usize, StoreError> {
        let keys: Vec<Bson> = (left.iter())
            .filter_map(|place| {
                let key = records.get(*place)?.document.get(keyed.field).ok()??;
                Bson::try_from(key).ok()
            })
            .collect();
        if keys.is_empty() {
            return Ok(0);
        }
        // Only what a majority has: whoever is told of a repetition does not send it again.
        let query = Query::new(doc! { keyed.field: { "$in": keys } }, keyed.index)
            .fields(doc! { keyed.field: 1 })
            .majority();
        let known = self.fetch(keyed.collection, query, |raw| keyed.key(raw)).await?;
        let known: HashSet<Vec<u8>> = known.into_iter().flatten().collect();
        let before = left.len();
        left.retain(|place| {
            let key = records.get(*place).and_then(|record| keyed.key(&record.document));
            let is_known = key.is_some_and(|key| known.contains(&key));
            if is_known && let Some(answer) = answers.get_mut(*place) {
                *answer = Inserted::Duplicate;
            }
            !is_known
        });
        Ok(before - left.len())
    }
}

/// The id of an arrival that is made now.
pub(super) fn arrival_id(clock: &MongoClock) -> String {
    arrival_id_at(clock.present().now)
}

/// The id of an arrival that is placed as one that was made at this time.
pub(super) fn arrival_id_at(time: Timestamp) -> String {
    // The second part tells apart what was made in the same millisecond, in the order of one process.
    format!("{:012x}{}", time.as_millis(), ObjectId::new().to_hex())
}

/// When an arrival was made, or is placed as if it was; `None` if its id does not say so.
fn time_of_arrival(id: &str) -> Option<Timestamp> {
    let millis = i64::from_str_radix(id.get(..12)?, 16).ok()?;
    Some(Timestamp::from_millis(millis))
}

/// The places of the records whose key no earlier one has; the others are duplicates.
fn first_of_each(keyed: Keyed<'_>, records: &[Told], answers: &mut [Inserted]) -> Vec<usize> {
    let mut seen = HashSet::with_capacity(records.len());
    let mut firsts = Vec::with_capacity(records.len());
    for (place, (record, answer)) in records.iter().zip(answers).enumerate() {
        if keyed.key(&record.document).is_none_or(|key| seen.insert(key)) {
            firsts.push(place);
        } else {
            *answer = Inserted::Duplicate;
        }
    }
    firsts
}
