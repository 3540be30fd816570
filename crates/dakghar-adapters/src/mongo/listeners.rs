//! The processes that take webhooks. There are a few, so no index but that of their names is needed.

use async_trait::async_trait;
use bson::{RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::listening::{Gap, Listener};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ListenerStore, StoreError};
use mongodb::Collection;

use super::MongoStore;
use super::collections::LISTENERS;
use super::documents::{Unreadable, date, timestamp};
use super::indexes::BY_ID;
use super::reads::{Query, text, told};

#[async_trait]
impl ListenerStore for MongoStore {
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError> {
        let mut fields = doc! {
            "schemaVersion": 1,
            "heardUntil": date(listener.heard_until),
            "hasEnded": listener.has_ended,
        };
        if let Some(gap) = listener.gap {
            fields.insert("gap", doc! { "from": date(gap.from), "until": date(gap.until) });
        }
        let document = RawDocumentBuf::try_from(&fields).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let keep = self.of_listeners();
        let keep = keep
            .replace_one(doc! { "_id": &*listener.process }, document)
            .upsert(true);
        let kept = self.bounded(self.options.write_timeout, async { keep.await }).await;
        kept.map(|_| ()).map_err(|failure| failure.to_store_error())
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StoreError> {
        let query = Query::new(doc! {}, BY_ID).majority();
        let found = self.fetch(&self.of_listeners(), query, decode).await?;
        let each = found
            .into_iter()
            .map(|item| told(item).map_err(Unreadable::into_store_error));
        each.collect()
    }

    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError> {
        let before = date(before);
        let old = doc! {
            "heardUntil": { "$lt": before },
            "$or": [{ "gap": { "$exists": false } }, { "gap.until": { "$lt": before } }],
        };
        let listeners = self.of_listeners();
        let forget = listeners.delete_many(old);
        let forgotten = self.bounded(self.options.write_timeout, async { forget.await }).await;
        forgotten.map(|_| ()).map_err(|failure| failure.to_store_error())
    }
}

impl MongoStore {
    fn of_listeners(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(LISTENERS)
    }
}

fn decode(raw: &RawDocument) -> Result<Listener, Unreadable> {
    let process = text(raw, "listener", "_id")?;
    let wrong = |field| Unreadable::field("listener", &process, field);
    let heard_until = raw.get_datetime("heardUntil").map_err(|_| wrong("heardUntil"))?;
    let has_ended = raw.get_bool("hasEnded").map_err(|_| wrong("hasEnded"))?;
    let gap = match raw.get("gap").map_err(|_| wrong("gap"))? {
        None => None,
        Some(gap) => {
            let gap = gap.as_document().ok_or_else(|| wrong("gap"))?;
            Some(Gap {
                from: timestamp(gap.get_datetime("from").map_err(|_| wrong("gap.from"))?),
                until: timestamp(gap.get_datetime("until").map_err(|_| wrong("gap.until"))?),
            })
        }
    };
    Ok(Listener {
        heard_until: timestamp(heard_until),
        gap,
        has_ended,
        process: process.into(),
    })
}
