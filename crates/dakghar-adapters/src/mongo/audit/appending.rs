//! Transactions on the chain: appending to its end, and dropping from its beginning.

use bson::{Bson, Document, doc};
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditRecord, place_of};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AuditStore as _, AuditedChange, Carried, StoreError};
use mongodb::ClientSession;
use tokio::sync::MutexGuard;

use crate::mongo::MongoStore;
use crate::mongo::documents::{Unreadable, audit, counter};
use crate::mongo::failure::Failure;
use crate::mongo::indexes::AUDIT_ENTRY;
use crate::mongo::reads::{Query, text_id};
use crate::mongo::transactions::{Aborted, wait_for_others};

/// The most tries of a change while other processes append. Each time one of them has come through.
const TRIES_MAX: u32 = 20;

impl MongoStore {
    /// Carries a change out together with its record.
    pub(super) async fn carry_out_recorded(
        &self,
        change: &AuditedChange,
        entry: &AuditEntry,
    ) -> Result<Carried, StoreError> {
        let _turn = self.audit_turn_of_one().await?;
        let mut tries = 0;
        loop {
            let steps = async {
                let mut session = self.begin().await?;
                let carried = self.carry_out_within(&mut session, change).await?;
                if carried != Carried::Done {
                    self.undo(&mut session).await;
                    return Ok(carried);
                }
                self.append_within(&mut session, entry).await?;
                self.commit(&mut session).await?;
                Ok(Carried::Done)
            };
            match self.within_write_timeout(steps).await {
                Ok(carried) => {
                    self.arrived.notify_one();
                    return Ok(carried);
                }
                Err(Aborted::Duplicate) => return self.why_duplicate(change).await,
                Err(Aborted::Conflict) if tries < TRIES_MAX => tries += 1,
                // The record is there if and only if the change is.
                Err(Aborted::Unknown(error)) => return self.look_up_entry(entry, error).await,
                Err(aborted) => return Err(aborted.into_store_error()),
            }
            wait_for_others(tries).await;
        }
    }

    /// Waits for the turn of one change of this process.
    async fn audit_turn_of_one(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        let limit = self.options.write_timeout;
        let turn = tokio::time::timeout(limit, self.audit.turn.lock()).await;
        turn.map_err(|_| Failure::TimedOut(limit).to_store_error())
    }

    /// Appends a record behind the end of the chain, as this transaction sees it. Nobody else can move the end meanwhile.
    async fn append_within(&self, session: &mut ClientSession, entry: &AuditEntry) -> Result<(), Aborted> {
        let stored = self.chain_within(session).await?;
        let mut chain = stored.unwrap_or_default();
        let record = AuditRecord::behind(&chain.head, entry);
        let document = audit::encode(&record).map_err(Aborted::Failed)?;
        chain.head = record.link();
        self.keep_chain_within(session, stored, &chain).await?;
        let inserted = self.insert_within(session, &self.audit.records, &[document]).await;
        inserted.map_err(not_of_the_change)
    }

    async fn chain_within(&self, session: &mut ClientSession) -> Result<Option<AuditChain>, Aborted> {
        let find = self.audit.chain.find_one(doc! { "_id": AuditChain::ID });
        let found = match find.session(&mut *session).await {
            Ok(found) => found,
            Err(error) => return Err(self.undone(session, error).await),
        };
        let Some(found) = found else { return Ok(None) };
        match audit::decode_chain(&found).map_err(Unreadable::into_store_error) {
            Ok(chain) => Ok(Some(chain)),
            // Nothing is appended to what cannot be read: it would hide what is wrong.
            Err(error) => {
                self.undo(session).await;
                Err(Aborted::Failed(error))
            }
        }
    }

    async fn keep_chain_within(
        &self,
        session: &mut ClientSession,
        stored: Option<AuditChain>,
        chain: &AuditChain,
    ) -> Result<(), Aborted> {
        let document = audit::encode_chain(chain).map_err(Aborted::Failed)?;
        let Some(stored) = stored else {
            let inserted = self.insert_within(session, &self.audit.chain, &[document]).await;
            return inserted.map_err(not_of_the_change);
        };
        let as_read = doc! {
            "_id": AuditChain::ID, "headNumber": counter(stored.head.number),
            "anchorNumber": counter(stored.anchor.number),
        };
        let replace = self.audit.chain.replace_one(as_read, document);
        match replace.session(&mut *session).await {
            Ok(replaced) if replaced.matched_count == 1 => Ok(()),
            Ok(_) => {
                self.undo(session).await;
                Err(Aborted::Conflict)
            }
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    /// Makes the chain of records that were moved here. Nobody else writes while an installation moves in.
    pub(in crate::mongo) async fn take_into_chain(&self, moved: &[&AuditRecord]) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        let mut chain = self.audit_chain().await?;
        for record in moved {
            chain.take_in(record);
        }
        let document = audit::encode_chain(&chain)?;
        let one = doc! { "_id": AuditChain::ID };
        let replace = self.audit.chain.replace_one(one, document).upsert(true);
        let replaced = self.bounded(self.options.write_timeout, async { replace.await }).await;
        replaced.map(drop).map_err(|failure| failure.to_store_error())
    }

    /// Forgets where the chain begins and ends, before its records are erased.
    pub(in crate::mongo) async fn forget_chain(&self) -> Result<(), StoreError> {
        let forget = self.audit.chain.delete_one(doc! { "_id": AuditChain::ID });
        let forgotten = self.bounded(self.options.write_timeout, async { forget.await }).await;
        forgotten.map(drop).map_err(|failure| failure.to_store_error())
    }

    /// After a commit without a clear answer.
    async fn look_up_entry(&self, entry: &AuditEntry, error: StoreError) -> Result<Carried, StoreError> {
        let query = Query::new(doc! { "entryId": entry.id.to_string() }, AUDIT_ENTRY)
            .fields(doc! { "_id": 1 })
            .limit(1)
            .majority();
        let reading = self.fetch(&self.audit.records, query, text_id);
        match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) if !found.is_empty() => Ok(Carried::Done),
            _ => Err(error),
        }
    }

    /// Drops what is older, from the beginning on.
    pub(super) async fn drop_older_records(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let from = self.audit_chain().await?.anchor;
        let mut anchor = from;
        for (number, record) in self.audit_walk(from.number, limit).await? {
            let follows = |record: &AuditRecord| number == anchor.number + 1 && record.at < before;
            let Some(record) = record.filter(follows) else { break };
            anchor = record.link();
        }
        if anchor == from {
            return Ok(0);
        }
        let _turn = self.audit_turn_of_one().await?;
        let steps = async {
            let mut session = self.begin().await?;
            let stored = self.chain_within(&mut session).await?;
            let mut chain = stored.unwrap_or_default();
            // Another process was faster: the next pass looks again.
            if chain.anchor != from {
                self.undo(&mut session).await;
                return Ok(0);
            }
            chain.anchor = anchor;
            self.keep_chain_within(&mut session, stored, &chain).await?;
            let old: Document = doc! { "_id": { "$lte": Bson::String(place_of(anchor.number)) } };
            if let Err(error) = self.audit.records.delete_many(old).session(&mut session).await {
                return Err(self.undone(&mut session, error).await);
            }
            self.commit(&mut session).await?;
            Ok(anchor.number - from.number)
        };
        self.within_write_timeout(steps)
            .await
            .map_err(Aborted::into_store_error)
    }
}

/// A number or the chain that is there already was written by another process meanwhile.
fn not_of_the_change(aborted: Aborted) -> Aborted {
    match aborted {
        Aborted::Duplicate => Aborted::Conflict,
        Aborted::Refused(_, error) => Aborted::Failed(error),
        other => other,
    }
}
