//! The calls of Cloud KMS.

use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};
use dakghar_core::vault::wrapped;
use google_cloud_auth::credentials::Credentials;
use google_cloud_kms_v1::client::KeyManagementService;
use google_cloud_kms_v1::model::{DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse};
use google_cloud_kms_v1::{Error, Result as GcpResult};
use parking_lot::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::errors::sorted;
use super::{GcpConfig, crc32c};
use crate::keys::{causes, data_key};

/// The longest that a request may take. A batch of messages may wait for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The same where this process must first learn who it is.
const CALL_TIMEOUT_WITH_LOGIN: Duration = Duration::from_secs(5);

/// The purpose that is bound to a data key besides its owner.
const PURPOSE: &str = "dakghar/data_key/";

const DAMAGED: &str = "the answer was damaged on the way";

/// Wraps data keys under a key of Cloud KMS.
pub struct GcpKeys {
    config: GcpConfig,
    id: KeyId,
    /// Given, or else found by the chain of Google.
    credentials: Option<Credentials>,
    /// Made when first used, and again when who this process is was refused: the client would not look anew by itself.
    client: Mutex<Option<KeyManagementService>>,
}

impl GcpKeys {
    /// A key service over this key. Looks for credentials and connects when first used.
    pub fn new(config: GcpConfig) -> Self {
        Self {
            id: config.id(),
            config,
            credentials: None,
            client: Mutex::default(),
        }
    }

    /// The same by credentials that were found already.
    pub fn with(config: GcpConfig, credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            ..Self::new(config)
        }
    }

    async fn client(&self) -> Result<KeyManagementService, KeyError> {
        if let Some(client) = &*self.client.lock() {
            return Ok(client.clone());
        }
        let mut client = KeyManagementService::builder().with_attempt_timeout(CALL_TIMEOUT);
        if let Some(endpoint) = &self.config.endpoint {
            client = client.with_endpoint(endpoint.address());
        }
        if let Some(credentials) = &self.credentials {
            client = client.with_credentials(credentials.clone());
        }
        let made = client.build().await;
        let made = made.map_err(|error| KeyError::Unavailable(causes::of("no client", &error)))?;
        *self.client.lock() = Some(made.clone());
        Ok(made)
    }

    /// Waits for an answer, the login included.
    async fn ask<T>(&self, is_opening: bool, call: impl Future<Output = GcpResult<T>> + Send) -> Result<T, KeyError> {
        let late = |_| KeyError::Unavailable("no answer in time".into());
        let answer = timeout(CALL_TIMEOUT_WITH_LOGIN, call).await.map_err(late)?;
        answer.map_err(|error| {
            if is_about_login(&error) {
                *self.client.lock() = None;
            }
            sorted(&error, is_opening)
        })
    }
}

fn is_about_login(error: &Error) -> bool {
    let is_refused = error
        .status()
        .is_some_and(|status| status.code.name() == "UNAUTHENTICATED");
    error.is_authentication() || is_refused
}

fn bound(context: KeyContext<'_>) -> Vec<u8> {
    format!("{PURPOSE}{}", context.owner).into_bytes()
}

/// True if the data key that was wrapped is the one that was sent, and arrived as it was wrapped.
fn is_whole(answer: &EncryptResponse) -> bool {
    answer.verified_plaintext_crc32c
        && answer.verified_additional_authenticated_data_crc32c
        && !answer.ciphertext.is_empty()
        && answer.ciphertext_crc32c == Some(crc32c::of(&answer.ciphertext))
}

/// The plain text that arrived, which is wiped when it is dropped.
fn plain(answer: DecryptResponse) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let plain = Zeroizing::new(Vec::from(answer.plaintext));
    if answer.plaintext_crc32c != Some(crc32c::of(&plain)) {
        return Err(KeyError::Unavailable(DAMAGED.into()));
    }
    Ok(plain)
}

#[async_trait]
impl KeyService for GcpKeys {
    fn key_id(&self) -> KeyId {
        self.id.clone()
    }

    fn key_id_of(&self, form: &[u8]) -> Result<KeyId, KeyError> {
        wrapped::key_id_of(form)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        let bound = bound(context);
        let request = EncryptRequest::new()
            .set_name(self.config.name.resource())
            .set_plaintext_crc32c(crc32c::of(data_key.as_bytes()))
            .set_plaintext(data_key.as_bytes().to_vec())
            .set_additional_authenticated_data_crc32c(crc32c::of(&bound))
            .set_additional_authenticated_data(bound);
        let client = self.client().await?;
        let answer = self.ask(false, client.encrypt().with_request(request).send()).await?;
        if !is_whole(&answer) {
            return Err(KeyError::Unavailable(DAMAGED.into()));
        }
        Ok(wrapped::by_service(&self.id, &answer.ciphertext))
    }

    async fn unwrap(&self, form: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let wrapped = wrapped::under(&self.id, form)?;
        let bound = bound(context);
        let request = DecryptRequest::new()
            .set_name(self.config.name.resource())
            .set_ciphertext_crc32c(crc32c::of(wrapped))
            .set_ciphertext(wrapped.to_vec())
            .set_additional_authenticated_data_crc32c(crc32c::of(&bound))
            .set_additional_authenticated_data(bound);
        let client = self.client().await?;
        let answer = self.ask(true, client.decrypt().with_request(request).send()).await?;
        data_key::of(&plain(answer)?)
    }
}
