//! What a tenant may still ask now, in the headers of its answers: `RateLimit` and `RateLimit-Policy`, as the
//! IETF drafts them.

use std::sync::{Arc, OnceLock};

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use dakghar_core::app::RequestAllowance;
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::{ErrorCode, Problem};

use super::state::HttpState;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Where the edge finds the allowance that was looked up behind it; an extension of the request.
#[derive(Clone, Default)]
pub(super) struct AllowanceSlot(Arc<OnceLock<RequestAllowance>>);

impl AllowanceSlot {
    /// Adds the headers of a tenant with a limit.
    pub(super) fn show(&self, headers: &mut HeaderMap) {
        let Some(allowance) = self.0.get() else { return };
        let seconds = allowance.resets_in.as_millis().div_ceil(1000);
        for (name, text) in [
            (
                RATE_LIMIT_POLICY,
                format!("\"requests\";q={};w=1", allowance.per_second),
            ),
            (
                RATE_LIMIT,
                format!("\"requests\";r={};t={seconds}", allowance.remaining),
            ),
        ] {
            headers.insert(name, HeaderValue::try_from(text).expect("letters and digits"));
        }
    }
}

/// Counts a request with the tenant's key. Fails with `429 rate_limited` if it is one too many in a second.
pub(super) async fn admit(state: &HttpState, tenant: &SharedTenant, extensions: &Extensions) -> Result<(), Problem> {
    let Some(allowance) = state.app().requests.admit(tenant).await else {
        return Ok(());
    };
    if let Some(slot) = extensions.get::<AllowanceSlot>() {
        // Nobody else has set it: a request names one tenant.
        let _ = slot.0.set(allowance);
    }
    if !allowance.is_refused {
        return Ok(());
    }
    let detail = format!("The tenant may make {} requests a second.", allowance.per_second);
    Err(Problem::new(ErrorCode::RateLimited, detail).retry_after(allowance.resets_in))
}
