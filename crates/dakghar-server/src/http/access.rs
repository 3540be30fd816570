//! Who may call a route: a property of the group of routes that it is in. The router writes it into the OpenAPI document and
//! hands it to whoever checks keys, so the two cannot differ.

use axum::http::Extensions;
use dakghar_core::domain::{ErrorCode, Problem, Scope};

/// Who may call the routes of a group; an extension of their requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The tenant in the path by a key with this scope, and the operator.
    Tenants(Scope),
    /// The operator only.
    Operators,
}

impl Access {
    /// Returns the scope that a tenant's key needs for this request. A route in no group is open to nobody.
    pub(super) fn scope_of(extensions: &Extensions) -> Result<Scope, Problem> {
        match extensions.get::<Self>() {
            Some(Self::Tenants(scope)) => Ok(*scope),
            Some(Self::Operators) | None => Err(Problem::new(
                ErrorCode::Internal,
                "Nobody has said who may call this route.",
            )),
        }
    }
}
