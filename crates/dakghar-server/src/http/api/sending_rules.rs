//! What a tenant wants to be kept to whenever something is sent in its name.

use axum::Json;
use axum::extract::{Request, State};
use dakghar_core::domain::{Enforced, ErrorCode, Problem, SendingRules};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{SendingRulesView, enforced};

/// What is to be kept to. What is left out is as for a new tenant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetSendingRules {
    /// What becomes of opt-outs.
    opt_outs: Option<SetOptOutRules>,
}

/// What is to become of opt-outs.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetOptOutRules {
    /// The messages that do not go to people who opted out; `none` when absent.
    #[schema(schema_with = enforced)]
    enforce: Option<String>,
    /// `false`: words like STOP mean nothing; `true` when absent.
    stop_words: Option<bool>,
}

fn read(body: &[u8]) -> Result<SendingRules, Problem> {
    let mut fields = Fields::parse(body)?;
    let mut rules = SendingRules::default();
    if let Some(mut opt_outs) = fields.object("optOuts")? {
        let enforced = opt_outs.one_of("enforce", &Enforced::ALL, Enforced::as_str);
        rules.enforced = enforced.unwrap_or_default();
        if opt_outs.has("stopWords") {
            rules.stop_words = opt_outs.flag("stopWords");
        }
        opt_outs.finish()?;
    }
    fields.finish()?;
    Ok(rules)
}

problems!(ReadProblems: STORE);

/// Read what is kept to when something is sent
#[utoipa::path(
    get, path = "/tenants/{tenantId}/sending-rules", operation_id = "getSendingRules", tag = "Messages",
    responses((status = 200, description = "The rules.", body = SendingRulesView), ReadProblems),
)]
pub(in crate::http) async fn get(scope: TenantScope) -> ApiResult<Json<SendingRulesView>> {
    Ok(Json(SendingRulesView::from(&scope.tenant.rules)))
}

problems!(SetProblems: BODY, STORE, &[ErrorCode::TenantNotFound, ErrorCode::Conflict, ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Set what is kept to when something is sent
///
/// Counts for what is accepted from now on, and for what waits. A message to somebody who opted out of it is refused with
/// `opted_out`; one that waits already ends as `dead` with that reason, and nothing is sent. By default opt-outs are kept and
/// nothing is held back.
#[utoipa::path(
    put, path = "/tenants/{tenantId}/sending-rules", operation_id = "setSendingRules", tag = "Messages",
    request_body(content = SetSendingRules, example = json!({"optOuts": {"enforce": "marketing", "stopWords": true}})),
    responses((status = 200, description = "The rules.", body = SendingRulesView), SetProblems),
)]
pub(in crate::http) async fn set(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<Json<SendingRulesView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let rules = read(&body)?;
    let tenant = state.app().tenants.set_sending_rules(scope.id(), rules, &by).await?;
    Ok(Json(SendingRulesView::from(&tenant.rules)))
}
