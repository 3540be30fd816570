//! Redrives: dead letters that a filter chooses are sent again by a job.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::message::{DeadReason, Status};
use dakghar_core::domain::redrive::{NewRedrive, REDRIVE_PER_SECOND_DEFAULT, REDRIVE_PER_SECOND_MAX, RedriveFilter};
use dakghar_core::domain::{Actor, ErrorCode, PhoneNumberId, Problem, TenantId};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{Admin, ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{PageView, RedrivePreviewView, RedriveView, dead_reasons, dead_statuses};

/// Which dead letters are sent again, and how. Every part of the filter that is given must match; without any, all dead
/// letters are meant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct RedriveDeadLetters {
    /// Only of this number.
    #[schema(example = "111111111111111")]
    phone_number_id: Option<String>,
    /// Only with this code of Meta's, as `error.code` of the message.
    #[schema(example = 131_016)]
    code: Option<i64>,
    /// Only given up for this reason, as `deadReason` of the message.
    #[schema(schema_with = dead_reasons)]
    reason: Option<String>,
    /// Only with this status.
    #[schema(schema_with = dead_statuses)]
    status: Option<String>,
    /// Only those that ended at or after this.
    #[schema(example = "2026-11-22T00:00:00Z")]
    from: Option<String>,
    /// Only those that ended before this.
    to: Option<String>,
    /// Also those that may have been delivered already, and may then arrive twice. Without it they are left out.
    confirm_duplicate_risk: Option<bool>,
    /// Also those whose `expiresAt` is over, and those that ended as `expired`; they then have no `expiresAt` any more.
    /// Without it they are left out. An `expiresAt` that is still ahead holds in any case.
    ignore_expiry: Option<bool>,
    /// Messages a second that go back into the queue, 50 when absent. Sending keeps the pace of each number besides.
    #[schema(minimum = 1, maximum = 1_000)]
    per_second: Option<u32>,
    /// Only say what would be sent again.
    dry_run: Option<bool>,
}

struct Asked {
    redrive: NewRedrive,
    is_dry_run: bool,
}

fn read(body: &[u8], by: Actor) -> Result<Asked, Problem> {
    let mut fields = Fields::parse(body)?;
    let filter = RedriveFilter {
        phone_number_id: phone_number_id(&mut fields),
        code: fields.integer("code"),
        reason: fields.one_of("reason", &DeadReason::ALL, DeadReason::as_str),
        status: fields.one_of("status", &DEAD, Status::as_str),
        from: fields.time("from"),
        to: fields.time("to"),
    };
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        fields.refuse(ErrorCode::InvalidField, "to", "must be after from");
    }
    let per_second = fields.whole_number("perSecond").unwrap_or(REDRIVE_PER_SECOND_DEFAULT);
    if !(1..=REDRIVE_PER_SECOND_MAX).contains(&per_second) {
        let message = format!("must be 1 to {REDRIVE_PER_SECOND_MAX}");
        fields.refuse(ErrorCode::InvalidField, "perSecond", &message);
    }
    let redrive = NewRedrive {
        filter,
        confirm_duplicate_risk: fields.flag("confirmDuplicateRisk"),
        ignore_expiry: fields.flag("ignoreExpiry"),
        per_second,
        by,
        automatic: None,
    };
    let is_dry_run = fields.flag("dryRun");
    fields.finish()?;
    Ok(Asked { redrive, is_dry_run })
}

/// The statuses of dead letters.
const DEAD: [Status; 3] = [Status::Dead, Status::Failed, Status::Expired];

fn phone_number_id(fields: &mut Fields) -> Option<PhoneNumberId> {
    let text = fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId)?;
    let number = PhoneNumberId::parse(&text);
    if number.is_err() {
        let message = "must be 1 to 20 digits, as Meta shows it";
        fields.refuse(ErrorCode::InvalidPhoneNumberId, "phoneNumberId", message);
    }
    number.ok()
}

const BEGIN: &[ErrorCode] = &[
    ErrorCode::TooManyRedrives,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidPhoneNumberId,
];

problems!(BeginProblems: BODY, BEGIN, STORE);

/// Send dead letters of a tenant again by filter
///
/// With `dryRun` it only says how many that would be. Without, a redrive begins: a job that goes on until every dead
/// letter was looked at that ended before, and that nothing ends but a cancellation. One that began with the tenant's own
/// key waits while as many messages of the tenant wait as may (`limits.messagesWaiting`).
#[utoipa::path(
    post, path = "/tenants/{tenantId}/dead-letters/redrive", operation_id = "redriveDeadLetters", tag = "Dead letters",
    request_body(content = RedriveDeadLetters, example = json!({"code": 131_016, "dryRun": true})),
    responses(
        (status = 200, description = "What would be sent again.", body = RedrivePreviewView),
        (status = 202, description = "The redrive, which has begun.", body = RedriveView),
        BeginProblems
    ),
)]
pub(in crate::http) async fn begin(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult {
    begin_for(&state, Some(*scope.id()), &by, request).await
}

/// Send dead letters of all tenants again by filter
///
/// The same for the dead letters of all tenants.
#[utoipa::path(
    post, path = "/dead-letters/redrive", operation_id = "redriveAllDeadLetters", tag = "Dead letters",
    request_body(content = RedriveDeadLetters, example = json!({"status": "expired", "ignoreExpiry": true, "dryRun": true})),
    responses(
        (status = 200, description = "What would be sent again.", body = RedrivePreviewView),
        (status = 202, description = "The redrive, which has begun.", body = RedriveView),
        BeginProblems
    ),
)]
pub(in crate::http) async fn begin_all(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    request: Request,
) -> ApiResult {
    begin_for(&state, None, &by, request).await
}

async fn begin_for(state: &HttpState, tenant_id: Option<TenantId>, by: &Principal, request: Request) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, state, tenant_id).await?;
    let asked = read(&body, by.actor())?;
    let redriving = &state.app().redriving;
    // Both look through the dead letters.
    let turn = state.budgets().pages.turn(tenant_id).await?;
    if asked.is_dry_run {
        let preview = redriving.preview(tenant_id, &asked.redrive).await?;
        return Ok(turn.answer(&RedrivePreviewView::from(&preview))?);
    }
    let redrive = redriving.begin(tenant_id, &asked.redrive, by).await?;
    Ok((StatusCode::ACCEPTED, Json(RedriveView::from(&redrive))).into_response())
}

problems!(ListProblems: LIST, STORE);

/// List the redrives of a tenant
///
/// Newest first. One that is over is kept for 30 days.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/dead-letters/redrives", operation_id = "listRedrives", tag = "Dead letters",
    params(PageParameters),
    responses((status = 200, description = "A page of redrives.", body = PageView<RedriveView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    list_for(&state, Some(scope.id()), &uri).await
}

/// List all redrives
///
/// Those of the operator, and those of every tenant.
#[utoipa::path(
    get, path = "/dead-letters/redrives", operation_id = "listAllRedrives", tag = "Dead letters",
    params(PageParameters),
    responses((status = 200, description = "A page of redrives.", body = PageView<RedriveView>), ListProblems),
)]
pub(in crate::http) async fn list_all(State(state): State<HttpState>, _: Admin, uri: Uri) -> ApiResult {
    list_for(&state, None, &uri).await
}

async fn list_for(state: &HttpState, tenant_id: Option<&TenantId>, uri: &Uri) -> ApiResult {
    let page = Parameters::of_page(uri)?.page()?;
    let turn = state.budgets().pages.turn(tenant_id.copied()).await?;
    let redrives = state.app().reading.redrives(tenant_id, &page).await?;
    Ok(turn.answer(&PageView::<RedriveView>::of(redrives))?)
}

problems!(ReadProblems: STORE, &[ErrorCode::RedriveNotFound]);
problems!(TurnProblems: STORE, &[
    ErrorCode::RedriveNotFound,
    ErrorCode::RedriveOver,
    ErrorCode::Conflict,
]);

/// Read a redrive
///
/// With how far it has come.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/dead-letters/redrives/{redriveId}", operation_id = "getRedrive",
    tag = "Dead letters",
    responses((status = 200, description = "The redrive.", body = RedriveView), ReadProblems),
)]
pub(in crate::http) async fn one(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<RedriveView>> {
    let redrive = state.app().redriving.find(Some(scope.id()), &id).await?;
    Ok(Json(RedriveView::from(&redrive)))
}

/// Read a redrive
///
/// With how far it has come.
#[utoipa::path(
    get, path = "/dead-letters/redrives/{redriveId}", operation_id = "getAnyRedrive", tag = "Dead letters",
    responses((status = 200, description = "The redrive.", body = RedriveView), ReadProblems),
)]
pub(in crate::http) async fn one_of_all(
    State(state): State<HttpState>,
    _: Admin,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<RedriveView>> {
    let redrive = state.app().redriving.find(None, &id).await?;
    Ok(Json(RedriveView::from(&redrive)))
}

/// Makes the handlers of one change, for a tenant and for the operator.
macro_rules! calls {
    ($(
        $(#[doc = $doc:literal])+
        $method:ident $suffix:literal $call:ident: $problems:ident,
        $of_tenant:ident $tenants:literal, $of_all:ident $operators:literal;
    )+) => { $(
        $(#[doc = $doc])+
        #[utoipa::path(
            $method, path = concat!("/tenants/{tenantId}/dead-letters/redrives/{redriveId}", $suffix),
            operation_id = $tenants, tag = "Dead letters",
            responses((status = 200, description = "The redrive.", body = RedriveView), $problems),
        )]
        pub(in crate::http) async fn $of_tenant(
            State(state): State<HttpState>,
            scope: TenantScope,
            By(by): By,
            ResourceId(id): ResourceId,
        ) -> ApiResult<Json<RedriveView>> {
            let redrive = state.app().redriving.$call(Some(scope.id()), &id, &by).await?;
            Ok(Json(RedriveView::from(&redrive)))
        }

        $(#[doc = $doc])+
        #[utoipa::path(
            $method, path = concat!("/dead-letters/redrives/{redriveId}", $suffix),
            operation_id = $operators, tag = "Dead letters",
            responses((status = 200, description = "The redrive.", body = RedriveView), $problems),
        )]
        pub(in crate::http) async fn $of_all(
            State(state): State<HttpState>,
            _: Admin,
            By(by): By,
            ResourceId(id): ResourceId,
        ) -> ApiResult<Json<RedriveView>> {
            let redrive = state.app().redriving.$call(None, &id, &by).await?;
            Ok(Json(RedriveView::from(&redrive)))
        }
    )+ };
}

calls! {
    /// Pause a redrive
    ///
    /// It finishes what it does within a quarter of a second, and waits until it is resumed. Pausing twice is fine.
    post "/pause" pause: TurnProblems, pause "pauseRedrive", pause_any "pauseAnyRedrive";
    /// Resume a redrive
    ///
    /// Resuming twice is fine.
    post "/resume" resume: TurnProblems, resume "resumeRedrive", resume_any "resumeAnyRedrive";
    /// Cancel a redrive
    ///
    /// What it has sent again stays so. Cancelling twice is fine.
    post "/cancel" cancel: TurnProblems, cancel "cancelRedrive", cancel_any "cancelAnyRedrive";
}
