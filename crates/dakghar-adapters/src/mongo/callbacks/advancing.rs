//! Writing down what was done for endpoints, all of a batch in a few commands.
//!
//! Exceptions, and their ends, are written in one transaction with the place (`together`). So whoever is too late, because
//! another run of the endpoint has saved meanwhile, writes none that the other one does not know of, and takes none away. A
//! save that has neither needs no transaction. A crash, or an error, between the place and the attempts leaves deliveries
//! without their attempts in the log.

use std::collections::HashMap;

use bson::oid::ObjectId;
use bson::{RawDocument, RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::callback::{Advance, exception_id};
use dakghar_core::ports::{Saved, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::collections::CALLBACK_PROGRESS;
use crate::mongo::documents::{callback, counter};
use crate::mongo::indexes::BY_ID;
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text_id};
use crate::mongo::updates::{UpdateReply, chunk_lengths};

/// What became of an advance.
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
    /// What it is if the document does not carry the save.
    otherwise: Answer,
}

impl Save {
    fn new(place: usize, advance: &Advance) -> Result<Self, StoreError> {
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

    fn is_of_progress_only(&self) -> bool {
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
    pub(super) async fn advance_all(&self, advances: &[Advance]) -> Vec<Answer> {
        let mut answers = vec![Ok(Saved::Done); advances.len()];
        let mut saves = Vec::with_capacity(advances.len());
        for (place, advance) in advances.iter().enumerate() {
            match Save::new(place, advance) {
                Ok(save) => saves.push(save),
                Err(error) => answers[place] = Err(error),
            }
        }
        let (alone, together): (Vec<Save>, Vec<Save>) = saves.into_iter().partition(Save::is_of_progress_only);
        let (alone, together) = tokio::join!(self.save_progress(&alone), self.save_together(together));
        for (place, answer) in alone.into_iter().chain(together) {
            answers[place] = answer;
        }
        self.note_attempts(advances, &mut answers).await;
        answers
    }

    /// Moves places. Returns what became of those that are not moved for certain.
    async fn save_progress(&self, saves: &[Save]) -> Vec<Placed> {
        let statements: Vec<RawDocumentBuf> = saves.iter().map(|save| save.progress.clone()).collect();
        let (mut answers, mut from) = (Vec::new(), 0);
        for length in chunk_lengths(&statements) {
            let range = from..from + length;
            from = range.end;
            let reply = self.update_all(CALLBACK_PROGRESS, &statements[range.clone()]).await;
            let is_done = |reply: &UpdateReply| reply.unconfirmed.is_none() && reply.matched == length;
            if reply.as_ref().is_ok_and(is_done) {
                continue;
            }
            let stale = |save: &Save| save.doubted(Ok(Saved::Stale));
            let mut doubted: Vec<Doubted> = saves[range].iter().map(stale).collect();
            let unclear = match reply {
                Ok(reply) => {
                    for refused in reply.refused.into_iter().filter(|refused| !refused.is_duplicate) {
                        doubted[refused.index].otherwise = Err(refused.error);
                    }
                    reply.unconfirmed
                }
                Err(failure) => Some(failure.to_store_error()),
            };
            if let Some(error) = unclear {
                for save in &mut doubted {
                    save.otherwise = Err(error.clone());
                }
            }
            answers.extend(self.find_out(doubted).await);
        }
        answers
    }

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

    /// Notes the attempts of those that were saved.
    async fn note_attempts(&self, advances: &[Advance], answers: &mut [Answer]) {
        let (mut with_log, mut logs) = (Vec::new(), Vec::new());
        for (place, advance) in advances.iter().enumerate() {
            if answers[place] != Ok(Saved::Done) {
                continue;
            }
            if let Some(log) = &advance.attempts {
                match callback::encode_log(log) {
                    Ok(document) => {
                        with_log.push(place);
                        logs.push(document);
                    }
                    Err(error) => answers[place] = Err(error),
                }
            }
        }
        let noted = self.insert_all(&self.callback_attempts, &logs).await;
        for (place, noted) in with_log.into_iter().zip(noted) {
            match noted {
                // A log that is there already is the same one.
                Inserted::Stored | Inserted::Duplicate => {}
                Inserted::Unknown(error) | Inserted::Refused(error) => answers[place] = Err(error),
            }
        }
    }
}
