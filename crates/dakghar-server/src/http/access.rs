//! Who may call a route: a property of the group of routes that it is in. The router writes it into the OpenAPI document and
//! hands it to whoever checks keys, so the two cannot differ.

use axum::http::Extensions;
use dakghar_core::domain::{ErrorCode, Problem, Scope};

/// Who may call the routes of a group; an extension of their requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The tenant in the path by a key with this scope, and operators by a role that has it.
    Tenants(Scope),
    /// Operators only, by a role that has this scope.
    Operators(Scope),
}

impl Access {
    /// Returns the scope that a tenant's key needs for this request. A route in no group is open to nobody.
    pub(super) fn scope_of_tenants(extensions: &Extensions) -> Result<Scope, Problem> {
        match extensions.get::<Self>() {
            Some(Self::Tenants(scope)) => Ok(*scope),
            Some(Self::Operators(_)) | None => Err(undecided()),
        }
    }

    /// Returns the scope that the role of an operator's key needs for this request.
    pub(super) fn scope_of_operators(extensions: &Extensions) -> Result<Scope, Problem> {
        match extensions.get::<Self>() {
            Some(Self::Tenants(scope) | Self::Operators(scope)) => Ok(*scope),
            None => Err(undecided()),
        }
    }
}

fn undecided() -> Problem {
    Problem::new(ErrorCode::Internal, "Nobody has said who may call this route.")
}
