//! Meta's reports on messages.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::message::{Reported, Standing, StatusRecord};
use dakghar_core::domain::page::{Listed, PageLimit, Paged};
use dakghar_core::domain::{FeedEntry, MessageKey};
use dakghar_core::ports::{LOAD_BYTES_MAX, StatusStore, StoreError};

use super::{MemoryStore, State, page_of};

impl State {
    pub(super) fn reports(&self, key: &MessageKey) -> impl Iterator<Item = &StatusRecord> {
        self.statuses.values().filter(move |status| status.key == *key)
    }
}

#[async_trait]
impl StatusStore for MemoryStore {
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>> {
        self.with_each(batch, |state, status| {
            let message = state.messages.get(&status.key.message_id)?;
            if message.key() != status.key {
                return None;
            }
            let mut wamids = message.delivery.wamids.clone();
            wamids.extend(message.delivery.wamid.clone());
            let mut standing = Standing {
                status: message.delivery.status,
                wamids,
                trace: message.accepted.trace,
                last_call: message.delivery.called_at.map(|at| (message.delivery.attempt, at)),
                report_is_new: false,
            };
            if let Entry::Vacant(place) = state.statuses.entry(status.id()) {
                place.insert(status.clone());
                standing.report_is_new = true;
                state.feeds.tell(FeedEntry::of_report(status));
            }
            Some(standing)
        })
    }

    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError> {
        self.with(|state| {
            let of_message = |key: &MessageKey| {
                state
                    .reports(key)
                    .map(|status| status.reported.clone())
                    .collect::<Vec<_>>()
            };
            keys.iter().map(of_message).collect()
        })
    }

    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>> {
        let mut bytes = 0;
        let found = self.with_each(wanted, |state, (key, digest)| {
            if bytes >= LOAD_BYTES_MAX {
                return Err(StoreError::NotReadYet);
            }
            let id = format!("{}{digest}", StatusRecord::ids_of(key));
            let report = state.statuses.get(&id).cloned();
            bytes += report.as_ref().map_or(0, Paged::bytes);
            Ok(report)
        });
        found.into_iter().map(Result::flatten).collect()
    }

    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError> {
        self.with(|state| {
            let mut found: Vec<_> = state.reports(key).cloned().collect();
            found.sort_by_key(|status| std::cmp::Reverse((status.reported.received_at, status.digest())));
            page_of(found.into_iter(), limit)
        })
    }
}
