//! Erasures of people.

use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::domain::{ErasureId, TenantId};

use super::{IDS, at};
use crate::ids::uuid_of;

/// A running erasure, which has done nothing yet.
pub fn erasure(tenant_id: TenantId) -> PersonErasure {
    let count = IDS.count();
    let id = ErasureId::from_uuid(uuid_of(count));
    PersonErasure::new(id, tenant_id, vec![1, 2, 3], false, at(count))
}
