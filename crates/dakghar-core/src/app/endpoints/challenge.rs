//! Meta's challenge: a receiver that is to take what Meta would have posted shows first that it knows the verify token.
//!
//! It is put to the receiver before anything is stored: where an endpoint of the format `meta` has a verify token, and its URL
//! or this token is new.

use super::Endpoints;
use super::credentials::Sealed;
use super::new::EndpointChanges;
use crate::app::failure::Failure;
use crate::domain::endpoint::EndpointFormat;
use crate::domain::{Endpoint, ErrorCode, Problem, Secret, Tenant};
use crate::ports::{ReceiverQuery, ReceiverText};

/// The most of a wrong answer that is told, in characters.
const TOLD_MAX: usize = 80;

impl Endpoints {
    /// Puts the challenge to the receiver of a new endpoint.
    pub(super) async fn challenge_new(
        &self,
        tenant: &Tenant,
        format: EndpointFormat,
        settings: &EndpointChanges,
    ) -> Result<(), Failure> {
        let token = settings.verify_token.as_ref().and_then(Option::as_ref);
        match (format, &settings.url, token) {
            (EndpointFormat::Meta, Some(url), Some(token)) => self.challenge(tenant, url, token).await,
            _ => Ok(()),
        }
    }

    /// Puts the challenge to the receiver of an endpoint of which the URL or the verify token changes.
    pub(super) async fn challenge_changed(
        &self,
        tenant: &Tenant,
        endpoint: &Endpoint,
        changes: &EndpointChanges,
    ) -> Result<(), Failure> {
        let url = changes.url.as_ref().unwrap_or(&endpoint.url);
        if endpoint.format != EndpointFormat::Meta || (*url == endpoint.url && changes.verify_token.is_none()) {
            return Ok(());
        }
        let token = match (&changes.verify_token, &endpoint.sealed_verify_token) {
            (Some(token), _) => token.clone(),
            (None, Some(sealed)) => Some(self.open(tenant, &endpoint.id, Sealed::VerifyToken, sealed).await?),
            (None, None) => None,
        };
        match token {
            Some(token) => self.challenge(tenant, url, &token).await,
            None => Ok(()),
        }
    }

    async fn challenge(&self, tenant: &Tenant, url: &str, token: &Secret) -> Result<(), Failure> {
        let url = self.rules.parse(url).map_err(|fault| fault.problem("/url"))?;
        let _turn = self.turn(&tenant.id)?;
        let challenge = self.new_challenge();
        let query = ReceiverQuery {
            url,
            pairs: vec![
                ("hub.mode", Secret::new("subscribe")),
                ("hub.challenge", Secret::new(challenge.clone())),
                ("hub.verify_token", token.clone()),
            ],
            timeout: self.timeout,
        };
        let message = match self.ports.receivers.get(query).await {
            Ok(ReceiverText { status: 200, text }) if text == challenge => return Ok(()),
            Ok(ReceiverText { status, text }) => {
                let told: String = text.chars().take(TOLD_MAX).collect();
                format!(
                    "must answer Meta's challenge with 200 and the value of hub.challenge, not with {status} and {told:?}"
                )
            }
            Err(failure) => format!(
                "must answer Meta's challenge; there was no answer ({})",
                failure.as_str()
            ),
        };
        Err(Problem::field(ErrorCode::ChallengeFailed, "/url", message).into())
    }

    /// A text that nobody can guess.
    fn new_challenge(&self) -> String {
        hex::encode(self.ports.ids.secret_bytes())
    }
}
