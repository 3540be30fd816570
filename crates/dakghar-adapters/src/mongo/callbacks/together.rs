//! Saves that change exceptions: each is one transaction with its place, or many share one.

use bson::{RawDocumentBuf, doc};
use dakghar_core::ports::{Saved, StoreError};
use mongodb::ClientSession;
use mongodb::options::Hint;

use super::save::{Placed, Save};
use crate::mongo::MongoStore;
use crate::mongo::collections::{CALLBACK_EXCEPTIONS, CALLBACK_PROGRESS};
use crate::mongo::indexes::BY_ID;
use crate::mongo::transactions::{Aborted, TRIES_MAX, in_the_way, wait_for_others};

/// Exceptions that share a transaction, those that are over included.
const EXCEPTIONS_MAX: usize = 1_000;

impl MongoStore {
    /// Writes all of each down, or nothing of it. Returns what became of those that are not written for certain.
    pub(super) async fn save_together(&self, saves: Vec<Save>) -> Vec<Placed> {
        let mut answers = Vec::new();
        for saves in groups(saves) {
            let aborted = match self.save_within(&saves).await {
                Ok(Saved::Done) => continue,
                Ok(Saved::Stale) => None,
                Err(aborted) => Some(aborted),
            };
            match aborted {
                Some(Aborted::Unknown(error)) => answers.extend(self.find_out_all(&saves, &error).await),
                Some(Aborted::Failed(error)) => {
                    answers.extend(saves.iter().map(|save| (save.place, Err(error.clone()))));
                }
                // One of them is why, and the others are not to wait for it.
                Some(Aborted::Duplicate | Aborted::Refused(..) | Aborted::Conflict) | None => {
                    for save in saves {
                        answers.extend(self.save_alone(save).await);
                    }
                }
            }
        }
        answers
    }

    async fn save_alone(&self, save: Save) -> Vec<Placed> {
        let place = save.place;
        let saves = [save];
        for tries in 1..=TRIES_MAX {
            let answer = match self.save_within(&saves).await {
                Ok(Saved::Done) => return Vec::new(),
                // The first save of an endpoint meets that of another run.
                Ok(Saved::Stale) | Err(Aborted::Duplicate) => Ok(Saved::Stale),
                Err(Aborted::Conflict) => {
                    wait_for_others(tries).await;
                    continue;
                }
                Err(Aborted::Unknown(error)) => return self.find_out_all(&saves, &error).await,
                Err(Aborted::Refused(_, error) | Aborted::Failed(error)) => Err(error),
            };
            return vec![(place, answer)];
        }
        vec![(place, Err(in_the_way()))]
    }

    async fn find_out_all(&self, saves: &[Save], error: &StoreError) -> Vec<Placed> {
        let doubted = saves.iter().map(|save| save.doubted(Err(error.clone())));
        self.find_out(doubted.collect()).await
    }

    /// Writes all of these down, or nothing if one of them is stale.
    async fn save_within(&self, saves: &[Save]) -> Result<Saved, Aborted> {
        let progress: Vec<RawDocumentBuf> = saves.iter().map(|save| save.progress.clone()).collect();
        let exceptions = saves.iter().flat_map(|save| save.exceptions.iter().cloned());
        let exceptions: Vec<RawDocumentBuf> = exceptions.collect();
        let over = saves.iter().flat_map(|save| save.over.iter().map(String::as_str));
        let over: Vec<&str> = over.collect();
        let steps = async {
            let mut session = self.begin().await?;
            // The first step is the one that keeps other runs of the endpoint out.
            let moved = self.update_within(&mut session, CALLBACK_PROGRESS, &progress).await?;
            if moved < saves.len() {
                self.undo(&mut session).await;
                return Ok(Saved::Stale);
            }
            self.update_within(&mut session, CALLBACK_EXCEPTIONS, &exceptions)
                .await?;
            self.remove_within(&mut session, &over).await?;
            self.commit(&mut session).await?;
            Ok(Saved::Done)
        };
        self.within_write_timeout(steps).await
    }

    async fn remove_within(&self, session: &mut ClientSession, ids: &[&str]) -> Result<(), Aborted> {
        if ids.is_empty() {
            return Ok(());
        }
        let remove = self.callback_exceptions.delete_many(doc! { "_id": { "$in": ids } });
        match remove.hint(Hint::Name(BY_ID.to_owned())).session(&mut *session).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.undone(session, error).await),
        }
    }
}

/// Those that share a transaction.
fn groups(saves: Vec<Save>) -> Vec<Vec<Save>> {
    let (mut groups, mut length): (Vec<Vec<Save>>, usize) = (Vec::new(), 0);
    for save in saves {
        let own = save.exceptions.len() + save.over.len();
        match groups.last_mut().filter(|_| length + own <= EXCEPTIONS_MAX) {
            Some(group) => {
                length += own;
                group.push(save);
            }
            None => {
                length = own;
                groups.push(vec![save]);
            }
        }
    }
    groups
}
