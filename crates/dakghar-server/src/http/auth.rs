//! The caller of a request, and its rights: operators by the admin key or by a key with a role, a tenant by its own key.
//!
//! To a tenant's key, every other tenant looks exactly like one that does not exist.

use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Method;
use axum::http::request::Parts;
use dakghar_core::app::{Failure, KeyVerdict, KnownKey, OperatorVerdict, missing_scope};
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::{Actor, ErrorCode, KeyRefusal, Problem, Role, RoleRefusal, Scope, TenantId};
use dakghar_core::metrics::{KeyRefused, KeyUsed, Metrics};
use tokio::task::yield_now;
use tokio::time::sleep_until;

use super::access::Access;
use super::allowance;
use super::authority::{Credential, Presented, presented_key};
use super::caller::{Caller, CallerSlot};
use super::client_addr::ClientAddr;
use super::problem::ApiError;
use super::state::HttpState;
use super::wrong_keys::{KeyCheck, Verdict};

/// The caller is an operator, who may call this route.
pub(super) struct Admin;

impl FromRequestParts<HttpState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let (credential, check) = identify(parts, state, None).await?;
        match credential {
            Credential::Admin | Credential::Anonymous => {
                admin(state, &credential, check, parts);
                Ok(Self)
            }
            Credential::Operator(key) => {
                operator(state, key, check, parts).await?;
                Ok(Self)
            }
            Credential::Tenant(_) => {
                settle(check, Verdict::Wrong);
                Err(Problem::new(ErrorCode::Forbidden, "Only an operator may do that.").into())
            }
        }
    }
}

/// True if the request may see what only the operator should. Never fails.
pub(super) struct IsOperator(pub(super) bool);

impl FromRequestParts<HttpState> for IsOperator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        // Health checks do not wait.
        let begin = |key| {
            let addr = ClientAddr::of(&parts.extensions);
            state.wrong_keys().begin_now(addr, key, None, state.app().uptime())
        };
        let presented = presented_key(&parts.headers);
        let Ok(check) = key_of(presented).map(begin).transpose() else {
            return Ok(Self(false));
        };
        let Ok((credential, check)) = credential(state, presented, check) else {
            return Ok(Self(false));
        };
        let is_operator = matches!(credential, Credential::Admin | Credential::Anonymous);
        // A tenant's key is no guess here: its client sends it along.
        if is_operator {
            settle(check, Verdict::Operators);
        }
        Ok(Self(is_operator))
    }
}

/// Returns the kind of key in the request, and the check of a key that it does present. Fails if a needed key is missing,
/// the key cannot be anybody's, or its address has presented too many wrong ones; waits if it has presented nearly so many.
async fn identify<'a>(
    parts: &'a Parts,
    state: &'a HttpState,
    tenant: Option<&TenantId>,
) -> Result<(Credential<'a>, Option<KeyCheck<'a>>), Problem> {
    let presented = presented_key(&parts.headers);
    let check = match key_of(presented) {
        None => None,
        Some(key) => {
            let addr = ClientAddr::of(&parts.extensions);
            let begun = state
                .wrong_keys()
                .begin_patiently(addr, key, tenant, state.app().uptime());
            Some(begun.await?)
        }
    };
    credential(state, presented, check)
}

/// What is to be checked; nothing if no key is presented.
const fn key_of(presented: Presented<'_>) -> Option<&str> {
    match presented {
        Presented::Nothing => None,
        Presented::Unreadable | Presented::Blank => Some(""),
        Presented::Key(key) => Some(key),
    }
}

fn credential<'a>(
    state: &HttpState,
    presented: Presented<'a>,
    check: Option<KeyCheck<'a>>,
) -> Result<(Credential<'a>, Option<KeyCheck<'a>>), Problem> {
    match state.authority().credential(presented) {
        Ok(credential) => Ok((credential, check)),
        Err(problem) => {
            settle(check, Verdict::Wrong);
            Err(problem)
        }
    }
}

/// The least time that the refusal of a tenant's key takes. It hides that a tenant's record must be read where there is one,
/// and is far more than that takes.
const WRONG_KEY_TAKES: Duration = Duration::from_millis(20);

/// The part of it that is slept. Timers count milliseconds from when they were set, and so end at a moment that tells how
/// long the work before them took.
const WRONG_KEY_SLEEPS: Duration = Duration::from_millis(18);

/// Waits until a refusal has taken its time, whatever was done in it. The last two milliseconds it asks for the time again
/// and again, and lets everybody else go first.
async fn refuse_in_time(began: Instant) {
    sleep_until((began + WRONG_KEY_SLEEPS).into()).await;
    #[expect(clippy::disallowed_methods, reason = "how long this refusal takes")]
    while Instant::now() < began + WRONG_KEY_TAKES {
        yield_now().await;
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

fn settle(check: Option<KeyCheck<'_>>, verdict: Verdict) {
    if let Some(check) = check {
        check.settle(verdict);
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
        let id = id.ok().map(|TenantPath(id)| id);
        // Check the key first: without a usable one nobody learns anything about tenants.
        let (credential, check) = identify(parts, state, id.as_ref()).await?;
        let tenants = &state.app().tenants;
        let key = match credential {
            Credential::Tenant(key) => key,
            of_operator => {
                match of_operator {
                    Credential::Operator(key) => operator(state, key, check, parts).await?,
                    other => admin(state, &other, check, parts),
                }
                let id = id.ok_or_else(no_such_tenant)?;
                return Ok(Self {
                    tenant: tenants.find(&id).await?,
                    actor: Actor::Operator,
                });
            }
        };
        let needed = Access::scope_of_tenants(&parts.extensions)?;
        by_key(parts, state, (key, check), id.as_slice(), needed).await
    }
}

/// The tenant of whom something at Meta is, on a path that names no tenant: the one among `owners` whose key calls, with this
/// scope. Nobody learns from the answer whether anybody owns it. Operators have no business there.
pub(super) async fn owner(
    parts: &Parts,
    state: &HttpState,
    owners: &[TenantId],
    needed: Scope,
) -> Result<TenantScope, ApiError> {
    let (credential, check) = identify(parts, state, owners.first()).await?;
    match credential {
        Credential::Tenant(key) => by_key(parts, state, (key, check), owners, needed).await,
        Credential::Anonymous => Err(Problem::new(ErrorCode::Unauthenticated, "The API key is missing.").into()),
        Credential::Admin | Credential::Operator(_) => {
            settle(check, Verdict::Wrong);
            let detail = "Only an API key of a tenant may do that.";
            Err(Problem::new(ErrorCode::Forbidden, detail).into())
        }
    }
}

/// Lets in the tenant among these whose key it is.
async fn by_key(
    parts: &Parts,
    state: &HttpState,
    (key, check): (&str, Option<KeyCheck<'_>>),
    ids: &[TenantId],
    needed: Scope,
) -> Result<TenantScope, ApiError> {
    let metrics = &state.app().metrics;
    #[expect(clippy::disallowed_methods, reason = "how long this refusal takes")]
    let began = Instant::now();
    match verdict_on(parts, state, key, ids).await? {
        KeyVerdict::Right(KnownKey { tenant, id, scopes }) => {
            settle(check, Verdict::Tenants);
            if !scopes.has(needed) {
                metrics.keys_refused.of(KeyRefused::Scope).inc();
                return Err(missing_scope(needed).into());
            }
            metrics.keys_used.of(KeyUsed::Tenant).inc();
            note_caller(parts, state, Caller::Tenant(tenant.id, id));
            allowance::admit(state, &tenant, &parts.extensions).await?;
            Ok(TenantScope {
                tenant,
                actor: Actor::Tenant,
            })
        }
        // Nobody guesses such a key, so it uses no try up, and its owner learns what is wrong with it.
        KeyVerdict::Refused(refusal) => Err(refused(refusal, metrics).into()),
        // Whether the key is right cannot be read either. Only who had the right one may know that the tenant exists.
        KeyVerdict::Unreadable(error) if check.as_ref().is_some_and(KeyCheck::was_right_before) => {
            Err(Failure::from(error).into())
        }
        KeyVerdict::Wrong | KeyVerdict::Unreadable(_) => {
            settle(check, Verdict::Wrong);
            refuse_in_time(began).await;
            Err(no_such_tenant().into())
        }
    }
}

/// The verdict of the first tenant among these that knows the key.
async fn verdict_on(parts: &Parts, state: &HttpState, key: &str, ids: &[TenantId]) -> Result<KeyVerdict, Failure> {
    let tenants = &state.app().tenants;
    let address = ClientAddr::exact(&parts.extensions);
    let Some((first, others)) = ids.split_first() else {
        return tenants.check_api_key(None, key, address).await;
    };
    let mut verdict = tenants.check_api_key(Some(first), key, address).await?;
    for id in others {
        if !matches!(verdict, KeyVerdict::Wrong) {
            break;
        }
        verdict = tenants.check_api_key(Some(id), key, address).await?;
    }
    Ok(verdict)
}

fn note_caller(parts: &Parts, state: &HttpState, caller: Caller) {
    if let Some(slot) = parts.extensions.get::<CallerSlot>() {
        slot.note(caller, state.app());
    }
}

/// Lets in who has the key of the settings, or needs none.
fn admin(state: &HttpState, credential: &Credential<'_>, check: Option<KeyCheck<'_>>, parts: &Parts) {
    settle(check, Verdict::Operators);
    state.app().metrics.keys_used.of(KeyUsed::Operator).inc();
    note_caller(
        parts,
        state,
        match credential {
            Credential::Anonymous => Caller::Anonymous,
            _ => Caller::Settings,
        },
    );
}

/// Checks the key of an operator, and that its role may call this route.
async fn operator(state: &HttpState, key: &str, check: Option<KeyCheck<'_>>, parts: &Parts) -> Result<(), ApiError> {
    let needed = Access::scope_of_operators(&parts.extensions)?;
    let metrics = &state.app().metrics;
    let address = ClientAddr::exact(&parts.extensions);
    match state.app().operators.check(key, address).await? {
        OperatorVerdict::Right(id, role) => {
            settle(check, Verdict::Operators);
            let reads = matches!(parts.method, Method::GET | Method::HEAD);
            if let Err(refusal) = role.may(needed, reads) {
                metrics.keys_refused.of(KeyRefused::Scope).inc();
                return Err(not_of_the_role(role, refusal).into());
            }
            metrics.keys_used.of(KeyUsed::Operator).inc();
            note_caller(parts, state, Caller::Operator(id, role));
            Ok(())
        }
        OperatorVerdict::Refused(refusal) => Err(refused(refusal, metrics).into()),
        OperatorVerdict::Wrong => {
            settle(check, Verdict::Wrong);
            Err(Problem::new(ErrorCode::Unauthenticated, "The key is not known.").into())
        }
    }
}

fn not_of_the_role(role: Role, refusal: RoleRefusal) -> Problem {
    let role = role.as_str();
    let detail = match refusal {
        RoleRefusal::Scope(scope) => format!("The role `{role}` of the key lacks the scope `{}`.", scope.as_str()),
        RoleRefusal::OnlyReads(scope) => {
            format!(
                "The role `{role}` of the key has the scope `{}` for reading only.",
                scope.as_str()
            )
        }
    };
    Problem::new(ErrorCode::MissingScope, detail)
}

fn refused(refusal: KeyRefusal, metrics: &Metrics) -> Problem {
    match refusal {
        KeyRefusal::Expired(at) => {
            metrics.keys_refused.of(KeyRefused::Expired).inc();
            Problem::new(ErrorCode::KeyExpired, format!("The key expired at {at}."))
        }
        KeyRefusal::Address => {
            metrics.keys_refused.of(KeyRefused::Address).inc();
            let detail = "The key may not be used from the address of this client.";
            Problem::new(ErrorCode::AddressNotAllowed, detail)
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

/// The two last parameters of the path, as the client wrote them: the id of a thing below the tenant, and of one below that.
pub(super) struct ResourceIds(pub(super) String, pub(super) String);

impl FromRequestParts<HttpState> for ResourceIds {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let upper = path_parameter(parts, state, |name| name == "endpointId").await;
        let lower = path_parameter(parts, state, |name| name == "replayId").await;
        Ok(Self(upper.unwrap_or_default(), lower.unwrap_or_default()))
    }
}

async fn path_parameter(parts: &mut Parts, state: &HttpState, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok()?;
    parameters
        .iter()
        .find(|(name, _)| is_wanted(name))
        .map(|(_, value)| value.to_owned())
}
