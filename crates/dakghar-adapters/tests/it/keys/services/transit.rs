//! The transit engine of a real OpenBao.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_adapters::keys::{Login, ServiceName, TransitConfig, TransitKeys};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{DataKey, KeyService};
use dakghar_core::vault::wrapped;
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::OpenBao;
use serde_json::json;

use super::{Remote, World, keeps_its_promises, keeps_the_promises_of_a_remote};

struct Transit {
    server: OpenBao,
    way: FaultProxy,
    keys: Arc<TransitKeys>,
}

async fn set_rights(server: &OpenBao, rights: &str) {
    let policy = format!(r#"path "transit/+/dakghar" {{ capabilities = ["{rights}"] }}"#);
    let policy = json!({"policy": policy});
    server.post("sys/policies/acl/dakghar", &policy).await;
}

impl Transit {
    async fn start() -> Self {
        let server = OpenBao::start().await;
        let port = server.url().rsplit(':').next().and_then(|port| port.parse().ok());
        let way = FaultProxy::start(port.unwrap()).await;
        set_rights(&server, "update").await;
        let token = json!({"policies": ["dakghar"], "ttl": "1h"});
        let token = server.post("auth/token/create", &token).await;
        let name = format!("vault:http://127.0.0.1:{}/transit/dakghar", way.port());
        let Ok(ServiceName::Transit(name)) = ServiceName::parse(&name) else {
            panic!("{name} names a key");
        };
        let config = TransitConfig {
            name,
            namespace: None,
            login: Login::Token(Secret::new(token["auth"]["client_token"].as_str().unwrap())),
            login_mount: None,
            authorities_pem: None,
        };
        Self {
            keys: Arc::new(TransitKeys::new(config).unwrap()),
            server,
            way,
        }
    }
}

#[async_trait]
impl World for Transit {
    fn service(&self) -> Arc<dyn KeyService> {
        self.keys.clone()
    }

    async fn wrapped_for_another_purpose(&self, data_key: &DataKey, owner: &TenantId) -> Vec<u8> {
        let bound = format!("dakghar/another/{owner}");
        let body = json!({
            "plaintext": STANDARD.encode(data_key.as_bytes()), "associated_data": STANDARD.encode(bound),
        });
        let answer = self.server.post("transit/encrypt/dakghar", &body).await;
        let ciphertext = answer["data"]["ciphertext"].as_str().expect("it encrypts");
        wrapped::by_service(&self.keys.key_id(), ciphertext.as_bytes())
    }
}

#[async_trait]
impl Remote for Transit {
    async fn refuse(&self) {
        set_rights(&self.server, "deny").await;
    }

    async fn allow(&self) {
        set_rights(&self.server, "update").await;
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

keeps_its_promises!(Transit::start().await, ignore = "needs OpenBao: make test-kms");
keeps_the_promises_of_a_remote!(Transit::start().await, ignore = "needs OpenBao: make test-kms");
