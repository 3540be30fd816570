//! Onboarding links: a tenant's customer opens one, and connects a number on a page of Dakghar's own.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use dakghar_core::app::NewLink;
use dakghar_core::domain::signup::Language;
use dakghar_core::domain::{ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::OnboardingLinkView;

/// The link that is asked for; all of it may be absent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct CreateOnboardingLink {
    /// Its life in seconds: 300 to 2,592,000 (30 days). When absent 7 days.
    #[schema(minimum = 300, maximum = 2_592_000, example = 604_800)]
    expires_in_seconds: Option<u32>,
    /// Where the page leads back to when the number is connected, with `signupId` and `state` added to its query: https, or http
    /// for localhost, at most 2,048 bytes.
    #[schema(example = "https://shop.example.com/whatsapp")]
    return_url: Option<String>,
    /// The language of the page, `en` or `bn`. When absent that of the browser.
    #[schema(example = "bn")]
    language: Option<String>,
    /// The app that the dialog runs with, which must have a login configuration of its own. When absent that of the settings, if
    /// it has one, or else the only app that has.
    app_id: Option<String>,
}

impl CreateOnboardingLink {
    fn read(body: &[u8]) -> Result<NewLink, Problem> {
        let mut fields = Fields::parse(body)?;
        let new = NewLink {
            expires_in: fields
                .whole_number("expiresInSeconds")
                .map(|seconds| Duration::from_secs(seconds.into())),
            return_url: fields.text("returnUrl", ErrorCode::InvalidUrl),
            language: fields.one_of("language", &Language::ALL, Language::as_str),
            app_id: fields.text("appId", ErrorCode::InvalidField),
        };
        fields.finish()?;
        Ok(new)
    }
}

problems!(CreateProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::AppNotFound,
    ErrorCode::TooManyLinks,
    ErrorCode::TenantLeaving,
    ErrorCode::OnboardingPageOff,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidUrl,
    ErrorCode::HttpsRequired,
]);

/// Make an onboarding link
///
/// Whoever opens it in a browser connects a number of theirs to the tenant, on a page of Dakghar's own: it runs Meta's dialog, begins
/// a signup with the code, and shows how it goes. It can be used once, and the browser that has used it is the only one that it
/// answers then. The body may be left out.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/onboarding-links", operation_id = "createOnboardingLink", tag = "Phone numbers",
    request_body(content = Option<CreateOnboardingLink>, example = json!({"returnUrl": "https://shop.example.com/whatsapp"})),
    responses((status = 201, description = "The link.", body = OnboardingLinkView), CreateProblems),
)]
pub(in crate::http) async fn create(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<OnboardingLinkView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_optional_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let new = if body.is_empty() {
        NewLink::default()
    } else {
        CreateOnboardingLink::read(&body)?
    };
    let (signup, url) = state.app().onboarding.invite(scope.id(), new, &by).await?;
    Ok((StatusCode::CREATED, Json(OnboardingLinkView::new(&signup, &url))))
}
