//! What people said about being written to.

use dakghar_core::domain::{OptOut, OptOutKey, OptOutScope, OptOutSource, PersonMark, TenantId};

use super::{at, person};
use crate::memory::installation_secrets;

/// The mark of a person with a tenant.
pub fn mark(tenant_id: TenantId, digits: &str) -> PersonMark {
    installation_secrets().mark_person(&tenant_id, &person(digits))
}

/// An opt-out of all messages, said at this time.
pub fn opt_out(tenant_id: TenantId, digits: &str, ms: u64) -> OptOut {
    OptOut {
        tenant_id,
        key: OptOutKey {
            mark: mark(tenant_id, digits),
            scope: OptOutScope::All,
        },
        person: Some(person(digits)),
        is_out: true,
        at: at(ms),
        source: OptOutSource::StopWord,
    }
}

/// What takes an opt-out back at this time.
pub fn taken_back(opt_out: &OptOut, ms: u64) -> OptOut {
    OptOut {
        person: None,
        is_out: false,
        at: at(ms),
        source: OptOutSource::Api,
        ..opt_out.clone()
    }
}
