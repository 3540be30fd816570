//! Leases in texts that both stores keep: the owner and the end.

use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::time::Timestamp;

/// A lease as JSON has it.
pub(super) type LeaseFields = (String, i64);

pub(super) fn lease_fields(lease: &Lease) -> LeaseFields {
    (lease.owner.to_string(), lease.until.as_millis())
}

pub(super) fn lease((owner, until): LeaseFields) -> Lease {
    Lease {
        owner: owner.into(),
        until: Timestamp::from_millis(until),
    }
}
