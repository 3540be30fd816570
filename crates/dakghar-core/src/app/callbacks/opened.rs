//! An endpoint, ready to be called.

use crate::app::endpoints::{EndpointCredentials, Endpoints};
use crate::app::failure::Failure;
use crate::domain::callback_url::{CallbackRules, CallbackUrl};
use crate::domain::endpoint::{Endpoint, EndpointFormat};
use crate::domain::signatures::{HUB_SIGNATURE, StandardSecret, hub_signature, standard_headers};
use crate::domain::{Secret, Tenant, Timestamp};

/// The URL, the headers and the secrets of an endpoint, in clear.
pub(super) struct Opened {
    /// `None` if the rules do not allow it any more.
    pub(super) url: Option<CallbackUrl>,
    format: EndpointFormat,
    credentials: EndpointCredentials,
    standard_secrets: Vec<StandardSecret>,
    /// When one of the secrets signs no more.
    pub(super) until: Option<Timestamp>,
}

impl Opened {
    pub(super) async fn open(
        endpoints: &Endpoints,
        rules: &CallbackRules,
        tenant: &Tenant,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let credentials = endpoints.credentials(tenant, endpoint, now).await?;
        let secrets = credentials.secrets.iter();
        Ok(Self {
            url: rules.parse(&endpoint.url).ok(),
            format: endpoint.format,
            standard_secrets: secrets
                .filter_map(|secret| StandardSecret::parse(secret).ok())
                .collect(),
            credentials,
            until: endpoint
                .valid_secrets(now)
                .filter_map(|secret| secret.valid_until)
                .min(),
        })
    }

    /// The headers of a call at this time: the endpoint's own, and the signatures of the body.
    pub(super) fn headers(&self, id: &str, wall: Timestamp, body: &[u8]) -> Vec<(String, Secret)> {
        let mut headers = self.credentials.headers.clone();
        headers.push(("content-type".to_owned(), Secret::new("application/json")));
        match self.format {
            EndpointFormat::Standard => {
                let signed = standard_headers(id, wall, body, &self.standard_secrets);
                headers.extend(signed.map(|(name, value)| (name.to_owned(), Secret::new(value))));
            }
            EndpointFormat::Meta => {
                let present = self.credentials.secrets.first();
                let signature = present.map(|secret| Secret::new(hub_signature(body, secret)));
                headers.extend(signature.map(|signature| (HUB_SIGNATURE.to_owned(), signature)));
            }
        }
        headers
    }
}
