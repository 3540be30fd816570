//! AWS KMS, by moto. It disables no keys, so what AWS answers then comes from a server of our own.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Credentials;
use aws_sdk_kms::primitives::Blob;
use dakghar_adapters::keys::{AwsKeys, AwsName, ServiceName};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::ports::{DataKey, KeyError, KeyService};
use dakghar_core::vault::wrapped;
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::Moto;

use super::canned::Canned;
use super::{Remote, World, data_key, keeps_its_promises, keeps_the_promises_of_a_remote, of, tenant};

struct Aws {
    server: Moto,
    way: FaultProxy,
    disabled: Canned,
    settings: SdkConfig,
    name: AwsName,
    keys: Arc<AwsKeys>,
}

async fn settings(port: u16) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(Credentials::new("it", "it-secret", None, None, "it"))
        .load()
        .await
}

fn name(arn: &str) -> AwsName {
    let Ok(ServiceName::Aws(name)) = ServiceName::parse(&format!("aws:{arn}")) else {
        panic!("{arn} names a key");
    };
    name
}

impl Aws {
    async fn start() -> Self {
        let server = Moto::start().await;
        let way = FaultProxy::start(server.port()).await;
        let settings = settings(way.port()).await;
        let name = name(&server.new_key().await);
        let disabled = r#"{"__type": "DisabledException", "message": "the key is disabled."}"#;
        Self {
            disabled: Canned::start(400, disabled).await,
            keys: Arc::new(AwsKeys::with(name.clone(), &settings)),
            server,
            way,
            settings,
            name,
        }
    }

    fn lead_to(&self, port: u16) {
        self.way.lead_to(port);
        self.way.cut();
    }
}

#[async_trait]
impl World for Aws {
    fn service(&self) -> Arc<dyn KeyService> {
        self.keys.clone()
    }

    async fn wrapped_for_another_purpose(&self, data_key: &DataKey, owner: &TenantId) -> Vec<u8> {
        let call = Client::new(&self.settings)
            .encrypt()
            .key_id(self.name.arn())
            .plaintext(Blob::new(data_key.as_bytes().to_vec()))
            .encryption_context("dakghar:owner", owner.to_string())
            .encryption_context("dakghar:purpose", "another");
        let answer = call.send().await.expect("it encrypts");
        wrapped::by_service(&self.keys.key_id(), answer.ciphertext_blob().expect("wrapped").as_ref())
    }
}

#[async_trait]
impl Remote for Aws {
    async fn refuse(&self) {
        self.lead_to(self.disabled.0);
    }

    async fn allow(&self) {
        self.lead_to(self.server.port());
    }

    async fn go_away(&self) {
        self.way.refuse().await;
    }

    fn hang(&self) {
        self.way.blackhole();
    }

    async fn come_back(&self) {
        self.way.heal().await;
    }
}

keeps_its_promises!(Aws::start().await, ignore = "needs moto: make test-kms");
keeps_the_promises_of_a_remote!(Aws::start().await, ignore = "needs moto: make test-kms");

/// The errors of AWS that decide about a data key for good, about a refusal and about an outage.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the feature kms-aws: make test-kms"]
async fn the_errors_of_aws_are_told_apart() {
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    let cases = [
        (
            400,
            r#"{"__type": "InvalidCiphertextException"}"#,
            "cannot be unwrapped",
        ),
        (
            400,
            r#"{"__type": "IncorrectKeyException", "message": "x"}"#,
            "cannot be unwrapped",
        ),
        (
            400,
            r#"{"__type": "AccessDeniedException", "Message": "not authorized"}"#,
            "refuses: HTTP 400 AccessDeniedException: not authorized",
        ),
        (
            400,
            r#"{"__type": "NotFoundException", "message": "no key"}"#,
            "refuses",
        ),
        (
            400,
            r#"{"__type": "KMSInvalidStateException", "message": "pending deletion"}"#,
            "refuses",
        ),
        (
            400,
            r#"{"__type": "UnrecognizedClientException", "message": "token"}"#,
            "refuses",
        ),
        (
            400,
            r#"{"__type": "ThrottlingException", "message": "rate"}"#,
            "not available",
        ),
        (
            400,
            r#"{"__type": "LimitExceededException", "message": "x"}"#,
            "not available",
        ),
        (
            400,
            r#"{"__type": "KeyUnavailableException", "message": "x"}"#,
            "not available",
        ),
        (
            500,
            r#"{"__type": "KMSInternalException", "message": "x"}"#,
            "not available",
        ),
        (503, "<html>busy</html>", "not available"),
        (200, "{}", "wrong length"),
        (200, "no json", "not available"),
    ];
    for (status, body, expected) in cases {
        let server = Canned::start(status, body).await;
        let keys = AwsKeys::with(name(arn), &settings(server.0).await);
        let form = wrapped::by_service(&keys.key_id(), b"wrapped");
        let error = keys.unwrap(&form, of(&tenant(1))).await.expect_err(body);
        assert!(error.to_string().contains(expected), "{status} {body}: {error}");
        let error = keys.wrap(&data_key(), of(&tenant(1))).await.expect_err(body);
        assert!(
            !matches!(error, KeyError::Unreadable(_)) || expected.contains("unwrapped"),
            "{body}: {error}"
        );
    }
}
