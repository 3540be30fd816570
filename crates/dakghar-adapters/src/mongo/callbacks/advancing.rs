//! Writing down what was done for endpoints, all of a batch in a few commands.
//!
//! Exceptions, and their ends, are written in one transaction with the place (`together`). So whoever is too late, because
//! another run of the endpoint has saved meanwhile, writes none that the other one does not know of, and takes none away. A
//! save that has neither needs no transaction. A crash, or an error, between the place and the attempts leaves deliveries
//! without their attempts in the log.

use bson::RawDocumentBuf;
use dakghar_core::domain::callback::Advance;
use dakghar_core::ports::Saved;

use super::save::{Answer, Doubted, Placed, Save};
use crate::mongo::MongoStore;
use crate::mongo::collections::CALLBACK_PROGRESS;
use crate::mongo::documents::callback;
use crate::mongo::inserts::Inserted;
use crate::mongo::updates::{UpdateReply, chunk_lengths};

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
