//! What a tenant wants to be sent again by itself.

use axum::Json;
use axum::extract::{Request, State};
use dakghar_core::domain::auto_redrive::{AutoRedrive, Cause};
use dakghar_core::domain::{ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{AutoRedriveView, cause};

/// Messages a minute where the request does not say.
const PER_MINUTE: u32 = 60;
/// The greatest age where the request does not say, in hours.
const MAX_AGE_HOURS: u32 = 24;

/// What is to be sent again by itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetAutoRedrive {
    /// The causes after whose end it is; none turns it off.
    #[schema(schema_with = causes)]
    causes: Vec<String>,
    /// Messages a minute that go back into the queue, 60 when absent.
    #[schema(minimum = 1, maximum = 60_000)]
    per_minute: Option<u32>,
    /// Only dead letters that ended at most so many hours before their cause, 24 when absent.
    #[schema(minimum = 1, maximum = 696)]
    max_age_hours: Option<u32>,
    /// No message is sent again more often than this, with what people sent again; once when absent.
    #[schema(minimum = 1, maximum = 10)]
    times_max: Option<u32>,
}

fn causes() -> utoipa::openapi::schema::ArrayBuilder {
    utoipa::openapi::schema::ArrayBuilder::new().items(cause())
}

fn read(body: &[u8]) -> Result<Option<AutoRedrive>, Problem> {
    let mut fields = Fields::parse(body)?;
    if !fields.has("causes") {
        fields.refuse(ErrorCode::InvalidField, "causes", "is required; [] turns it off");
    }
    let mut causes = Vec::new();
    for name in fields.texts("causes", ErrorCode::InvalidField).unwrap_or_default() {
        match Cause::parse(&name) {
            Some(cause) => causes.push(cause),
            None => fields.refuse(ErrorCode::InvalidField, "causes", "names a cause that is not known"),
        }
    }
    let policy = AutoRedrive {
        causes,
        per_minute: fields.whole_number("perMinute").unwrap_or(PER_MINUTE),
        hours: fields.whole_number("maxAgeHours").unwrap_or(MAX_AGE_HOURS),
        times: fields.whole_number("timesMax").unwrap_or(1),
    };
    fields.finish()?;
    Ok((!policy.causes.is_empty()).then_some(policy))
}

problems!(ReadProblems: STORE);

/// Read what is sent again by itself
#[utoipa::path(
    get, path = "/tenants/{tenantId}/dead-letters/auto-redrive", operation_id = "getAutoRedrive", tag = "Dead letters",
    responses((status = 200, description = "What is sent again by itself.", body = AutoRedriveView), ReadProblems),
)]
pub(in crate::http) async fn get(scope: TenantScope) -> ApiResult<Json<AutoRedriveView>> {
    Ok(Json(AutoRedriveView::from(scope.tenant.auto.policy.as_ref())))
}

problems!(SetProblems: BODY, STORE, &[ErrorCode::TenantNotFound, ErrorCode::Conflict, ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Set what is sent again by itself
///
/// When one of the causes has ended, a redrive of the dead letters of its number begins by itself that ended by it before,
/// within some seconds. It is listed with the others, and can be paused and cancelled like them. It never sends again what
/// may have been delivered or whose `expiresAt` is over. Off for a new tenant.
#[utoipa::path(
    put, path = "/tenants/{tenantId}/dead-letters/auto-redrive", operation_id = "setAutoRedrive", tag = "Dead letters",
    request_body(content = SetAutoRedrive, example = json!({"causes": ["attempts_exhausted"], "perMinute": 60})),
    responses((status = 200, description = "What is sent again by itself.", body = AutoRedriveView), SetProblems),
)]
pub(in crate::http) async fn set(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<Json<AutoRedriveView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let policy = read(&body)?;
    let tenants = &state.app().tenants;
    let tenant = tenants.set_auto_redrive(scope.id(), policy, &by).await?;
    Ok(Json(AutoRedriveView::from(tenant.auto.policy.as_ref())))
}
