//! Who calls, as the key of a request shows: noted where keys are checked, known to what stands around the handler.

use std::sync::{Arc, OnceLock};

use dakghar_core::app::App;
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

    /// True if what the caller reads is somebody else's.
    pub(super) const fn is_operator(self) -> bool {
        !matches!(self, Self::Tenant(..))
    }
}

/// Where the caller of one request is noted; an extension of the request.
#[derive(Clone, Default)]
pub(super) struct CallerSlot(Arc<OnceLock<Noted>>);

/// A caller, and the use cases for whoever records what is shown to an operator.
struct Noted {
    caller: Caller,
    app: Option<App>,
}

impl CallerSlot {
    /// Notes the caller. The first note counts.
    pub(super) fn note(&self, caller: Caller, app: &App) {
        let app = caller.is_operator().then(|| app.clone());
        let _ = self.0.set(Noted { caller, app });
    }

    /// Returns the caller, if a key was found right.
    pub(super) fn get(&self) -> Option<Caller> {
        self.0.get().map(|noted| noted.caller)
    }

    /// Returns an operator who called and sees bodies, with the use cases.
    pub(super) fn reader(&self) -> Option<(Caller, &App)> {
        let Noted { caller, app } = self.0.get()?;
        Some((*caller, app.as_ref().filter(|_| caller.sees_bodies())?))
    }
}
