//! An endpoint, ready to be called.

use std::collections::BTreeMap;

use crate::app::failure::Failure;
use crate::domain::callback_url::{CallbackRules, CallbackUrl};
use crate::domain::endpoint::{Endpoint, EndpointFormat};
use crate::domain::signatures::{StandardSecret, hub_signature, standard_headers};
use crate::domain::{Secret, Tenant, Timestamp};
use crate::vault::Vault;

/// The purpose for which headers are sealed.
pub(in crate::app) const HEADERS: &str = "endpoint_headers";
/// The purpose for which secrets are sealed.
pub(in crate::app) const SECRET: &str = "endpoint_secret";

/// The URL, the headers and the secrets of an endpoint, in clear.
pub(super) struct Opened {
    /// `None` if the rules do not allow it any more.
    pub(super) url: Option<CallbackUrl>,
    headers: Vec<(String, Secret)>,
    secrets: Vec<(Secret, Option<Timestamp>)>,
    format: EndpointFormat,
}

impl Opened {
    pub(super) async fn open(
        vault: &Vault,
        rules: &CallbackRules,
        tenant: &Tenant,
        endpoint: &Endpoint,
    ) -> Result<Self, Failure> {
        let key = &tenant.wrapped_data_key;
        let mut headers = Vec::new();
        if let Some(sealed) = &endpoint.sealed_headers {
            let opened = vault.open(&tenant.id, key, HEADERS, sealed).await?;
            let named: BTreeMap<String, String> = serde_json::from_str(opened.reveal()).unwrap_or_default();
            headers.extend(named.into_iter().map(|(name, value)| (name, Secret::new(value))));
        }
        let mut secrets = Vec::new();
        for secret in &endpoint.secrets {
            let opened = vault.open(&tenant.id, key, SECRET, &secret.sealed).await?;
            secrets.push((opened, secret.valid_until));
        }
        Ok(Self {
            url: rules.parse(&endpoint.url).ok(),
            headers,
            secrets,
            format: endpoint.format,
        })
    }

    /// The headers of a call at this time: the endpoint's own, and the signatures of the body.
    pub(super) fn headers(&self, id: &str, wall: Timestamp, body: &[u8]) -> Vec<(String, Secret)> {
        let mut headers = self.headers.clone();
        headers.push(("content-type".to_owned(), Secret::new("application/json")));
        let mut valid = self
            .secrets
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| wall < until));
        match self.format {
            EndpointFormat::Standard => {
                let secrets: Vec<_> = valid
                    .filter_map(|(secret, _)| StandardSecret::parse(secret).ok())
                    .collect();
                let signed = standard_headers(id, wall, body, &secrets);
                headers.extend(signed.map(|(name, value)| (name.to_owned(), Secret::new(value))));
            }
            EndpointFormat::Meta => {
                if let Some((secret, _)) = valid.next() {
                    let signature = hub_signature(body, secret);
                    headers.push((
                        crate::domain::signatures::HUB_SIGNATURE.to_owned(),
                        Secret::new(signature),
                    ));
                }
            }
        }
        headers
    }
}
