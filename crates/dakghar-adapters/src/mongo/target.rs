//! The database as the store that an installation moves to, and what keeps it from being used before all is there.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::migration::{Kind, Migration, Record};
use dakghar_core::ports::{MigrationTarget, Saved, StoreError};
use futures_util::future::join_all;
use mongodb::Collection;

use super::MongoStore;
use super::collections::MIGRATIONS;
use super::documents::{
    Unreadable, audit, callback, conversation, endpoint, event, feed, message, meta_app, migration, operator_key,
    opt_out, sealed_secrets, status, tenant,
};
use super::indexes::BY_ID;
use super::inserts::Inserted;
use super::reads::{Query, text};

/// Documents in one insert. Several inserts run at once.
const INSERTED_AT_ONCE: usize = 1_000;

#[async_trait]
impl MigrationTarget for MongoStore {
    async fn migration(&self) -> Result<Option<Migration>, StoreError> {
        let query = Query::new(doc! { "_id": migration::ID }, BY_ID);
        self.fetch_one(&self.migrations(), query, migration::decode).await
    }

    async fn save_migration(&self, migration: &Migration) -> Result<Saved, StoreError> {
        let document = migration::encode_next(migration)?;
        let migrations = self.migrations();
        if migration.version == 0 {
            let insert = migrations.insert_one(document);
            return match self.bounded(self.options.write_timeout, async { insert.await }).await {
                Ok(_) => Ok(Saved::Done),
                Err(failure) if failure.is_duplicate_key() => Ok(Saved::Stale),
                Err(failure) => Err(failure.to_store_error()),
            };
        }
        self.replace_version(&migrations, migration::ID, migration.version, document)
            .await
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        let limit = self.options.read_timeout;
        let count = self.of_kind(kind).count_documents(doc! {}).max_time(limit);
        let counted = self.bounded(limit, async { count.await }).await;
        counted.map_err(|failure| failure.to_store_error())
    }

    async fn put(&self, records: &[Record]) -> Result<(), StoreError> {
        for kind in Kind::ALL {
            let of_kind = records.iter().filter(|record| record.kind() == kind);
            let documents = of_kind.map(encode).collect::<Result<Vec<_>, _>>()?;
            let chunks = documents.chunks(INSERTED_AT_ONCE);
            for put in join_all(chunks.map(|chunk| self.put_documents(kind, chunk))).await {
                put?;
            }
        }
        let moved = records.iter().filter_map(|record| match record {
            Record::Audit(record) => Some(&**record),
            _ => None,
        });
        self.take_into_chain(&moved.collect::<Vec<_>>()).await
    }

    async fn stored(&self, like: &[Record]) -> Result<Vec<Option<Record>>, StoreError> {
        let mut found: HashMap<(Kind, String), Record> = HashMap::with_capacity(like.len());
        for kind in Kind::ALL {
            let of_kind = like.iter().filter(|record| record.kind() == kind);
            let ids: Vec<String> = of_kind.map(Record::id).collect();
            if let Some(query) = by_ids(&ids) {
                let reading = self.fetch(self.of_kind(kind), query.majority(), |raw| decode(kind, raw));
                for record in reading.await? {
                    // Nobody else is moved: one record that cannot be compared ends the migration.
                    let record = record.map_err(Unreadable::into_store_error)?;
                    found.insert((kind, record.id()), record);
                }
            }
        }
        // Not removed from the map: a record may be asked for twice.
        Ok(like
            .iter()
            .map(|like| found.get(&(like.kind(), like.id())).cloned())
            .collect())
    }

    async fn clear(&self, kind: Kind, limit: u32) -> Result<u64, StoreError> {
        if limit == 0 {
            return Ok(0);
        }
        if kind == Kind::Audit {
            self.forget_chain().await?;
        }
        self.erase_from(self.of_kind(kind), BY_ID, doc! {}, limit).await
    }
}

impl MongoStore {
    /// Refuses while a migration into this database is not finished. Asked after reading what may be sent: whoever has
    /// seen a migrated message sees the record of its migration too, because that was written first.
    pub(super) async fn refuse_half_an_installation(&self) -> Result<(), StoreError> {
        let migration = self.migration().await?;
        match migration.and_then(|migration| migration.obstacle()) {
            Some(obstacle) => Err(StoreError::Unavailable(obstacle)),
            None => Ok(()),
        }
    }

    fn migrations(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(MIGRATIONS)
    }

    const fn of_kind(&self, kind: Kind) -> &Collection<RawDocumentBuf> {
        match kind {
            Kind::Tenants => &self.tenants,
            Kind::Conversations => &self.conversations,
            Kind::Messages => &self.messages,
            Kind::Statuses => &self.statuses,
            Kind::Events => &self.events,
            Kind::Apps => &self.apps,
            Kind::OperatorKeys => &self.operators,
            Kind::InstallationSecrets => &self.installation,
            Kind::Endpoints => &self.endpoints,
            Kind::Progress => &self.callback_progress,
            Kind::Exceptions => &self.callback_exceptions,
            Kind::Feed => &self.feed,
            Kind::OptOuts => &self.opt_outs,
            Kind::Audit => &self.audit.records,
        }
    }

    /// Inserts documents of one kind; those whose id is there already are left as they are.
    async fn put_documents(&self, kind: Kind, documents: &[RawDocumentBuf]) -> Result<(), StoreError> {
        let collection = self.of_kind(kind);
        let mut unclear = Vec::new();
        for (inserted, document) in self.insert_all(collection, documents).await.into_iter().zip(documents) {
            let error = match inserted {
                Inserted::Stored => continue,
                Inserted::Refused(error) => return Err(error),
                Inserted::Unknown(error) => Some(error),
                Inserted::Duplicate => None,
            };
            let id = text(document, kind.as_str(), "_id").map_err(Unreadable::into_store_error)?;
            unclear.push((id, error));
        }
        let ids: Vec<String> = unclear.iter().map(|(id, _)| id.clone()).collect();
        let Some(query) = by_ids(&ids) else { return Ok(()) };
        let query = query.fields(doc! { "_id": 1 }).majority();
        let there = self
            .fetch_readable(collection, query, |raw| text(raw, kind.as_str(), "_id"))
            .await?;
        let there: HashSet<String> = there.into_iter().collect();
        match unclear.into_iter().find(|(id, _)| !there.contains(id)) {
            None => Ok(()),
            Some((_, Some(error))) => Err(error),
            Some((id, None)) => Err(StoreError::Corrupt(format!(
                "{} {id} cannot be stored: something else in the database has its key",
                kind.as_str()
            ))),
        }
    }
}

/// The filter for these ids; `None` for no ids.
fn by_ids(ids: &[String]) -> Option<Query> {
    let limit = u32::try_from(ids.len()).ok().filter(|limit| *limit > 0)?;
    Some(Query::new(doc! { "_id": { "$in": ids } }, BY_ID).limit(limit))
}

fn encode(record: &Record) -> Result<RawDocumentBuf, StoreError> {
    match record {
        Record::Tenant(record) => tenant::encode(record, record.version, ObjectId::new()),
        Record::Conversation(record) => Ok(conversation::encode(record)),
        Record::Message(record) => message::encode(record),
        Record::Status(record) => status::encode(record),
        Record::Event(record) => event::encode(record),
        Record::App(record) => meta_app::encode(record, record.version),
        Record::OperatorKey(record) => operator_key::encode(record, record.version),
        Record::InstallationSecrets(record) => sealed_secrets::encode(record, record.version),
        Record::Endpoint(record) => endpoint::encode(record, record.version),
        Record::Progress(record) => callback::encode_progress(record, record.version, ObjectId::new()),
        Record::Exception(record) => callback::encode_exception(record),
        Record::Entry(record) => feed::encode_placed(record),
        Record::OptOut(record) => opt_out::encode(record),
        Record::Audit(record) => audit::encode(record),
    }
}

fn decode(kind: Kind, raw: &RawDocument) -> Result<Record, Unreadable> {
    Ok(match kind {
        Kind::Tenants => Record::Tenant(Box::new(tenant::decode(raw)?)),
        Kind::Conversations => Record::Conversation(conversation::decode(raw)?),
        Kind::Messages => Record::Message(Box::new(message::decode(raw)?)),
        Kind::Statuses => Record::Status(status::decode(raw)?),
        Kind::Events => Record::Event(event::decode(raw)?),
        Kind::Apps => Record::App(meta_app::decode(raw)?),
        Kind::OperatorKeys => Record::OperatorKey(Box::new(operator_key::decode(raw)?)),
        Kind::InstallationSecrets => Record::InstallationSecrets(sealed_secrets::decode(raw)?),
        Kind::Endpoints => Record::Endpoint(Box::new(endpoint::decode(raw)?)),
        Kind::Progress => Record::Progress(Box::new(callback::decode_progress(raw)?)),
        Kind::Exceptions => Record::Exception(Box::new(callback::decode_exception(raw)?)),
        Kind::Feed => Record::Entry(feed::decode_placed(raw)?),
        Kind::OptOuts => Record::OptOut(opt_out::decode(raw)?),
        Kind::Audit => Record::Audit(Box::new(audit::decode(raw)?)),
    })
}
