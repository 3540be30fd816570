//! As whom a test asks.

use dakghar_core::domain::audit::{Principal, Who};
use dakghar_core::domain::{Actor, ApiKeyId};

/// A tenant, by some key of its own.
pub const TENANT: &Principal = &Principal::only(Who::Tenant(ApiKeyId::from_uuid(uuid::Uuid::from_u128(1))));

/// The party as a principal.
pub const fn principal(by: Actor) -> &'static Principal {
    match by {
        Actor::Operator => Principal::CLI,
        Actor::Tenant => TENANT,
    }
}
