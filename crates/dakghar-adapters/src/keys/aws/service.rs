//! The calls of AWS KMS.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Builder, Region};
use aws_sdk_kms::primitives::Blob;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};
use dakghar_core::vault::wrapped;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::AwsName;
use super::errors::sorted;
use crate::keys::data_key;

/// The longest that a request may take. A batch of messages may wait for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The same where this process must first learn who it is.
const CALL_TIMEOUT_WITH_LOGIN: Duration = Duration::from_secs(5);
/// The time that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The entries of the encryption context. CloudTrail shows them: ids, and nothing of a person.
const OWNER: &str = "dakghar:owner";
const PURPOSE: &str = "dakghar:purpose";
const DATA_KEY: &str = "data_key";

/// Wraps data keys under a key of AWS KMS.
pub struct AwsKeys {
    name: AwsName,
    id: KeyId,
    client: OnceCell<Client>,
}

impl AwsKeys {
    /// A key service over this key. Reads the settings of AWS and connects when first used.
    pub fn new(name: AwsName) -> Self {
        Self {
            id: name.id(),
            client: OnceCell::new(),
            name,
        }
    }

    /// The same by settings of AWS that were read already.
    pub fn with(name: AwsName, settings: &SdkConfig) -> Self {
        let client = client(&name, settings);
        Self {
            id: name.id(),
            client: OnceCell::new_with(Some(client)),
            name,
        }
    }

    async fn client(&self) -> &Client {
        let make = async || {
            let region = Region::new(self.name.region().to_owned());
            let settings = aws_config::defaults(BehaviorVersion::latest()).region(region);
            client(&self.name, &settings.load().await)
        };
        self.client.get_or_init(make).await
    }
}

fn client(name: &AwsName, settings: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT_WITH_LOGIN)
        .build();
    let settings = Builder::from(settings)
        .region(Region::new(name.region().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    Client::from_conf(settings.build())
}

#[async_trait]
impl KeyService for AwsKeys {
    fn key_id(&self) -> KeyId {
        self.id.clone()
    }

    fn key_id_of(&self, form: &[u8]) -> Result<KeyId, KeyError> {
        wrapped::key_id_of(form)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        let call = self
            .client()
            .await
            .encrypt()
            .key_id(self.name.arn())
            .plaintext(Blob::new(data_key.as_bytes().to_vec()))
            .encryption_context(OWNER, context.owner.to_string())
            .encryption_context(PURPOSE, DATA_KEY);
        let answer = call.send().await.map_err(|error| sorted(&error))?;
        let wrapped = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        if wrapped.is_empty() {
            return Err(KeyError::Unavailable("the answer is not understood".into()));
        }
        Ok(wrapped::by_service(&self.id, &wrapped))
    }

    async fn unwrap(&self, form: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let wrapped = wrapped::under(&self.id, form)?;
        let call = self
            .client()
            .await
            .decrypt()
            .key_id(self.name.arn())
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(OWNER, context.owner.to_string())
            .encryption_context(PURPOSE, DATA_KEY);
        let answer = call.send().await.map_err(|error| sorted(&error))?;
        let plain = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        data_key::of(&plain)
    }
}
