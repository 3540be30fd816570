//! Writing down what was done for endpoints, all of a batch in a few commands and no transaction.
//!
//! The order makes up for the transaction. A crash, or an error,
//!
//! - before the exceptions are written, leaves nothing: the entries are delivered again.
//! - between exceptions and progress leaves exceptions in front of the place. Their entries are delivered again, and as
//!   exceptions as well, until one is taken; none is left out, because the place did not move past any.
//! - between progress and attempts leaves deliveries without their attempts in the log, and exceptions that are over. Those
//!   are delivered once more, under the same id.
//! - between attempts and the end of exceptions, which are written at the same time, leaves one of the two.

use std::collections::HashMap;

use bson::oid::ObjectId;
use bson::{RawDocument, RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::callback::{Advance, CallbackException, exception_id};
use dakghar_core::ports::{Saved, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::collections::{CALLBACK_EXCEPTIONS, CALLBACK_PROGRESS};
use crate::mongo::documents::{callback, counter};
use crate::mongo::indexes::BY_ID;
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text_id};
use crate::mongo::updates::{UpdateReply, chunk_lengths};

/// Ids in one delete.
const DELETED_AT_ONCE: usize = 10_000;

/// What became of each advance so far: `Done` as long as nothing went wrong.
type Answers = Vec<Result<Saved, StoreError>>;

/// A statement, and the place in the batch of the advance that it belongs to.
type Owned = (usize, RawDocumentBuf);

/// A save of a progress that may not have happened.
struct Doubted {
    place: usize,
    id: String,
    save_id: ObjectId,
    /// What it is if the document does not carry the save.
    otherwise: Result<Saved, StoreError>,
}

impl MongoStore {
    pub(super) async fn advance_all(&self, advances: &[Advance]) -> Answers {
        let mut answers = vec![Ok(Saved::Done); advances.len()];
        self.keep_exceptions(advances, &mut answers).await;
        self.save_progress(advances, &mut answers).await;
        self.finish(advances, &mut answers).await;
        answers
    }

    /// Writes exceptions over what is there of them.
    async fn keep_exceptions(&self, advances: &[Advance], answers: &mut Answers) {
        let mut statements: Vec<Owned> = Vec::new();
        for (place, advance) in advances.iter().enumerate() {
            for exception in &advance.exceptions {
                match callback::encode_exception(exception) {
                    Ok(document) => {
                        let by_id =
                            rawdoc! { "q": { "_id": exception.id() }, "u": document, "upsert": true, "hint": BY_ID };
                        statements.push((place, by_id));
                    }
                    Err(error) => answers[place] = Err(error),
                }
            }
        }
        let (places, statements): (Vec<usize>, Vec<RawDocumentBuf>) = statements.into_iter().unzip();
        let mut from = 0;
        for length in chunk_lengths(&statements) {
            let range = from..from + length;
            from = range.end;
            let places = &places[range.clone()];
            match self.update_all(CALLBACK_EXCEPTIONS, &statements[range]).await {
                Ok(UpdateReply {
                    refused,
                    unconfirmed: None,
                    ..
                }) => refused
                    .into_iter()
                    .for_each(|refused| answers[places[refused.index]] = Err(refused.error)),
                Ok(UpdateReply {
                    unconfirmed: Some(error),
                    ..
                }) => fail(places, &error, answers),
                Err(failure) => fail(places, &failure.to_store_error(), answers),
            }
        }
    }

    /// Moves the places of those of which the exceptions are written.
    async fn save_progress(&self, advances: &[Advance], answers: &mut Answers) {
        let (mut saves, mut statements) = (Vec::new(), Vec::new());
        for (place, advance) in advances.iter().enumerate() {
            if answers[place].is_err() {
                continue;
            }
            let (progress, save_id) = (&advance.progress, ObjectId::new());
            let id = progress.endpoint_id.to_string();
            match callback::encode_progress(progress, progress.version + 1, save_id) {
                Ok(document) => {
                    // Nothing is stored under the version 0. So the first save inserts, or meets the key of another.
                    let version = counter(progress.version);
                    statements.push(rawdoc! {
                        "q": { "_id": id.as_str(), "version": version }, "u": document, "upsert": version == 0,
                        "hint": BY_ID,
                    });
                    saves.push((place, id, save_id));
                }
                Err(error) => answers[place] = Err(error),
            }
        }
        let mut from = 0;
        for length in chunk_lengths(&statements) {
            let range = from..from + length;
            from = range.end;
            let reply = self.update_all(CALLBACK_PROGRESS, &statements[range.clone()]).await;
            let is_done = |reply: &UpdateReply| reply.unconfirmed.is_none() && reply.matched == length;
            if reply.as_ref().is_ok_and(is_done) {
                continue;
            }
            let mut doubted: Vec<Doubted> = saves[range]
                .iter()
                .map(|(place, id, save_id)| Doubted {
                    place: *place,
                    id: id.clone(),
                    save_id: *save_id,
                    otherwise: Ok(Saved::Stale),
                })
                .collect();
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
            self.find_out(advances, doubted, answers).await;
        }
    }

    /// Finds out which of these saves happened, in one query: whatever carries a save was saved by it.
    async fn find_out(&self, advances: &[Advance], doubted: Vec<Doubted>, answers: &mut Answers) {
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
        let found: HashMap<String, Option<ObjectId>> = match found {
            Ok(found) => found.into_iter().flatten().collect(),
            Err(error) => {
                for save in doubted {
                    answers[save.place] = save.otherwise.and(Err(error.clone()));
                }
                return;
            }
        };
        let mut forgotten = Vec::new();
        for save in doubted {
            let stored = found.get(&save.id);
            if stored == Some(&Some(save.save_id)) {
                continue;
            }
            if stored.is_none() && save.otherwise == Ok(Saved::Stale) {
                forgotten.extend(exception_ids(&advances[save.place]));
            }
            answers[save.place] = save.otherwise;
        }
        // The endpoint was forgotten meanwhile, and nobody would forget what was just written of it.
        let _ = self.remove_exceptions(&forgotten).await;
    }

    /// Notes the attempts of those that were saved, and ends exceptions.
    async fn finish(&self, advances: &[Advance], answers: &mut Answers) {
        let (mut with_log, mut logs) = (Vec::new(), Vec::new());
        let (mut with_over, mut over) = (Vec::new(), Vec::new());
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
            if !advance.over.is_empty() {
                let endpoint_id = &advance.progress.endpoint_id;
                with_over.push(place);
                over.extend(advance.over.iter().map(|over| exception_id(endpoint_id, *over)));
            }
        }
        let (noted, ended) = tokio::join!(
            self.insert_all(&self.callback_attempts, &logs),
            self.remove_exceptions(&over)
        );
        for (place, noted) in with_log.into_iter().zip(noted) {
            match noted {
                // A log that is there already is the same one.
                Inserted::Stored | Inserted::Duplicate => {}
                Inserted::Unknown(error) | Inserted::Refused(error) => answers[place] = Err(error),
            }
        }
        if let Err(error) = ended {
            fail(&with_over, &error, answers);
        }
    }

    async fn remove_exceptions(&self, ids: &[String]) -> Result<(), StoreError> {
        for ids in ids.chunks(DELETED_AT_ONCE) {
            self.delete_by_ids(&self.callback_exceptions, doc! { "_id": { "$in": ids } })
                .await?;
        }
        Ok(())
    }
}

/// The ids of what an advance has written.
fn exception_ids(advance: &Advance) -> impl Iterator<Item = String> {
    advance.exceptions.iter().map(CallbackException::id)
}

fn fail(places: &[usize], error: &StoreError, answers: &mut Answers) {
    for place in places {
        answers[*place] = Err(error.clone());
    }
}
