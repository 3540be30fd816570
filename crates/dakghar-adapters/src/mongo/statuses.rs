//! Meta's reports on messages, inserted in one command and never changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bson::{Document, RawDocument, doc};
use dakghar_core::domain::TraceContext;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{Reported, Standing, Status, StatusRecord};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::ports::{REPORTS_MAX, StatusStore, StoreError};

use super::MongoStore;
use super::documents::{Unreadable, status, timestamp};
use super::feed::{Keyed, Told};
use super::indexes::BY_ID;
use super::inserts::{Inserted, do_repeat};
use super::messages::key;
use super::reads::{Query, text};

/// Ranges of ids in one query.
const RANGES_MAX: usize = 100;

#[async_trait]
impl StatusStore for MongoStore {
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>> {
        let inserted = self.insert_statuses(batch).await;
        let stored = inserted.iter().zip(batch).filter(|(inserted, _)| inserted.is_ok());
        let keys: BTreeSet<MessageKey> = stored.map(|(_, status)| status.key).collect();
        let keys: Vec<MessageKey> = keys.into_iter().collect();
        let standings = self.standings(&keys).await;
        let answers: Vec<_> = inserted
            .into_iter()
            .zip(batch)
            .map(|(inserted, status)| {
                let report_is_new = inserted?;
                let standings = standings.as_ref().map_err(Clone::clone)?;
                let standing = standings.get(&status.key).cloned().transpose()?;
                Ok(standing.map(|standing| Standing {
                    report_is_new,
                    ..standing
                }))
            })
            .collect();
        let of_nobody = answers.iter().zip(batch).filter(|(answer, _)| **answer == Ok(None));
        let of_nobody: Vec<String> = of_nobody.map(|(_, status)| status.id()).collect();
        if !of_nobody.is_empty()
            && let Err(error) = self
                .delete_by_ids(&self.statuses, doc! { "_id": { "$in": of_nobody } })
                .await
        {
            return vec![Err(error); batch.len()];
        }
        answers
    }

    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError> {
        let mut found: HashMap<MessageKey, Vec<Reported>> = HashMap::with_capacity(keys.len());
        // A key may be asked for twice, and its reports must not come twice.
        let distinct: BTreeSet<MessageKey> = keys.iter().copied().collect();
        let distinct: Vec<MessageKey> = distinct.into_iter().collect();
        for some in distinct.chunks(RANGES_MAX) {
            for (key, reported) in self.reported(some).await? {
                found.entry(key).or_default().push(reported);
            }
        }
        Ok(keys
            .iter()
            .map(|key| found.get(key).cloned().unwrap_or_default())
            .collect())
    }

    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>> {
        let id = |(key, digest): &(MessageKey, Arc<str>)| format!("{}{digest}", StatusRecord::ids_of(key));
        let ids: Vec<String> = wanted.iter().map(id).collect();
        self.load_by_ids(&self.statuses, ids, doc! {}, status::decode).await
    }

    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError> {
        // By its id, and so in no order; there are few.
        let query = Query::new(of_message(key), BY_ID).limit(REPORTS_MAX);
        let all = PageLimit {
            items: REPORTS_MAX,
            bytes: limit.bytes.saturating_mul(2),
            ..limit
        };
        let mut found = self.fetch_within(&self.statuses, query, all, status::decode).await?;
        let is_cut = found.len() >= REPORTS_MAX as usize || found.iter().map(Paged::bytes).sum::<usize>() >= all.bytes;
        found.sort_by_cached_key(|status| std::cmp::Reverse((status.position(), status.digest())));
        let mut page = PageFill::new(limit);
        for status in found {
            if page.is_full() {
                return Ok(page.more());
            }
            page.push(status);
        }
        Ok(if is_cut { page.more() } else { page.end() })
    }
}

impl MongoStore {
    /// Returns for each whether it was not known before.
    async fn insert_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<bool, StoreError>> {
        let mut records = Vec::with_capacity(batch.len());
        for status in batch {
            match status::encode(status) {
                Ok(document) => records.push(Told {
                    document,
                    entry: Some(FeedEntry::of_report(status)),
                }),
                Err(error) => return vec![Err(error); batch.len()],
            }
        }
        let keyed = Keyed {
            collection: &self.statuses,
            field: "_id",
            index: BY_ID,
        };
        let look_first = self.statuses_repeat.load(Ordering::Relaxed);
        let inserted = self.insert_told(keyed, &records, look_first).await;
        self.statuses_repeat.store(do_repeat(&inserted), Ordering::Relaxed);
        let unknown = inserted
            .iter()
            .zip(batch)
            .filter(|(inserted, _)| matches!(inserted, Inserted::Unknown(_)));
        let ids: Vec<String> = unknown.map(|(_, status)| status.id()).collect();
        let there = self.recorded(ids).await;
        inserted
            .into_iter()
            .zip(batch)
            .map(|(inserted, status)| match inserted {
                Inserted::Stored => Ok(true),
                // Meta repeats itself.
                Inserted::Duplicate => Ok(false),
                Inserted::Unknown(_) if there.contains(&status.id()) => Ok(true),
                Inserted::Unknown(error) | Inserted::Refused(error) => Err(error),
            })
            .collect()
    }

    /// Those of the ids that are there for good. None, if nothing could be found out.
    async fn recorded(&self, ids: Vec<String>) -> BTreeSet<String> {
        if ids.is_empty() {
            return BTreeSet::new();
        }
        let query = Query::new(doc! { "_id": { "$in": ids } }, BY_ID)
            .fields(doc! { "_id": 1 })
            .majority();
        let reading = self.fetch_readable(&self.statuses, query, |raw| text(raw, "status", "_id"));
        let found = tokio::time::timeout(self.options.reread_timeout, reading).await;
        found
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    async fn standings(&self, keys: &[MessageKey]) -> Result<Standings, StoreError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<String> = keys.iter().map(|key| key.message_id.to_string()).collect();
        let query = Query::new(doc! { "_id": { "$in": ids } }, BY_ID)
            .fields(doc! { "tenantId": 1, "status": 1, "wamids": 1, "trace": 1, "attempt": 1, "calledAt": 1 });
        self.fetch_each(&self.messages, query, key, standing).await
    }

    async fn reported(&self, keys: &[MessageKey]) -> Result<Vec<(MessageKey, Reported)>, StoreError> {
        let mut ranges: Vec<Document> = keys.iter().map(of_message).collect();
        let filter = match ranges.len() {
            0 => return Ok(Vec::new()),
            1 => ranges.remove(0),
            _ => doc! { "$or": ranges },
        };
        let texts: Document = status::TEXTS
            .iter()
            .map(|field| ((*field).to_owned(), 0.into()))
            .collect();
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let query = Query::new(filter, BY_ID)
            .fields(texts)
            .limit(REPORTS_MAX.saturating_mul(count));
        self.fetch_readable(&self.statuses, query, status::decode_reported)
            .await
    }
}

/// How messages stand; one that cannot be read is an error of its own.
type Standings = HashMap<MessageKey, Result<Standing, StoreError>>;

/// The range of ids of a message's reports.
pub(super) fn of_message(key: &MessageKey) -> Document {
    beginning_with(StatusRecord::ids_of(key))
}

/// The range of ids of a tenant's reports.
pub(super) fn of_tenant(tenant_id: &TenantId) -> Document {
    beginning_with(format!("{tenant_id}/"))
}

/// Ids that begin with a text that ends with a slash.
fn beginning_with(from: String) -> Document {
    // The character behind the slash.
    let until = format!("{}0", &from[..from.len() - 1]);
    doc! { "_id": { "$gte": from, "$lt": until } }
}

fn standing(raw: &RawDocument) -> Result<Standing, Unreadable> {
    let id = text(raw, "message", "_id")?;
    let wrong = |field| Unreadable::field("message", &id, field);
    let status = Status::parse(&text(raw, "message", "status")?).ok_or_else(|| wrong("status"))?;
    let wamids = match raw.get("wamids") {
        Ok(None) => Vec::new(),
        Ok(Some(wamids)) => {
            let wamids = wamids.as_array().ok_or_else(|| wrong("wamids"))?;
            let wamids = wamids.into_iter().map(|wamid| Wamid::parse(wamid.ok()?.as_str()?).ok());
            wamids.collect::<Option<_>>().ok_or_else(|| wrong("wamids"))?
        }
        Err(_) => return Err(wrong("wamids")),
    };
    let trace = match raw.get("trace") {
        Ok(None) => None,
        Ok(Some(trace)) => {
            let bytes = trace.as_binary().ok_or_else(|| wrong("trace"))?.bytes;
            Some(TraceContext::from_bytes(bytes).ok_or_else(|| wrong("trace"))?)
        }
        Err(_) => return Err(wrong("trace")),
    };
    // Only measuring needs it: the report is stored whatever stands there.
    let last_call = || {
        let called_at = raw.get_datetime("calledAt").ok()?;
        let attempt = u32::try_from(raw.get_i64("attempt").ok()?).ok()?;
        Some((attempt, timestamp(called_at)))
    };
    Ok(Standing {
        status,
        wamids,
        trace,
        last_call: last_call(),
        report_is_new: false,
    })
}
