//! The feed of each tenant: whatever happened has one entry, and one place for ever.

use std::collections::BTreeSet;

use dakghar_core::domain::{FeedEntry, Place, PlacedEntry, Status, Subject, TenantId};
use dakghar_core::ports::{ArrivalStore as _, FeedStore as _, StatusStore as _};

use super::{ALL, Check, FeedEntryKey, State, must};
use crate::world::ports::{Shared, at_once};
use crate::world::seen::Seen;

/// Whether every entry has its place.
pub(super) fn is_all_placed(shared: &Shared) -> bool {
    at_once(shared.store.waiting()).expect("no outage").oldest.is_none()
}

/// What a tenant must be told of a change.
pub(super) fn news(before: &Seen, after: &Seen) -> Option<FeedEntryKey> {
    let (was, is) = (before.status(), after.status());
    let is_news = match is {
        _ if was == is => false,
        Status::InDoubt | Status::Cancelled | Status::Expired | Status::Dead | Status::Sent | Status::Failed => true,
        Status::Queued | Status::Held => was.is_dead_letter(),
        Status::Sending | Status::Delivered | Status::Read | Status::Received => false,
    };
    let key = after.key();
    is_news.then(|| {
        let subject = Subject::Change {
            message_id: key.message_id,
            version: after.version(),
            status: is,
            attempt: after.attempt(),
        };
        (key.tenant_id, subject)
    })
}

fn entries(shared: &Shared, tenant_id: &TenantId) -> Vec<PlacedEntry> {
    let entries = at_once(shared.store.entries(tenant_id, Place::START, ALL));
    entries.expect("no outage").items
}

pub(super) fn check(state: &State, shared: &Shared, messages: &[Seen]) -> Check {
    let mut told: BTreeSet<FeedEntryKey> = BTreeSet::new();
    for tenant_id in &state.tenants {
        for (placed, number) in entries(shared, tenant_id).into_iter().zip(1..) {
            let PlacedEntry { place, entry } = placed;
            must(place == Place::new(number), "the places of a feed have no gaps", || {
                format!("{tenant_id} has {place} instead of {number}")
            })?;
            let FeedEntry {
                tenant_id: owner,
                subject,
                ..
            } = entry;
            must(owner == *tenant_id, "a feed has the entries of its tenant only", || {
                format!("{tenant_id} has {subject} of {owner}")
            })?;
            must(
                told.insert((owner, subject.clone())),
                "what happened has one place",
                || format!("{tenant_id} has {subject} twice, the second time at {place}"),
            )?;
        }
    }
    let changes: BTreeSet<FeedEntryKey> = told
        .iter()
        .filter(|(_, subject)| matches!(subject, Subject::Change { .. }))
        .cloned()
        .collect();
    must(
        changes == state.news,
        "every change has its entry, and every entry its change",
        || {
            let lacking: Vec<_> = state.news.difference(&changes).collect();
            let untrue: Vec<_> = changes.difference(&state.news).collect();
            format!("lacking {lacking:?}, untrue {untrue:?}")
        },
    )?;
    let came = told
        .iter()
        .filter(|(_, subject)| matches!(subject, Subject::Message(_)));
    let inbound = messages.iter().filter(|seen| !seen.is_outbound());
    must(
        came.count() == inbound.count(),
        "every message that came has its entry",
        String::new,
    )?;
    let keys: Vec<_> = messages.iter().map(Seen::key).collect();
    let reports = at_once(shared.store.reports_of(&keys)).expect("no outage").concat();
    let reported = told
        .iter()
        .filter(|(_, subject)| matches!(subject, Subject::Report { .. }));
    must(reported.count() == reports.len(), "every report has its entry", || {
        format!("{} reports", reports.len())
    })
}
