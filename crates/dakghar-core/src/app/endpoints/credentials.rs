//! What is sealed of an endpoint: its secrets, its headers and its verify token.

use zeroize::Zeroizing;

use super::Endpoints;
use crate::app::failure::Failure;
use crate::domain::endpoint::EndpointFormat;
use crate::domain::ids::EndpointId;
use crate::domain::signatures::StandardSecret;
use crate::domain::{Endpoint, Secret, Tenant, Timestamp};
use crate::vault::VaultError;

/// What an endpoint is called with, in clear.
#[derive(Clone, Debug)]
pub struct EndpointCredentials {
    /// The secrets that sign, the present one first.
    pub secrets: Vec<Secret>,
    /// The headers, in their order.
    pub headers: Vec<(String, Secret)>,
    /// What the challenge of the format `meta` names.
    pub verify_token: Option<Secret>,
}

/// What is sealed. It opens for no other endpoint, and as nothing else.
#[derive(Clone, Copy)]
pub(super) enum Sealed {
    Secret,
    Headers,
    VerifyToken,
    Creation,
}

impl Sealed {
    pub(super) fn purpose(self, id: &EndpointId) -> String {
        let what = match self {
            Self::Secret => "secret",
            Self::Headers => "headers",
            Self::VerifyToken => "verify_token",
            Self::Creation => "creation",
        };
        format!("endpoint/{id}/{what}")
    }
}

impl Endpoints {
    /// Opens what the endpoint is called with at this time. `tenant` is its tenant.
    pub async fn credentials(
        &self,
        tenant: &Tenant,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<EndpointCredentials, Failure> {
        let mut secrets = Vec::new();
        for secret in endpoint.valid_secrets(now) {
            secrets.push(self.open(tenant, &endpoint.id, Sealed::Secret, &secret.sealed).await?);
        }
        let mut headers = Vec::new();
        if let Some(sealed) = &endpoint.sealed_headers {
            let text = self.open(tenant, &endpoint.id, Sealed::Headers, sealed).await?;
            headers = headers_of(&text).ok_or(VaultError::Unreadable("the headers are none"))?;
        }
        let verify_token = match &endpoint.sealed_verify_token {
            Some(sealed) => Some(self.open(tenant, &endpoint.id, Sealed::VerifyToken, sealed).await?),
            None => None,
        };
        Ok(EndpointCredentials {
            secrets,
            headers,
            verify_token,
        })
    }

    pub(super) async fn seal(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        what: Sealed,
        secret: &Secret,
    ) -> Result<Vec<u8>, Failure> {
        let key = &tenant.wrapped_data_key;
        let purpose = what.purpose(id);
        Ok(self.ports.vault.seal(&tenant.id, key, &purpose, secret).await?)
    }

    pub(super) async fn seal_secret(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        secret: &Secret,
    ) -> Result<Vec<u8>, Failure> {
        self.seal(tenant, id, Sealed::Secret, secret).await
    }

    pub(super) async fn open(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        what: Sealed,
        sealed: &[u8],
    ) -> Result<Secret, Failure> {
        let key = &tenant.wrapped_data_key;
        let purpose = what.purpose(id);
        Ok(self.ports.vault.open(&tenant.id, key, &purpose, sealed).await?)
    }

    /// Makes up a secret for calls of this format.
    pub(super) fn new_secret(&self, format: EndpointFormat) -> Secret {
        let bytes = Zeroizing::new(self.ports.ids.secret_bytes());
        match format {
            EndpointFormat::Standard => StandardSecret::text_of(&*bytes),
            EndpointFormat::Meta => Secret::new(hex::encode(&bytes[..16])),
        }
    }
}

/// The headers as one text.
pub(super) fn headers_text(headers: &[(String, Secret)]) -> Secret {
    let pairs: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    Secret::new(serde_json::to_string(&pairs).expect("plain data"))
}

fn headers_of(text: &Secret) -> Option<Vec<(String, Secret)>> {
    let pairs: Vec<(String, Zeroizing<String>)> = serde_json::from_str::<Vec<(String, String)>>(text.reveal())
        .ok()?
        .into_iter()
        .map(|(name, value)| (name, Zeroizing::new(value)))
        .collect();
    Some(
        pairs
            .into_iter()
            .map(|(name, value)| (name, Secret::new(&**value)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        let headers = [("Authorization", "Bearer \"x\\"), ("X-A", "a\tb")];
        let given: Vec<_> = headers
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into();
        let read = headers_of(&headers_text(&given)).expect("headers");
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, value.reveal())).collect();
        assert_eq!(read, headers);
        assert!(headers_of(&Secret::new("{}")).is_none());
    }
}
