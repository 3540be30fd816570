//! What a tenant wants to be kept to whenever something is sent in its name.

use axum::Json;
use axum::extract::{Request, State};
use dakghar_core::domain::{Enforced, ErrorCode, Problem, QuietFault, QuietFor, QuietHours, SendingRules};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{SendingRulesView, enforced, quiet_for};

/// As clocks show it. They never show 24:00.
const END_OF_DAY: &str = "must be a time like 08:00; the end of a day is 00:00";
/// Messages that wait for such hours would wait until they expire.
const NEVER_END: &str = "must be another time than from: hours without an end would keep messages for ever. To send nothing, pause the tenant";

/// What is to be kept to. What is left out is as for a new tenant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetSendingRules {
    /// What becomes of opt-outs.
    opt_outs: Option<SetOptOutRules>,
    /// When people are to be left alone; never when absent.
    quiet_hours: Option<SetQuietHours>,
}

/// When people are to be left alone.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetQuietHours {
    /// When they begin, as the clocks of the place show it.
    #[schema(example = "21:00")]
    from: String,
    /// When they end, on that day or on the next one.
    #[schema(example = "08:00")]
    to: String,
    /// The place, by its name in the IANA time zone database.
    #[schema(example = "Asia/Kolkata")]
    time_zone: String,
    /// The messages that wait until they end; `marketing` when absent. Those of `high` priority never wait.
    #[schema(schema_with = quiet_for)]
    messages: Option<String>,
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
    if let Some(quiet) = fields.object("quietHours")? {
        rules.quiet_hours = Some(Box::new(read_quiet_hours(quiet)?));
    }
    fields.finish()?;
    Ok(rules)
}

fn read_quiet_hours(mut fields: Fields) -> Result<QuietHours, Problem> {
    let mut text = |name| fields.required_text(name, ErrorCode::InvalidField);
    let (from, to, time_zone) = (text("from"), text("to"), text("timeZone"));
    let messages = fields.one_of("messages", &QuietFor::ALL, QuietFor::as_str);
    let read = QuietHours::parse(&from, &to, &time_zone, messages.unwrap_or_default());
    if let Err(fault) = &read {
        let (name, given, message) = match fault {
            QuietFault::From => ("from", &from, "must be a time like 21:00"),
            QuietFault::To if to == "24:00" => ("to", &to, END_OF_DAY),
            QuietFault::To => ("to", &to, "must be a time like 08:00"),
            QuietFault::Empty => ("to", &to, NEVER_END),
            QuietFault::TimeZone => (
                "timeZone",
                &time_zone,
                "must be the name of a time zone, like Asia/Kolkata",
            ),
        };
        // Of one that is not there it is said already.
        if !given.is_empty() {
            fields.refuse(ErrorCode::InvalidField, name, message);
        }
    }
    fields.finish()?;
    read.map_err(|_| {
        Problem::field(
            ErrorCode::InvalidField,
            "/quietHours",
            "must name from, to and timeZone",
        )
    })
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
/// Counts for what is accepted from now on, and for what waits. What is left out of the request is as for a new tenant. A message to somebody who opted out of it is refused with
/// `opted_out`; one that waits already ends as `dead` with that reason, and nothing is sent. By default opt-outs are kept and
/// nothing is held back.
///
/// In `quietHours` a message waits until they end, as `waitsFor` says (`quiet_hours`), and goes at the pace of its number then. One
/// of `high` priority does not wait.
#[utoipa::path(
    put, path = "/tenants/{tenantId}/sending-rules", operation_id = "setSendingRules", tag = "Messages",
    request_body(content = SetSendingRules, example = json!({
        "optOuts": {"enforce": "marketing", "stopWords": true},
        "quietHours": {"from": "21:00", "to": "08:00", "timeZone": "Asia/Kolkata", "messages": "marketing"},
    })),
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
