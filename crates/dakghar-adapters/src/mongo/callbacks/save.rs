//! One save of how far an endpoint is, as it is written.

use std::collections::HashMap;

use bson::oid::ObjectId;
use bson::{RawDocument, RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::callback::{Advance, exception_id};
use dakghar_core::ports::{Saved, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::documents::{callback, counter};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::{Query, text_id};

/// The result of an advance.
pub(super) type Answer = Result<Saved, StoreError>;

/// An answer, and the place in the batch of the advance that it belongs to.
pub(super) type Placed = (usize, Answer);

/// An advance as it is written, but its attempts.
pub(super) struct Save {
    /// The place in the batch.
    pub(super) place: usize,
    pub(super) id: String,
    pub(super) save_id: ObjectId,
    /// Moves the progress, if its version is the one that was read.
    pub(super) progress: RawDocumentBuf,
    pub(super) exceptions: Vec<RawDocumentBuf>,
    /// The ids of exceptions that are over.
    pub(super) over: Vec<String>,
}

/// A save of a progress that may not have happened.
pub(super) struct Doubted {
    place: usize,
    id: String,
    save_id: ObjectId,
    /// Its result if the document does not carry the save.
    pub(super) otherwise: Answer,
}

impl Save {
    pub(super) fn new(place: usize, advance: &Advance) -> Result<Self, StoreError> {
        let (progress, save_id) = (&advance.progress, ObjectId::new());
        let id = progress.endpoint_id.to_string();
        let document = callback::encode_progress(progress, progress.version + 1, save_id)?;
        // Nothing is stored under the version 0. So the first save inserts, or meets the key of another.
        let version = counter(progress.version);
        let statement = rawdoc! {
            "q": { "_id": id.as_str(), "version": version }, "u": document, "upsert": version == 0, "hint": BY_ID,
        };
        let exceptions = advance.exceptions.iter().map(|exception| {
            let document = callback::encode_exception(exception)?;
            Ok(rawdoc! { "q": { "_id": exception.id() }, "u": document, "upsert": true, "hint": BY_ID })
        });
        let over = advance
            .over
            .iter()
            .map(|over| exception_id(&progress.endpoint_id, *over));
        Ok(Self {
            place,
            id,
            save_id,
            progress: statement,
            exceptions: exceptions.collect::<Result<_, StoreError>>()?,
            over: over.collect(),
        })
    }

    pub(super) fn is_of_progress_only(&self) -> bool {
        self.exceptions.is_empty() && self.over.is_empty()
    }

    pub(super) fn doubted(&self, otherwise: Answer) -> Doubted {
        Doubted {
            place: self.place,
            id: self.id.clone(),
            save_id: self.save_id,
            otherwise,
        }
    }
}

impl MongoStore {
    /// Finds out which of these saves happened, in one query: whatever carries a save was saved by it. Returns what became of
    /// the others.
    pub(super) async fn find_out(&self, doubted: Vec<Doubted>) -> Vec<Placed> {
        let ids: Vec<&str> = doubted.iter().map(|save| save.id.as_str()).collect();
        let query = Query::new(doc! { "_id": { "$in": ids } }, BY_ID)
            .fields(doc! { "saveId": 1 })
            .majority();
        let save_id = |raw: &RawDocument| Some((text_id(raw)?, raw.get_object_id("saveId").ok()));
        let reading = self.fetch(&self.callback_progress, query, save_id);
        let found = match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(found) => found,
            Err(_) => Err(StoreError::Unavailable(
                "what became of a save could not be read in time".to_owned(),
            )),
        };
        match found {
            Ok(found) => {
                let found: HashMap<String, Option<ObjectId>> = found.into_iter().flatten().collect();
                let is_missing = |save: &Doubted| found.get(&save.id) != Some(&Some(save.save_id));
                let missing = doubted.into_iter().filter(is_missing);
                missing.map(|save| (save.place, save.otherwise)).collect()
            }
            Err(error) => {
                let unknown = |save: Doubted| (save.place, save.otherwise.and(Err(error.clone())));
                doubted.into_iter().map(unknown).collect()
            }
        }
    }
}
