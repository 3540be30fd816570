//! What became of the deliveries to an endpoint.

use uuid::Uuid;

use super::{Page, PageRequest, Reading};
use crate::app::endpoints;
use crate::app::failure::Failure;
use crate::domain::callback::{Attempt, AttemptLog, CallbackException, CallbackProgress};
use crate::domain::feed::Place;
use crate::domain::ids::AttemptLogId;
use crate::domain::page::{Listed, PAGE_BYTES_MAX, PageLimit};
use crate::domain::{Endpoint, TenantId};
use crate::ports::ExceptionsAsked;

/// How far an endpoint is.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// What is written down of it; what an endpoint begins with if nothing is yet.
    pub progress: CallbackProgress,
    /// Entries of the feed behind its place, whether it wants them or not.
    pub behind: u64,
    /// Entries that were not taken and are still tried, or wait for one that is: exceptions, up to
    /// [`EXCEPTIONS_MAX`](crate::domain::callback::EXCEPTIONS_MAX), and what waits together.
    pub open: u64,
    /// Those of them that wait together, and are no exceptions yet.
    pub waiting: u64,
    /// Dead callbacks, up to [`EXCEPTIONS_MAX`](crate::domain::callback::EXCEPTIONS_MAX).
    pub dead: u32,
}

impl Reading {
    /// Returns how far an endpoint of this tenant is.
    pub async fn endpoint_status(&self, endpoint: &Endpoint) -> Result<EndpointStatus, Failure> {
        let store = &self.ports.callbacks;
        let ids = [endpoint.kept_under];
        let (mut progress, open, dead, bounds) = futures_util::join!(
            store.progress(&ids),
            store.count_exceptions(&endpoint.kept_under, ExceptionsAsked::Open),
            store.count_exceptions(&endpoint.kept_under, ExceptionsAsked::Dead),
            self.ports.feed.bounds(&endpoint.tenant_id),
        );
        let kept = progress.pop().unwrap_or(Ok(None))?;
        let mut progress = kept.unwrap_or_else(|| CallbackProgress::new(endpoint, self.ports.clock.now()));
        progress.after = progress.after.max(endpoint.start);
        let waiting = progress.waiting_together();
        Ok(EndpointStatus {
            open: u64::from(open?) + waiting,
            waiting,
            behind: bounds?.last.number().saturating_sub(progress.after.number()),
            progress,
            dead: dead?,
        })
    }

    /// Returns what an endpoint of the tenant has not taken, in the order of the feed.
    pub async fn exceptions(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &str,
        asked: ExceptionsAsked,
        page: &PageRequest,
    ) -> Result<Page<CallbackException>, Failure> {
        let id = endpoints::find(&*self.ports.endpoints, tenant_id, endpoint_id)
            .await?
            .kept_under;
        let list = format!("exceptions/{tenant_id}/{id}/{asked:?}");
        let after = self.position(page, &list, Place::parse)?;
        let limit = PageLimit::items(page.limit);
        let after = after.unwrap_or(Place::START);
        let listed = self.ports.callbacks.exceptions(&id, asked, after, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the attempts that were made for an endpoint of the tenant, the latest first.
    pub async fn attempts(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &str,
        page: &PageRequest,
    ) -> Result<Page<Attempt>, Failure> {
        let id = endpoints::find(&*self.ports.endpoints, tenant_id, endpoint_id)
            .await?
            .kept_under;
        let list = format!("attempts/{tenant_id}/{id}");
        let from = self.position(page, &list, Shown::parse)?;
        let before = from.map(|from| if from.attempts == 0 { from.log } else { behind(from.log) });
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.callbacks.attempts(&id, before, limit).await?;
        let (items, next) = fill(listed, from, page.limit as usize);
        Ok(Page {
            items,
            next_cursor: next.map(|next| self.cursors.sign(&list, &next.written())),
        })
    }
}

/// The end of a page of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// The log that was shown last.
    log: AttemptLogId,
    /// How many of its attempts; 0 if all.
    attempts: usize,
}

impl Shown {
    fn written(self) -> String {
        format!("{}+{}", self.log, self.attempts)
    }

    fn parse(text: &str) -> Option<Self> {
        let (log, attempts) = text.split_once('+')?;
        Some(Self {
            log: AttemptLogId::parse(log).ok()?,
            attempts: attempts.parse().ok()?,
        })
    }
}

/// The id behind this one, so that a list of what comes before it begins with this one.
fn behind(id: AttemptLogId) -> AttemptLogId {
    AttemptLogId::from_uuid(Uuid::from_u128(id.as_uuid().as_u128().saturating_add(1)))
}

/// Takes so many attempts out of logs, the latest first, and says where the next page begins.
fn fill(listed: Listed<AttemptLog>, from: Option<Shown>, limit: usize) -> (Vec<Attempt>, Option<Shown>) {
    let (mut items, mut bytes) = (Vec::new(), 0);
    let mut shown = None;
    for log in listed.items {
        // One that was forgotten meanwhile is not there to be gone on with.
        let begun = from.filter(|from| from.log == log.id).map_or(0, |from| from.attempts);
        for (place, attempt) in log.attempts.into_iter().rev().enumerate().skip(begun) {
            if items.len() >= limit || bytes >= PAGE_BYTES_MAX {
                let next = if place == 0 {
                    shown
                } else {
                    Some(Shown {
                        log: log.id,
                        attempts: place,
                    })
                };
                return (items, next);
            }
            bytes += attempt.bytes();
            items.push(attempt);
        }
        shown = Some(Shown {
            log: log.id,
            attempts: 0,
        });
    }
    (items, listed.next.map(|log| Shown { log, attempts: 0 }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::callback::CallEnd;
    use crate::domain::feed::EntryKind;
    use crate::domain::{EndpointId, EntryId, Timestamp};

    fn id(number: u128) -> AttemptLogId {
        AttemptLogId::from_uuid(Uuid::from_u128(number))
    }

    /// A log in which these places were tried, in this order.
    fn log(number: u128, places: std::ops::RangeInclusive<u64>) -> AttemptLog {
        let attempt = |place| Attempt {
            place: Place::new(place),
            entry_id: EntryId::of_all(std::iter::empty()),
            kind: EntryKind::parse("message.received").expect("a kind"),
            number: 1,
            at: Timestamp::from_millis(0),
            took: Duration::ZERO,
            end: CallEnd::Answered(200),
            answer: None,
            is_replay: false,
        };
        AttemptLog {
            id: id(number),
            tenant_id: TenantId::from_uuid(Uuid::nil()),
            endpoint_id: EndpointId::from_uuid(Uuid::nil()),
            at: Timestamp::from_millis(0),
            attempts: places.map(attempt).collect(),
        }
    }

    /// What a store lists: the latest first.
    fn list(before: Option<AttemptLogId>, limit: usize) -> Listed<AttemptLog> {
        let logs = [log(3, 6..=9), log(2, 5..=5), log(1, 1..=4)];
        let mut found: Vec<AttemptLog> = logs
            .into_iter()
            .filter(|log| before.is_none_or(|id| log.id < id))
            .collect();
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|log| log.id);
        Listed { items: found, next }
    }

    #[test]
    fn pages_of_attempts_take_logs_apart_and_show_each_attempt_once_whatever_their_length() {
        for limit in 1..=11 {
            let (mut from, mut seen, mut pages) = (None::<Shown>, Vec::new(), 0);
            loop {
                let before = from.map(|from| if from.attempts == 0 { from.log } else { behind(from.log) });
                let (items, next) = fill(list(before, limit), from, limit);
                assert!(items.len() <= limit && pages < 20);
                seen.extend(items.iter().map(|attempt| attempt.place.number()));
                pages += 1;
                let Some(next) = next else { break };
                from = Shown::parse(&next.written());
                assert_eq!(from, Some(next));
            }
            assert_eq!(seen, (1..=9).rev().collect::<Vec<_>>(), "{limit}");
        }
    }

    #[test]
    fn a_log_that_was_forgotten_is_not_gone_on_with() {
        let from = Shown {
            log: id(7),
            attempts: 2,
        };
        let (items, next) = fill(list(Some(behind(from.log)), 10), Some(from), 10);
        assert_eq!((items.len(), next), (9, None));
    }
}
