//! The key of a request that goes on for long. It is looked at again whenever something is read for the request, so one that
//! was revoked, replaced or has expired since reads nothing more.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};
use dakghar_core::app::{KeyVerdict, OperatorVerdict};
use dakghar_core::domain::{ErrorCode, Problem, Scope, Secret, TenantId};

use super::access::Access;
use super::authority::{Credential, presented_key};
use super::client_addr::ClientAddr;
use super::problem::ApiError;
use super::state::HttpState;

/// The key with which a request began.
pub(super) struct HeldKey {
    key: Held,
    address: Option<IpAddr>,
    scope: Scope,
}

enum Held {
    /// None, or that of the settings: it is the same for as long as the process runs.
    OfSettings,
    Tenant(Secret),
    Operator(Secret),
}

impl HeldKey {
    /// The key of a request that was let in.
    pub(super) fn of(state: &HttpState, headers: &HeaderMap, extensions: &Extensions) -> Result<Self, Problem> {
        let key = match state.authority().credential(presented_key(headers))? {
            Credential::Anonymous | Credential::Admin => Held::OfSettings,
            Credential::Operator(key) => Held::Operator(Secret::new(key)),
            Credential::Tenant(key) => Held::Tenant(Secret::new(key)),
        };
        Ok(Self {
            key,
            address: ClientAddr::exact(extensions),
            scope: Access::scope_of_operators(extensions)?,
        })
    }

    /// Fails if the key may not read what is the tenant's any more.
    pub(super) async fn check(&self, state: &HttpState, tenant_id: &TenantId) -> Result<(), ApiError> {
        let app = state.app();
        let holds = match &self.key {
            Held::OfSettings => true,
            Held::Tenant(key) => {
                let verdict = app.tenants.check_api_key(Some(tenant_id), key.reveal(), self.address);
                matches!(verdict.await?, KeyVerdict::Right(known) if known.scopes.has(self.scope))
            }
            Held::Operator(key) => {
                let verdict = app.operators.check(key.reveal(), self.address);
                matches!(verdict.await?, OperatorVerdict::Right(_, role) if role.may(self.scope, true).is_ok())
            }
        };
        if holds {
            return Ok(());
        }
        Err(Problem::new(
            ErrorCode::Unauthenticated,
            "The key that this request began with does not hold any more.",
        )
        .into())
    }
}
