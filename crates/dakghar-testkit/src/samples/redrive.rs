//! Redrives.

use dakghar_core::domain::redrive::{NewRedrive, REDRIVE_PER_SECOND_DEFAULT, Redrive, RedriveFilter};
use dakghar_core::domain::{Actor, RedriveId, TenantId};

use super::{IDS, at};
use crate::ids::uuid_of;

/// A running redrive of all dead letters, which has done nothing yet.
pub fn redrive(tenant_id: Option<TenantId>) -> Redrive {
    let count = IDS.count();
    let asked = NewRedrive {
        filter: RedriveFilter::default(),
        confirm_duplicate_risk: false,
        ignore_expiry: false,
        per_second: REDRIVE_PER_SECOND_DEFAULT,
        by: Actor::Operator,
        automatic: None,
    };
    Redrive::new(RedriveId::from_uuid(uuid_of(count)), tenant_id, asked, at(count))
}
