//! An installation from before there were feeds: at its first start with one, what it has received gets its entries, in the
//! order of time. Nothing of this version writes before that is done.
//!
//! A portion is one transaction: it inserts the arrivals and moves the mark behind what they were made of. So whoever dies
//! in the middle, or does the same at the same time, leaves each entry written once.

use std::time::{Duration, Instant};

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::message::Origin;
use dakghar_core::ports::{LOAD_BYTES_MAX, StoreError};
use mongodb::Collection;

use super::writing::arrival_id_at;
use crate::mongo::MongoStore;
use crate::mongo::collections::FEED_CARRIED;
use crate::mongo::documents::{Unreadable, event, feed, message, status};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::Query;
use crate::mongo::transactions::{Aborted, TRIES_MAX, wait_for_others};

/// Records in one portion.
const PORTION: u32 = 500;
/// The tries of a portion. They take longer than the server keeps a transaction of a process that died, a minute.
const CARRY_TRIES_MAX: u32 = 400;
/// The wait between two lines of the log about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The id of the one document that says how far it is.
const MARK: &str = "feed";

/// The records that have entries, one kind after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Messages,
    Reports,
    Events,
}

impl Source {
    const FIRST: Self = Self::Messages;

    const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Reports => "reports",
            Self::Events => "events",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Messages, Self::Reports, Self::Events]
            .into_iter()
            .find(|source| source.as_str() == text)
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Messages => Some(Self::Reports),
            Self::Reports => Some(Self::Events),
            Self::Events => None,
        }
    }

    const fn collection(self, store: &MongoStore) -> &Collection<RawDocumentBuf> {
        match self {
            Self::Messages => &store.messages,
            Self::Reports => &store.statuses,
            Self::Events => &store.events,
        }
    }

    /// The entry of a record; `None` if nothing is told of it.
    fn entry(self, raw: &RawDocument) -> Result<Option<FeedEntry>, Unreadable> {
        Ok(match self {
            Self::Messages => {
                let message = message::decode(raw)?;
                (message.accepted.origin != Origin::Client).then(|| FeedEntry::of_message(&message))
            }
            Self::Reports => Some(FeedEntry::of_report(&status::decode(raw)?)),
            Self::Events => FeedEntry::of_event(&event::decode(raw)?),
        })
    }
}

/// The record behind which it goes on, and its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    source: Source,
    after: String,
}

impl Mark {
    /// Before all records of a kind.
    const fn before(source: Source) -> Self {
        Self {
            source,
            after: String::new(),
        }
    }

    fn document(&self) -> Document {
        doc! { "source": self.source.as_str(), "after": &self.after }
    }
}

/// Records that were read.
struct Portion {
    entries: Vec<FeedEntry>,
    /// `None` at the end of the last kind.
    next: Option<Mark>,
}

impl MongoStore {
    /// Writes the entries of what was received before there were feeds. Returns at once where that is done, or nothing is
    /// there.
    pub(in crate::mongo) async fn carry_feed(&self) -> Result<(), StoreError> {
        #[expect(clippy::disallowed_methods, reason = "measures for how long it has been silent")]
        let mut told_at = Instant::now();
        let (mut entries, mut tries, mut is_told) = (0, 0, false);
        while let Some(mark) = self.mark().await? {
            if !std::mem::replace(&mut is_told, true) {
                tracing::info!("what this installation has received gets its entries in the feeds of its tenants");
            }
            let portion = self.portion(&mark).await?;
            match self.carry(&mark, &portion).await {
                Ok(()) => {
                    tries = 0;
                    entries += portion.entries.len();
                }
                // Another process may have been faster, which the mark tells.
                Err(aborted) if tries < CARRY_TRIES_MAX => {
                    tries += 1;
                    tracing::debug!(why = ?aborted, "a portion of entries is tried again");
                    wait_for_others(tries.min(TRIES_MAX)).await;
                }
                Err(aborted) => return Err(aborted.into_store_error()),
            }
            if told_at.elapsed() >= TELL_EVERY {
                #[expect(clippy::disallowed_methods, reason = "as above")]
                let now = Instant::now();
                told_at = now;
                tracing::info!(count = entries, "entries for what was received before");
            }
        }
        if entries > 0 {
            tracing::info!(count = entries, "what was received before has its entries");
        }
        Ok(())
    }

    /// Reads the mark, and makes the first one; `None` if everything is done.
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = |raw: &RawDocument| {
            let wrong = |field| Unreadable::field("mark of the feed", MARK, field);
            let Ok(source) = raw.get_str("source") else {
                return Ok(None);
            };
            let source = Source::parse(source).ok_or_else(|| wrong("source"))?;
            let after = raw.get_str("after").map_err(|_| wrong("after"))?.to_owned();
            Ok(Some(Mark { source, after }))
        };
        let marks = self.database.collection(FEED_CARRIED);
        let query = || Query::new(doc! { "_id": MARK }, BY_ID).majority();
        if let Some(mark) = self.fetch_one(&marks, query(), read).await? {
            return Ok(mark);
        }
        let mut first = doc! { "_id": MARK };
        if self.is_from_before().await? {
            first.extend(Mark::before(Source::FIRST).document());
        }
        // Of two that start at the same time one writes it.
        let marking = marks
            .update_one(doc! { "_id": MARK }, doc! { "$setOnInsert": first })
            .upsert(true);
        let marked = self.bounded(self.options.write_timeout, async { marking.await }).await;
        marked.map_err(|failure| failure.to_store_error())?;
        Ok(self.fetch_one(&marks, query(), read).await?.flatten())
    }

    /// True if something was received, and no feed has begun.
    async fn is_from_before(&self) -> Result<bool, StoreError> {
        for begun in [&self.feed, &self.feed_arrivals, &self.feed_aside] {
            if self.has_any(begun).await? {
                return Ok(false);
            }
        }
        for received in [&self.messages, &self.statuses, &self.events] {
            if self.has_any(received).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_any(&self, collection: &Collection<RawDocumentBuf>) -> Result<bool, StoreError> {
        let query = Query::new(doc! {}, BY_ID).limit(1).fields(doc! { "_id": 1 });
        Ok(!self.fetch(collection, query, |_| ()).await?.is_empty())
    }

    async fn portion(&self, mark: &Mark) -> Result<Portion, StoreError> {
        let query = Query::new(doc! { "_id": { "$gt": &mark.after } }, BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(PORTION);
        let id = |raw: &RawDocument| raw.get_str("_id").ok().map(str::to_owned);
        let entry = |raw: &RawDocument| mark.source.entry(raw);
        let collection = mark.source.collection(self);
        let (found, _) = self
            .fetch_each_within(collection, query, LOAD_BYTES_MAX, id, entry)
            .await?;
        let next = match found.keys().max() {
            Some(last) => Some(Mark {
                source: mark.source,
                after: last.clone(),
            }),
            None => mark.source.next().map(Mark::before),
        };
        // One that cannot be read was told of, and has no entry.
        let entries = found.into_values().filter_map(|entry| entry.ok().flatten()).collect();
        Ok(Portion { entries, next })
    }

    /// Inserts the entries of a portion and moves the mark, unless it is not where it was.
    async fn carry(&self, mark: &Mark, portion: &Portion) -> Result<(), Aborted> {
        let arrivals = (portion.entries.iter())
            // Each by itself: they are placed in the order of their ids, which begin with their times.
            .map(|entry| {
                let id = arrival_id_at(entry.at);
                feed::encode_arrival(&id, &entry.tenant_id, &[entry], None)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(Aborted::Failed)?;
        let move_mark = match &portion.next {
            Some(next) => doc! { "$set": next.document() },
            None => doc! { "$unset": { "source": "", "after": "" } },
        };
        let mut here = mark.document();
        here.insert("_id", MARK);
        let marks: Collection<Document> = self.database.collection(FEED_CARRIED);
        let steps = async {
            let mut session = self.begin().await?;
            match marks.update_one(here, move_mark).session(&mut session).await {
                Ok(moved) if moved.matched_count == 1 => {}
                Ok(_) => {
                    self.undo(&mut session).await;
                    return Err(Aborted::Conflict);
                }
                Err(error) => return Err(self.undone(&mut session, error).await),
            }
            self.insert_within(&mut session, &self.feed_arrivals, &arrivals).await?;
            self.commit(&mut session).await
        };
        self.within_write_timeout(steps).await
    }
}
