//! Queries: each names its index, its order and its bound.

use std::collections::HashMap;
use std::hash::Hash;

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::page::{PageFill, PageLimit, Paged};
use dakghar_core::ports::{LOAD_BYTES_MAX, StoreError};
use mongodb::Collection;
use mongodb::options::{FindOptions, Hint, ReadConcern};

use super::MongoStore;
use super::documents::Unreadable;
use super::indexes::BY_ID;

/// A query for documents.
#[derive(Clone)]
pub(super) struct Query {
    filter: Document,
    options: FindOptions,
}

/// Documents in one answer of the server: all that a batch asks for, which is fewer. By itself it sends 101.
const ANSWER_MAX: u32 = 10_000;

/// Documents in one answer where they may be large.
const FEW: u32 = 50;

impl Query {
    /// The documents that `filter` matches, found through the index of this name.
    pub(super) fn new(filter: Document, index: &'static str) -> Self {
        let options = FindOptions::builder()
            .hint(Hint::Name(index.to_owned()))
            .batch_size(ANSWER_MAX)
            .build();
        Self { filter, options }
    }

    /// In this order, which must be the index's.
    pub(super) fn sort(mut self, sort: Document) -> Self {
        self.options.sort = Some(sort);
        self
    }

    /// The newest first, by id.
    pub(super) fn newest_first(self) -> Self {
        self.sort(doc! { "_id": -1 })
    }

    /// At most this many, not 0. They come in one answer.
    pub(super) fn limit(mut self, limit: u32) -> Self {
        self.options.limit = Some(limit.into());
        self.options.batch_size = Some(limit);
        self
    }

    /// Not the first so many.
    pub(super) fn skip(mut self, count: u64) -> Self {
        self.options.skip = Some(count);
        self
    }

    /// Only these fields.
    pub(super) fn fields(mut self, projection: Document) -> Self {
        self.options.projection = Some(projection);
        self
    }

    /// Only what a majority holds: for answers that must not be taken back.
    pub(super) fn majority(mut self) -> Self {
        self.options.read_concern = Some(ReadConcern::majority());
        self
    }
}

impl MongoStore {
    /// Runs a query and takes from every document what `read` finds, which may be why it cannot be read. It has no way
    /// to fail them all: what many share must not depend on one document.
    pub(super) async fn fetch<T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        read: impl Fn(&RawDocument) -> T + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let limit = self.options.read_timeout;
        let mut options = query.options;
        options.max_time = Some(limit);
        let run = async {
            let mut found = Vec::new();
            let mut cursor = collection.find(query.filter).with_options(options).await?;
            while cursor.advance().await? {
                found.push(read(cursor.current()));
            }
            Ok(found)
        };
        let found = self.bounded(limit, run).await;
        found.map_err(|failure| failure.to_store_error())
    }

    /// The first document of a query, for the one who asked for it.
    pub(super) async fn fetch_one<T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<Option<T>, StoreError> {
        let found = self.fetch(collection, query.limit(1), decode).await?;
        let first = found
            .into_iter()
            .next()
            .map(|item| told(item).map_err(Unreadable::into_store_error));
        first.transpose()
    }

    /// As [`MongoStore::fetch`], but leaves out what cannot be read, and goes on behind it until there is as much as
    /// the query asks for: one broken document must not stop the others.
    pub(super) async fn fetch_readable<T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let first = self.fetch(collection, query.clone(), &decode).await?;
        let count_max = query.options.limit.and_then(|count| usize::try_from(count).ok());
        let is_full = Some(first.len()) == count_max;
        let readable: Vec<T> = first.into_iter().filter_map(|item| told(item).ok()).collect();
        match count_max {
            Some(max) if is_full && readable.len() < max => self.fetch_past(collection, query, max, decode).await,
            _ => Ok(readable),
        }
    }

    /// As [`MongoStore::fetch_readable`], until a page of this limit is full. The server sends few documents at a time.
    pub(super) async fn fetch_within<T: Paged + Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        limit: PageLimit,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let timeout = self.options.read_timeout;
        let mut options = query.options;
        options.max_time = Some(timeout);
        options.batch_size = Some(limit.items.clamp(1, FEW));
        let run = async {
            let mut page = PageFill::new(limit);
            let mut cursor = collection.find(query.filter).with_options(options).await?;
            while !page.is_full() && cursor.advance().await? {
                if let Ok(item) = told(decode(cursor.current())) {
                    page.push(item);
                }
            }
            Ok(page.end().items)
        };
        let found = self.bounded(timeout, run).await;
        found.map_err(|failure| failure.to_store_error())
    }

    /// As [`MongoStore::fetch`], each document under its key: one that cannot be read is an error of its own. Left out
    /// is only what does not even have a key.
    pub(super) async fn fetch_each<K: Hash + Eq + Send, T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        key: impl Fn(&RawDocument) -> Option<K> + Send + Sync,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<HashMap<K, Result<T, StoreError>>, StoreError> {
        let found = self.fetch(collection, query, |raw| (key(raw), decode(raw))).await?;
        let each = found.into_iter().filter_map(|(key, item)| {
            let item = told(item).map_err(Unreadable::into_store_error);
            Some((key?, item))
        });
        Ok(each.collect())
    }

    /// As [`MongoStore::fetch_each`], until the documents have `bytes_max`; at least one is read. Returns also whether
    /// these are all.
    pub(super) async fn fetch_each_within<K: Hash + Eq + Send, T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        bytes_max: usize,
        key: impl Fn(&RawDocument) -> Option<K> + Send + Sync,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<(HashMap<K, Result<T, StoreError>>, bool), StoreError> {
        let timeout = self.options.read_timeout;
        let mut options = query.options;
        options.max_time = Some(timeout);
        let run = async {
            let (mut found, mut bytes) = (HashMap::new(), 0);
            let mut cursor = collection.find(query.filter).with_options(options).await?;
            while cursor.advance().await? {
                let raw = cursor.current();
                let Some(key) = key(raw) else {
                    let _ = told(decode(raw));
                    continue;
                };
                if bytes >= bytes_max {
                    return Ok((found, false));
                }
                bytes += raw.as_bytes().len();
                found.insert(key, told(decode(raw)).map_err(Unreadable::into_store_error));
            }
            Ok((found, true))
        };
        let found = self.bounded(timeout, run).await;
        found.map_err(|failure| failure.to_store_error())
    }

    /// Documents by their ids, in that order and within [`LOAD_BYTES_MAX`]; at least one is read. A document that `owned`
    /// does not match is not found.
    pub(super) async fn load_by_ids<T: Clone + Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        ids: Vec<String>,
        owned: Document,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Vec<Result<Option<T>, StoreError>> {
        if ids.is_empty() {
            return Vec::new();
        }
        let mut filter = owned;
        filter.insert("_id", doc! { "$in": ids.clone() });
        let id = |raw: &RawDocument| raw.get_str("_id").ok().map(str::to_owned);
        let read = self.fetch_each_within(collection, Query::new(filter, BY_ID), LOAD_BYTES_MAX, id, decode);
        let (found, is_all) = match read.await {
            Ok(read) => read,
            Err(error) => return vec![Err(error); ids.len()],
        };
        let answer = |id: &String| match found.get(id) {
            Some(found) => found.clone().map(Some),
            None if is_all => Ok(None),
            None => Err(StoreError::NotReadYet),
        };
        ids.iter().map(answer).collect()
    }

    /// Reads until `count_max` documents could be read, however many are left out before.
    async fn fetch_past<T: Send>(
        &self,
        collection: &Collection<RawDocumentBuf>,
        query: Query,
        count_max: usize,
        decode: impl Fn(&RawDocument) -> Result<T, Unreadable> + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let timeout = self.options.read_timeout;
        let mut options = query.options;
        options.max_time = Some(timeout);
        options.limit = None;
        let run = async {
            let mut found = Vec::new();
            let mut cursor = collection.find(query.filter).with_options(options).await?;
            while found.len() < count_max && cursor.advance().await? {
                found.extend(told(decode(cursor.current())));
            }
            Ok(found)
        };
        let found = self.bounded(timeout, run).await;
        found.map_err(|failure| failure.to_store_error())
    }
}

/// The same, logged if it is unreadable.
pub(super) fn told<T>(item: Result<T, Unreadable>) -> Result<T, Unreadable> {
    item.inspect_err(Unreadable::tell)
}

/// The id of a document, of whatever type it is.
pub(super) fn any_id(raw: &RawDocument) -> Option<Bson> {
    Bson::try_from(raw.get("_id").ok().flatten()?).ok()
}

/// The id of a document, if it is a text.
pub(super) fn text_id(raw: &RawDocument) -> Option<String> {
    raw.get_str("_id").ok().map(str::to_owned)
}

/// The text in a field that a projection asked for.
pub(super) fn text(raw: &RawDocument, what: &'static str, field: &'static str) -> Result<String, Unreadable> {
    raw.get_str(field)
        .map(str::to_owned)
        .map_err(|_| Unreadable::field(what, raw.get_str("_id").unwrap_or("(unknown)"), field))
}
