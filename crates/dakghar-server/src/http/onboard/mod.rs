//! The page on which a tenant's customer connects a number, behind an onboarding link.
//!
//! The page is for people who have no key: the link lets them in, a cookie binds it to their browser, and a `state` in the page
//! shows that a request comes from it. Its content security policy lets it run its own script and Meta's, and nothing else.
//! Nothing secret is in it but the state, and no advice that is for operators.

mod assets;
mod browser;
mod calls;
mod page;
mod policy;
mod status;
mod texts;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use dakghar_core::app::OnboardingPage;
use dakghar_core::domain::signup::SignupState;
use dakghar_core::domain::{ErrorCode, Problem};

use self::browser::Browser;
use self::page::{Notice, Shown};
use self::texts::Texts;
use super::api::ApiResult;
use super::auth::ResourceId;
use super::client_addr::ClientAddr;
use super::problem::retry_after_of;
use super::state::HttpState;
use super::wrong_keys::Verdict;

pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/onboard/assets/page.css", get(assets::css))
        .route("/onboard/assets/page.js", get(assets::js))
        .route("/onboard/{secret}", get(show).post(calls::begin))
        .route("/onboard/{secret}/", get(unslashed))
        .route("/onboard/{secret}/retry", post(calls::retry))
        .route("/onboard/{secret}/report", post(calls::report))
        .route("/onboard/{secret}/status", get(calls::status))
}

/// Shows the page of a link, or says why it cannot be used.
async fn show(State(state): State<HttpState>, ResourceId(secret): ResourceId, uri: Uri, request: Request) -> ApiResult {
    let (head, _) = request.into_parts();
    let onboarding = &state.app().onboarding;
    let settings = onboarding.page().ok_or_else(no_page)?;
    let browser = Browser::of(&head.headers);
    let wanted = texts::wanted(uri.query(), &head.headers);
    let addr = ClientAddr::of(&head.extensions);
    let begun = state
        .wrong_keys()
        .begin_patiently(addr, &secret, None, state.app().uptime());
    let check = match begun.await {
        Ok(check) => check,
        Err(problem) => return Ok(busy(settings, Texts::of(wanted.language(None)), &problem)),
    };
    let found = onboarding.visit(&secret, browser.cookie()).await?;
    let Some(visit) = found else {
        check.settle(Verdict::Wrong);
        let texts = Texts::of(wanted.language(None));
        return Ok(notice(settings, texts, Notice::Unknown));
    };
    check.settle(Verdict::Tenants);
    let link = visit.signup.link.as_ref();
    let texts = Texts::of(wanted.language(link.and_then(|link| link.language)));
    let over = match visit.signup.state {
        // Whoever made it must make another one.
        SignupState::Invited if visit.config_id.is_none() => Some(Notice::Cancelled),
        SignupState::Invited => None,
        SignupState::Expired => Some(Notice::Expired),
        SignupState::Cancelled => Some(Notice::Cancelled),
        _ if visit.is_own => None,
        _ => Some(Notice::Used),
    };
    if let Some(over) = over {
        return Ok(notice(settings, texts, over));
    }
    let cookie = browser.cookie().map_or_else(|| onboarding.new_cookie(), str::to_owned);
    let shown = Shown {
        state: onboarding.state_for(&secret, &cookie),
        visit: &visit,
        settings,
        texts,
    };
    let mut response = html(settings, StatusCode::OK, shown.to_html());
    response
        .headers_mut()
        .insert(SET_COOKIE, browser::set_cookie(settings, &cookie));
    Ok(response)
}

/// Leads a link that somebody wrote with a slash behind it to its page. The way there is relative, because a proxy may have
/// taken off the beginning of the path, and nobody keeps it, because it is a secret.
async fn unslashed(State(state): State<HttpState>, uri: Uri) -> ApiResult {
    let settings = state.app().onboarding.page().ok_or_else(no_page)?;
    let secret = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let to = HeaderValue::try_from(format!("../{secret}{query}"));
    let mut response = html(settings, StatusCode::PERMANENT_REDIRECT, String::new());
    response
        .headers_mut()
        .insert(LOCATION, to.unwrap_or_else(|_| HeaderValue::from_static("..")));
    Ok(response)
}

fn no_page() -> Problem {
    Problem::new(ErrorCode::NotFound, "The onboarding page is not set up.")
}

fn busy(settings: &OnboardingPage, texts: &'static Texts, problem: &Problem) -> Response {
    let mut response = notice(settings, texts, Notice::Busy);
    if let Some(after) = retry_after_of(problem) {
        response.headers_mut().insert(RETRY_AFTER, after);
    }
    response
}

fn notice(settings: &OnboardingPage, texts: &'static Texts, notice: Notice) -> Response {
    html(settings, notice.status(), notice.to_html(texts))
}

fn html(settings: &OnboardingPage, status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    policy::apply(response.headers_mut(), settings);
    response
}
