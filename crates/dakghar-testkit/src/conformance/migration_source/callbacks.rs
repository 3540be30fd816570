//! The progress of endpoints, and what they have not taken.

use dakghar_core::domain::TenantId;
use dakghar_core::domain::callback::{Advance, CallbackProgress};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::EndpointId;
use dakghar_core::domain::migration::{Kind, Record};
use dakghar_core::ports::Saved;

use super::{SourceUnderTest, state};
use crate::samples::{callback_exception, callback_exception_full, callback_progress_full, endpoint, tenant_id};

/// Writes down two exceptions of an endpoint, over the progress of this version. Returns what is stored then.
async fn advance(under_test: &SourceUnderTest, id: EndpointId, owner: TenantId, version: u64) -> Vec<Record> {
    let places = [10 * version + 9, 10 * version + 10].map(Place::new);
    let advance = Advance {
        progress: CallbackProgress {
            version,
            ..callback_progress_full(id, owner)
        },
        exceptions: vec![
            callback_exception(id, owner, places[0]),
            callback_exception_full(id, owner, places[1]),
        ],
        over: Vec::new(),
        attempts: None,
    };
    let saved = under_test
        .stores
        .callbacks
        .advance(std::slice::from_ref(&advance))
        .await;
    assert_eq!(saved, [Ok(Saved::Done)]);
    let exceptions = advance.exceptions.into_iter();
    let progress = CallbackProgress {
        version: version + 1,
        ..advance.progress
    };
    let progress = Record::Progress(Box::new(progress));
    let exceptions = exceptions.map(|exception| Record::Exception(Box::new(exception)));
    std::iter::once(progress).chain(exceptions).collect()
}

/// Endpoints that were delivered to, of these tenants: their progress, and what they have not taken.
pub(super) async fn fill_callbacks(under_test: &SourceUnderTest, owners: &[TenantId]) -> [(Kind, Vec<Record>); 2] {
    let mut all = Vec::new();
    for owner in owners {
        all.extend(advance(under_test, endpoint(*owner).id, *owner, 0).await);
    }
    [Kind::Progress, Kind::Exceptions].map(|kind| {
        let of_kind = all.iter().filter(|record| record.kind() == kind);
        (kind, of_kind.cloned().collect())
    })
}

pub async fn the_state_changes_with_every_delivery(under_test: SourceUnderTest) {
    let owner = tenant_id();
    let id = endpoint(owner).id;
    let mut seen = vec![state(&under_test).await];
    for version in 0..3 {
        advance(&under_test, id, owner, version).await;
        seen.push(state(&under_test).await);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4, "each makes another state");
}
