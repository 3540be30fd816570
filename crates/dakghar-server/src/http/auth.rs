//! Who asks, and whether they may: the operator by the admin key, a tenant by its own key.
//!
//! Keys come in headers only; a key in the query string is no key. To a tenant's key every other tenant looks exactly
//! like one that does not exist. Wrong keys are not counted or slowed down here.

use aws_lc_rs::{constant_time, digest};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::request::Parts;
use dakghar_core::app::API_KEY_PREFIX;
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::{Actor, ErrorCode, Problem, TenantId};

use super::config::HttpConfig;
use super::problem::ApiError;
use super::state::HttpState;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const BEARER: &str = "bearer ";
/// Characters of a tenant's key after its prefix: 32 bytes in base64url.
const API_KEY_CHARS: usize = 43;

/// Whose key a request carries.
enum Credential<'a> {
    /// None, where none is needed.
    Anonymous,
    /// The operator's.
    Admin,
    /// It looks like a tenant's; which one's is for the tenant to say.
    Tenant(&'a str),
}

/// Judges keys.
pub(super) struct Authority {
    /// SHA-256 of the admin key: comparing digests tells nothing about the key's length or its first bytes.
    admin_digest: Option<digest::Digest>,
    key_required: bool,
}

impl Authority {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let admin_digest = config.admin_api_key.as_ref().map(|key| digest_of(key.reveal()));
        Self {
            key_required: config.production || admin_digest.is_some(),
            admin_digest,
        }
    }

    fn credential<'a>(&self, headers: &'a HeaderMap) -> Result<Credential<'a>, Problem> {
        match presented_key(headers) {
            Presented::Nothing if self.key_required => Err(unauthenticated("Send it as Authorization: Bearer <key>.")),
            Presented::Nothing => Ok(Credential::Anonymous),
            Presented::Key(key) if self.is_admin_key(key) => Ok(Credential::Admin),
            Presented::Key(key) if has_tenant_form(key) => Ok(Credential::Tenant(key)),
            Presented::Key(_) | Presented::Unreadable => Err(unauthenticated("The key is not known.")),
        }
    }

    fn is_admin_key(&self, key: &str) -> bool {
        self.admin_digest.as_ref().is_some_and(|admin| {
            constant_time::verify_slices_are_equal(digest_of(key).as_ref(), admin.as_ref()).is_ok()
        })
    }

    /// Whether the request may see what only the operator should.
    pub(super) fn is_admin(&self, headers: &HeaderMap) -> bool {
        matches!(self.credential(headers), Ok(Credential::Admin | Credential::Anonymous))
    }
}

fn digest_of(key: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, key.as_bytes())
}

fn has_tenant_form(key: &str) -> bool {
    key.strip_prefix(API_KEY_PREFIX).is_some_and(|random| {
        random.len() == API_KEY_CHARS
            && random
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

enum Presented<'a> {
    Nothing,
    Unreadable,
    Key(&'a str),
}

fn presented_key(headers: &HeaderMap) -> Presented<'_> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all(X_API_KEY).iter();
    // More than one key says nothing about which is meant.
    let (value, is_bearer) = match (bearers.next(), bearers.next(), keys.next(), keys.next()) {
        (None, _, None, _) => return Presented::Nothing,
        (Some(value), None, None, _) => (value, true),
        (None, _, Some(value), None) => (value, false),
        _ => return Presented::Unreadable,
    };
    let Ok(text) = value.to_str() else {
        return Presented::Unreadable;
    };
    if !is_bearer {
        return Presented::Key(text.trim());
    }
    match text.split_at_checked(BEARER.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) => Presented::Key(key.trim()),
        _ => Presented::Unreadable,
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(ErrorCode::Unauthenticated, detail)
}

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

/// The id of a tenant in the path, whether there is such a tenant or not.
pub(super) struct TenantPath(pub(super) TenantId);

impl FromRequestParts<HttpState> for TenantPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, |name| name == "tenantId").await;
        let id = id.and_then(|text| TenantId::parse(&text).ok());
        Ok(Self(id.ok_or_else(no_such_tenant)?))
    }
}

/// The tenant named in the path; the caller is this tenant or the operator.
pub(super) struct TenantScope {
    pub(super) tenant: SharedTenant,
    /// Which of the two it is.
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
        // The key is judged first: without a usable one nobody learns anything about tenants.
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
        // Text that is not UTF-8 names nothing; the empty id lets the use case say what was not found.
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
