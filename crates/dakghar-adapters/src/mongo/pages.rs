//! Pages of lists, bounded in bytes and time: the sizes of the next documents are asked for before the documents.

use std::collections::HashMap;

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::ports::StoreError;
use mongodb::Collection;
use tokio::time::Instant;

use super::MongoStore;
use super::documents::Unreadable;
use super::indexes::BY_ID;
use super::reads::{Query, told};

/// Greater than every id, and a text: an `_id` of another type is not looked at.
const BEHIND_ALL: &str = "\u{10FFFF}";
/// Index keys that a search looks at before it first looks at the clock.
const KEYS_AT_FIRST: u64 = 256;
/// Index keys between two looks at the clock from then on.
const KEYS_PER_LOOK: u64 = 2048;

/// A list that runs along one index from the newest id downwards.
pub(super) struct List<'a> {
    pub(super) collection: &'a Collection<RawDocumentBuf>,
    pub(super) index: &'static str,
    /// The equalities that the index begins with.
    pub(super) along: Document,
    /// Checked document by document.
    pub(super) filters: Document,
    /// True when the filters may match so little that a search for them must be bounded in time.
    pub(super) is_sparse: bool,
    /// Only ids from this on.
    pub(super) from: Option<String>,
}

/// A document that is next, by its id, and its bytes.
type Next = (String, usize);

impl<'a> List<'a> {
    /// Everything along an index behind these equalities.
    pub(super) fn of(collection: &'a Collection<RawDocumentBuf>, index: &'static str, along: Document) -> Self {
        Self {
            collection,
            index,
            along,
            filters: Document::new(),
            is_sparse: false,
            from: None,
        }
    }

    fn along(&self, before: &str, down_to: Option<&str>) -> Document {
        let mut ids = doc! { "$lt": before };
        if let Some(from) = down_to.or(self.from.as_deref()) {
            ids.insert("$gte", from);
        }
        let mut filter = self.along.clone();
        filter.insert("_id", ids);
        filter
    }

    fn filtered(&self, mut filter: Document) -> Document {
        filter.extend(self.filters.clone());
        filter
    }
}

impl MongoStore {
    /// Reads a page of a list, the ids of which are less than `before`.
    pub(super) async fn page<T: Paged + Send>(
        &self,
        list: &List<'_>,
        before: Option<String>,
        limit: PageLimit,
        parse: impl Fn(&str) -> Option<T::Position> + Send + Sync,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<Listed<T>, StoreError> {
        if limit.items == 0 {
            return Ok(Listed::empty());
        }
        #[expect(clippy::disallowed_methods, reason = "bounds the time of a search")]
        let started = Instant::now();
        let mut page = PageFill::new(limit);
        let mut before = before.unwrap_or_else(|| BEHIND_ALL.to_owned());
        let mut keys_max = KEYS_AT_FIRST;
        // The end of a stretch is found before its documents: one that is added meanwhile is not passed over.
        let mut down_to = self.down_to(list, &before, keys_max).await?;
        loop {
            let mut next = self
                .next_of(list, &before, down_to.as_deref(), page.items_left() + 1)
                .await?;
            let fitting = page.fitting(next.iter().map(|(_, bytes)| *bytes));
            let has_more = fitting < next.len();
            next.truncate(fitting);
            self.fill(&mut page, list, &next, &decode).await?;
            if has_more && page.is_full() {
                return Ok(page.more());
            }
            let looked_down_to = if has_more {
                next.pop().map(|(id, _)| id)
            } else {
                keys_max = KEYS_PER_LOOK;
                down_to.take()
            };
            let Some(place) = looked_down_to else {
                return Ok(page.end());
            };
            if let Some(place) = parse(&place) {
                page.pass(place);
                if started.elapsed() >= limit.time {
                    return Ok(page.more());
                }
            }
            before = place;
            if down_to.is_none() {
                down_to = self.down_to(list, &before, keys_max).await?;
            }
        }
    }

    /// The last id of so many index keys of a sparse list; `None` when there are fewer.
    async fn down_to(&self, list: &List<'_>, before: &str, keys: u64) -> Result<Option<String>, StoreError> {
        if !list.is_sparse {
            return Ok(None);
        }
        let query = Query::new(list.along(before, None), list.index)
            .newest_first()
            .fields(doc! { "_id": 1 })
            .skip(keys - 1)
            .limit(1);
        let id = |raw: &RawDocument| raw.get_str("_id").ok().map(str::to_owned);
        let found = self.fetch(list.collection, query, id).await?;
        Ok(found.into_iter().flatten().next())
    }

    /// The next documents, and how large they are.
    async fn next_of(
        &self,
        list: &List<'_>,
        before: &str,
        down_to: Option<&str>,
        count: usize,
    ) -> Result<Vec<Next>, StoreError> {
        let filter = list.filtered(list.along(before, down_to));
        let query = Query::new(filter, list.index)
            .newest_first()
            .fields(doc! { "_id": 1, "bytes": { "$bsonSize": "$$ROOT" } })
            .limit(u32::try_from(count).unwrap_or(u32::MAX));
        let sized = |raw: &RawDocument| {
            let bytes = raw.get_i32("bytes").ok().and_then(|bytes| usize::try_from(bytes).ok());
            Some((raw.get_str("_id").ok()?.to_owned(), bytes.unwrap_or(usize::MAX)))
        };
        let found = self.fetch(list.collection, query, sized).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads these documents onto the page. Those that cannot be read, or do not match any more, are left out.
    async fn fill<T: Paged + Send>(
        &self,
        page: &mut PageFill<T>,
        list: &List<'_>,
        wanted: &[Next],
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<(), StoreError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut filter = list.along.clone();
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        filter.insert("_id", doc! { "$in": ids });
        let query = Query::new(list.filtered(filter), BY_ID).newest_first();
        let sizes: HashMap<&str, usize> = wanted.iter().map(|(id, bytes)| (id.as_str(), *bytes)).collect();
        let sized = |raw: &RawDocument| {
            let bytes = raw.get_str("_id").ok().and_then(|id| sizes.get(id).copied());
            (decode(raw), bytes.unwrap_or_default())
        };
        for (item, bytes) in self.fetch(list.collection, query, sized).await? {
            if let Ok(item) = told(item) {
                page.push_sized(item, bytes);
            }
        }
        Ok(())
    }
}
