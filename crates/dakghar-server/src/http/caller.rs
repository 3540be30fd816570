//! Who calls, as the key of a request shows: noted where keys are checked, known to what stands around the handler.

use std::sync::{Arc, OnceLock};

use dakghar_core::domain::{ApiKeyId, Role, TenantId};

/// Who made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Whoever reaches an installation in development.
    Anonymous,
    /// The operator, by the key of the settings.
    Settings,
    /// An operator by a key of this role.
    Operator(ApiKeyId, Role),
    /// A tenant, by this key.
    Tenant(TenantId, ApiKeyId),
}

impl Caller {
    /// True if the caller may read what people and tenants wrote to each other.
    pub(super) const fn sees_bodies(self) -> bool {
        match self {
            Self::Anonymous | Self::Settings | Self::Tenant(..) => true,
            Self::Operator(_, role) => role.sees_bodies(),
        }
    }
}

/// Where the caller of one request is noted; an extension of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct CallerSlot(Arc<OnceLock<Caller>>);

impl CallerSlot {
    /// Notes the caller. The first note counts.
    pub(super) fn note(&self, caller: Caller) {
        let _ = self.0.set(caller);
    }

    /// Returns the caller, if a key was found right.
    pub(super) fn get(&self) -> Option<Caller> {
        self.0.get().copied()
    }
}
