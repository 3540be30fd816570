//! The caller of a request, and its rights: the operator by the admin key, a tenant by its own key.
//!
//! To a tenant's key, every other tenant looks exactly like one that does not exist.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::{Actor, ErrorCode, Problem, TenantId};

use super::authority::Credential;
use super::problem::ApiError;
use super::state::HttpState;

/// The caller is the operator.
pub(super) struct Admin;

impl FromRequestParts<HttpState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        match state.authority().credential(&parts.headers)? {
            Credential::Admin | Credential::Anonymous => Ok(Self),
            Credential::Tenant(_) => Err(Problem::new(ErrorCode::Forbidden, "Only the admin key may do that.").into()),
        }
    }
}

/// The id of a tenant in the path. The tenant may not exist.
pub(super) struct TenantPath(pub(super) TenantId);

impl FromRequestParts<HttpState> for TenantPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, |name| name == "tenantId").await;
        let id = id.and_then(|text| TenantId::parse(&text).ok());
        Ok(Self(id.ok_or_else(no_such_tenant)?))
    }
}

/// The tenant named in the path. The caller is this tenant or the operator.
pub(super) struct TenantScope {
    pub(super) tenant: SharedTenant,
    /// The one of the two that called.
    pub(super) actor: Actor,
}

impl TenantScope {
    pub(super) fn id(&self) -> &TenantId {
        &self.tenant.id
    }
}

impl FromRequestParts<HttpState> for TenantScope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let id = TenantPath::from_request_parts(parts, state).await;
        // Check the key first: without a usable one nobody learns anything about tenants.
        let credential = state.authority().credential(&parts.headers)?;
        let TenantPath(id) = id?;
        let tenants = &state.app().tenants;
        let tenant = tenants.find(&id).await?;
        match credential {
            Credential::Tenant(key) if !tenants.is_api_key_of(&tenant, key) => Err(no_such_tenant().into()),
            Credential::Tenant(_) => Ok(Self {
                tenant,
                actor: Actor::Tenant,
            }),
            Credential::Admin | Credential::Anonymous => Ok(Self {
                tenant,
                actor: Actor::Operator,
            }),
        }
    }
}

fn no_such_tenant() -> Problem {
    Problem::new(ErrorCode::TenantNotFound, "No tenant has this id.")
}

/// The last parameter of the path, as the client wrote it: the id of the thing below the tenant.
pub(super) struct ResourceId(pub(super) String);

impl FromRequestParts<HttpState> for ResourceId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, |name| name != "tenantId").await;
        // Text that is not UTF-8 names nothing. The empty id lets the use case say what was not found.
        Ok(Self(id.unwrap_or_default()))
    }
}

async fn path_parameter(parts: &mut Parts, state: &HttpState, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok()?;
    parameters
        .iter()
        .find(|(name, _)| is_wanted(name))
        .map(|(_, value)| value.to_owned())
}
