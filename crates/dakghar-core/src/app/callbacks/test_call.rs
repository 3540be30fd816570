//! Calls that show a tenant whether its receiver takes what it is sent.

use std::time::Duration;

use super::Callbacks;
use crate::app::failure::Failure;
use crate::domain::callback::CallEnd;
use crate::domain::endpoint::EndpointFormat;
use crate::domain::{Secret, TenantId};

/// Tells a receiver that nothing happened.
const TEST_HEADER: &str = "x-dakghar-test";
/// A webhook without entries, for receivers that expect those of Meta.
const META_BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;

/// The answer of a receiver to a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedCallback {
    /// How the call ended.
    pub end: CallEnd,
    /// The time that it took.
    pub took: Duration,
    /// The beginning of the answer, if it was not a success: at most
    /// [`FAILURE_BODY_BYTES_MAX`](crate::domain::callback::FAILURE_BODY_BYTES_MAX).
    pub answer: Option<String>,
}

impl Callbacks {
    /// Calls an endpoint once, in its format and signed, whatever its state, with an event that is marked as a test and
    /// stands in no feed. Changes nothing of how far the endpoint is and of its breaker.
    ///
    /// # Errors
    /// There is no such endpoint, or another of this tenant is being called on request in this process.
    pub async fn test(&self, tenant_id: &TenantId, id: &str) -> Result<TestedCallback, Failure> {
        let deps = &self.deps;
        let endpoint = deps.credentials.find(tenant_id, id).await?;
        let _turn = deps.credentials.turn(tenant_id)?;
        let opened = deps.open(&endpoint).await?;
        let (event_id, now) = (deps.ids.event_id().to_string(), deps.clock.now());
        let body = match endpoint.format {
            EndpointFormat::Standard => deps.bodies.test(tenant_id, &event_id, now),
            EndpointFormat::Meta => META_BODY.to_vec(),
        };
        let mut headers = opened.headers(&event_id, deps.clock.wall(), &body);
        headers.push((TEST_HEADER.to_owned(), Secret::new("true")));
        let answer = deps.post(&opened, headers, body).await;
        Ok(TestedCallback {
            end: answer.end,
            took: answer.took,
            answer: answer.failure_body,
        })
    }
}
