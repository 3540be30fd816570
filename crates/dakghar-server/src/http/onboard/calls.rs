//! The requests of the page: to begin with a code, to go on, to tell of the dialog, and how far it is.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use dakghar_core::app::{DialogReport, NewNumberSignup, SignupRetry, Visit, Visitor};
use dakghar_core::domain::signup::SignupState;
use dakghar_core::domain::{ErrorCode, Problem, Secret};

use super::browser::Browser;
use super::status::StatusView;
use crate::http::api::ApiResult;
use crate::http::auth::ResourceId;
use crate::http::body;
use crate::http::client_addr::ClientAddr;
use crate::http::fields::Fields;
use crate::http::problem::ApiError;
use crate::http::request_id::RequestId;
use crate::http::state::HttpState;
use crate::http::wrong_keys::Verdict;

/// The most bytes of what a page sends: a code has some 400.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// A request of a page, whose link is known.
struct Call {
    head: Parts,
    body: Vec<u8>,
    browser: Browser,
    secret: String,
}

impl Call {
    /// Reads a request whose link exists.
    async fn of(state: &HttpState, secret: String, request: Request) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let browser = Browser::of(&head.headers);
        let visit = visit(state, &secret, &browser, &head).await?;
        let owner = (state, Some(visit.signup.tenant_id));
        let body = body::read_small_json(&head.headers, body, BODY_BYTES_MAX, owner)
            .await?
            .to_vec();
        Ok(Self {
            head,
            body,
            browser,
            secret,
        })
    }

    /// The browser that asks, with the state that its page has.
    fn visitor<'a>(&'a self, state: &'a str) -> Visitor<'a> {
        Visitor {
            secret: &self.secret,
            cookie: self.browser.cookie().unwrap_or_default(),
            state,
            address: ClientAddr::exact(&self.head.extensions),
            request_id: RequestId::of(&self.head.extensions),
        }
    }
}

/// Looks at the link. Whoever asks for many that do not exist must wait.
async fn visit(state: &HttpState, secret: &str, browser: &Browser, head: &Parts) -> Result<Visit, ApiError> {
    let addr = ClientAddr::of(&head.extensions);
    let begun = state
        .wrong_keys()
        .begin_patiently(addr, secret, None, state.app().uptime());
    let check = begun.await?;
    match state.app().onboarding.visit(secret, browser.cookie()).await? {
        Some(visit) => {
            check.settle(Verdict::Tenants);
            Ok(visit)
        }
        None => {
            check.settle(Verdict::Wrong);
            Err(Problem::new(ErrorCode::LinkNotFound, "No link is like this.").into())
        }
    }
}

/// Begins with a code of Meta's dialog.
pub(super) async fn begin(
    State(state): State<HttpState>,
    ResourceId(secret): ResourceId,
    request: Request,
) -> ApiResult<(StatusCode, Json<StatusView>)> {
    let call = Call::of(&state, secret, request).await?;
    let mut fields = Fields::parse(&call.body)?;
    let of_page = fields.required_text("state", ErrorCode::InvalidField);
    let code = Secret::new(fields.required_text("code", ErrorCode::InvalidField));
    let new = NewNumberSignup {
        code,
        app_id: None,
        waba_id: fields.text("wabaId", ErrorCode::InvalidField),
        phone_number_id: fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
        pin: None,
        event: fields.text("event", ErrorCode::InvalidField),
    };
    fields.finish()?;
    let signup = state
        .app()
        .onboarding
        .begin_by_link(&call.visitor(&of_page), &new)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(StatusView::from(&signup))))
}

/// Goes on with what the customer brings.
pub(super) async fn retry(
    State(state): State<HttpState>,
    ResourceId(secret): ResourceId,
    request: Request,
) -> ApiResult<Json<StatusView>> {
    let call = Call::of(&state, secret, request).await?;
    let mut fields = Fields::parse(&call.body)?;
    let of_page = fields.required_text("state", ErrorCode::InvalidField);
    let retry = SignupRetry {
        code: fields.secret("code", ErrorCode::InvalidField),
        waba_id: fields.text("wabaId", ErrorCode::InvalidField),
        phone_number_id: fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
        pin: fields.secret("pin", ErrorCode::InvalidField),
        event: fields.text("event", ErrorCode::InvalidField),
    };
    fields.finish()?;
    let signup = state
        .app()
        .onboarding
        .retry_by_link(&call.visitor(&of_page), retry)
        .await?;
    Ok(Json(StatusView::from(&signup)))
}

#[derive(Clone, Copy)]
enum Event {
    Abandoned,
    Error,
    Blocked,
}

impl Event {
    const ALL: [Self; 3] = [Self::Abandoned, Self::Error, Self::Blocked];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Error => "error",
            Self::Blocked => "blocked",
        }
    }
}

/// Keeps what the dialog came to, when it gave no code.
pub(super) async fn report(
    State(state): State<HttpState>,
    ResourceId(secret): ResourceId,
    request: Request,
) -> ApiResult<StatusCode> {
    let call = Call::of(&state, secret, request).await?;
    let mut fields = Fields::parse(&call.body)?;
    let of_page = fields.required_text("state", ErrorCode::InvalidField);
    let is_named = fields.has("event");
    let event = fields.one_of("event", &Event::ALL, Event::as_str);
    let step = fields.text("currentStep", ErrorCode::InvalidField);
    let code = fields.text("errorCode", ErrorCode::InvalidField);
    let message = fields.text("errorMessage", ErrorCode::InvalidField);
    if !is_named {
        fields.refuse(ErrorCode::InvalidField, "event", "is required");
    }
    fields.finish()?;
    let report = match event {
        Some(Event::Error) => DialogReport::Error(code, message),
        Some(Event::Blocked) => DialogReport::Blocked,
        Some(Event::Abandoned) | None => DialogReport::Abandoned(step),
    };
    state
        .app()
        .onboarding
        .report_by_link(&call.visitor(&of_page), &report)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says how far it is, to the browser that has used the link, or to any while nobody has.
pub(super) async fn status(
    State(state): State<HttpState>,
    ResourceId(secret): ResourceId,
    request: Request,
) -> ApiResult<Json<StatusView>> {
    let (head, _) = request.into_parts();
    let browser = Browser::of(&head.headers);
    let visit = visit(&state, &secret, &browser, &head).await?;
    let is_open = visit.signup.state == SignupState::Invited;
    if !visit.is_own && !is_open {
        let detail = "It was used, or its time is over, or it was taken back. Ask for a new one.";
        return Err(Problem::new(ErrorCode::LinkOver, detail).into());
    }
    Ok(Json(StatusView::from(&visit.signup)))
}
