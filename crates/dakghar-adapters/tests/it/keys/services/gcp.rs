//! Cloud KMS of GCP, by a server of our own: there is no other that could be run here.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_adapters::keys::{GcpConfig, GcpEndpoint, GcpKeys, GcpName};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::ports::{DataKey, KeyError, KeyService};
use dakghar_core::vault::wrapped;
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::gcp_kms::{GcpKms, GcpMood};
use google_cloud_auth::credentials::user_account;

use super::{Remote, World, data_key, keeps_its_promises, keeps_the_promises_of_a_remote, of, tenant};

struct Gcp {
    server: GcpKms,
    way: FaultProxy,
    keys: Arc<GcpKeys>,
}

impl Gcp {
    async fn start() -> Self {
        let server = GcpKms::start().await;
        let way = FaultProxy::start(server.port()).await;
        let config = GcpConfig {
            name: GcpName::parse(server.key()).expect("it names a key"),
            endpoint: GcpEndpoint::parse(&format!("http://127.0.0.1:{}", way.port())).ok(),
        };
        let file = serde_json::from_str(&server.credentials()).expect("JSON");
        let credentials = user_account::Builder::new(file).build().expect("credentials");
        Self {
            keys: Arc::new(GcpKeys::with(config, credentials)),
            server,
            way,
        }
    }
}

#[async_trait]
impl World for Gcp {
    fn service(&self) -> Arc<dyn KeyService> {
        self.keys.clone()
    }

    async fn wrapped_for_another_purpose(&self, data_key: &DataKey, owner: &TenantId) -> Vec<u8> {
        let bound = format!("dakghar/another/{owner}");
        wrapped::by_service(
            &self.keys.key_id(),
            &self.server.wrap(bound.as_bytes(), data_key.as_bytes()),
        )
    }
}

#[async_trait]
impl Remote for Gcp {
    async fn refuse(&self) {
        self.server.set_mood(GcpMood::Disabled);
    }

    async fn allow(&self) {
        self.server.set_mood(GcpMood::Well);
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

keeps_its_promises!(Gcp::start().await, ignore = "needs the feature kms-gcp: make test-kms");
keeps_the_promises_of_a_remote!(Gcp::start().await, ignore = "needs the feature kms-gcp: make test-kms");

/// Bytes that were damaged on the way are asked for again, and no data key is given up for them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the feature kms-gcp: make test-kms"]
async fn what_was_damaged_on_the_way_is_an_outage() {
    let world = Gcp::start().await;
    let id = tenant(1);
    let form = world.keys.wrap(&data_key(), of(&id)).await.unwrap();
    for mood in [GcpMood::DamagesAnswers, GcpMood::DamagesRequests, GcpMood::Unverified] {
        world.server.set_mood(mood);
        let wrapped = world.keys.wrap(&data_key(), of(&id)).await;
        assert!(
            matches!(wrapped, Err(KeyError::Unavailable(_))),
            "{mood:?}: {wrapped:?}"
        );
        if mood != GcpMood::Unverified {
            let opened = world.keys.unwrap(&form, of(&id)).await;
            assert!(matches!(opened, Err(KeyError::Unavailable(_))), "{mood:?}: {opened:?}");
        }
    }
    world.server.set_mood(GcpMood::Well);
    assert_eq!(world.keys.unwrap(&form, of(&id)).await.unwrap().as_bytes(), &[7; 32]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the feature kms-gcp: make test-kms"]
async fn the_errors_of_gcp_are_told_apart() {
    let world = Gcp::start().await;
    let id = tenant(1);
    let form = world.keys.wrap(&data_key(), of(&id)).await.unwrap();
    for (mood, expected) in [
        (
            GcpMood::Disabled,
            "refuses: FAILED_PRECONDITION: The key is not enabled",
        ),
        (GcpMood::Denied, "refuses: PERMISSION_DENIED"),
        (GcpMood::Throttled, "not available: RESOURCE_EXHAUSTED"),
    ] {
        world.server.set_mood(mood);
        let error = world.keys.unwrap(&form, of(&id)).await.expect_err("it refuses");
        assert!(error.to_string().contains(expected), "{mood:?}: {error}");
    }
    world.server.set_mood(GcpMood::Well);
    let elsewhere = GcpConfig {
        name: GcpName::parse("projects/p/locations/l/keyRings/r/cryptoKeys/none").unwrap(),
        endpoint: GcpEndpoint::parse(&format!("http://127.0.0.1:{}", world.way.port())).ok(),
    };
    let file = serde_json::from_str(&world.server.credentials()).expect("JSON");
    let credentials = user_account::Builder::new(file).build().expect("credentials");
    let wrapped = GcpKeys::with(elsewhere, credentials).wrap(&data_key(), of(&id)).await;
    assert!(matches!(wrapped, Err(KeyError::Refused(_))), "{wrapped:?}");
    let text = STANDARD.encode(data_key().as_bytes());
    assert!(!format!("{wrapped:?}").contains(&text));
}
