//! Taking arrivals away, and moving them between the collections that they may be in.

use std::sync::Arc;

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::ports::StoreError;
use mongodb::options::Hint;
use mongodb::{ClientSession, Collection};

use crate::mongo::MongoStore;
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::Query;
use crate::mongo::transactions::Aborted;

impl MongoStore {
    /// Moves documents as they are, past every validator, so that each is always in one of the collections only.
    pub(super) async fn move_all(
        &self,
        from: &Collection<RawDocumentBuf>,
        to: &Collection<RawDocumentBuf>,
        ids: &[Arc<str>],
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let filter = doc! { "_id": { "$in": ids } };
        let documents = self
            .fetch(from, Query::new(filter.clone(), BY_ID), RawDocument::to_owned)
            .await?;
        if documents.is_empty() {
            return Ok(());
        }
        let steps = async {
            let mut session = self.begin().await?;
            let insert = to.insert_many(&documents).bypass_document_validation(true);
            if let Err(error) = insert.session(&mut session).await {
                return Err(self.undone(&mut session, error).await);
            }
            self.delete_within(&mut session, from, filter, documents.len()).await?;
            self.commit(&mut session).await
        };
        // Another process may be moving the same ones, or placing them.
        match self.within_write_timeout(steps).await {
            Ok(()) | Err(Aborted::Conflict | Aborted::Duplicate) => Ok(()),
            Err(aborted) => Err(aborted.into_store_error()),
        }
    }

    /// Deletes so many documents inside of a transaction, or undoes it.
    pub(super) async fn delete_within(
        &self,
        session: &mut ClientSession,
        collection: &Collection<RawDocumentBuf>,
        filter: Document,
        count: usize,
    ) -> Result<(), Aborted> {
        let delete = collection.delete_many(filter).hint(Hint::Name(BY_ID.to_owned()));
        match delete.session(&mut *session).await {
            Ok(deleted) if deleted.deleted_count == count as u64 => Ok(()),
            Ok(_) => {
                self.undo(session).await;
                Err(Aborted::Conflict)
            }
            Err(error) => Err(self.undone(session, error).await),
        }
    }
}
