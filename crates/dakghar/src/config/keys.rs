//! The settings of the keys that data is sealed with.

use std::time::Duration;

#[cfg(feature = "kms-gcp")]
use dakghar_adapters::keys::GcpConfig;
use dakghar_adapters::keys::{GcpEndpoint, ServiceConfig, ServiceName, TransitConfig, TransitName};
use dakghar_core::domain::Secret;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};
use super::vault::{self, VaultAccess};

table! {
    "Keys" {
        MASTER_KEY: Kind::Secret, "", "At least 32 bytes; wraps data keys unless KMS names a key service. Unset: generated into DATA_DIR. Required with MONGO_URI and in production, unless KMS names a key service.";
        MASTER_KEY_PREVIOUS: Kind::Secret, "", "The master key before the present one: what it wrapped stays readable while it is set. `dakghar secrets status` says when nothing needs it.";
        KMS: Kind::Text, "local", "Where the key is that wraps data keys: local (MASTER_KEY); vault:<address>/<mount>/<key> for the transit engine of Vault or OpenBao, such as vault:https://vault.internal:8200/transit/dakghar; aws:<key arn> for AWS KMS; gcp:<resource> for Cloud KMS, such as gcp:projects/p/locations/europe-west3/keyRings/dakghar/cryptoKeys/data. The last two are in the image, and in a build with the features kms-aws and kms-gcp.";
        KMS_PREVIOUS: Kind::Text, "", "The key service before the present one, in the form of KMS: what it wrapped stays readable while it is set.";
        GCP_KMS_ENDPOINT: Kind::Text, "", "Another address of Cloud KMS, such as an endpoint of Private Service Connect. AWS takes AWS_ENDPOINT_URL_KMS.";
        KMS_OUTAGE_SECONDS_MAX: Kind::Integer { min: 0, max: 86_400 }, "3600", "How long data keys in memory may be used after their five minutes while the key service cannot be reached; 0: not at all.";
    }
}

const MASTER_KEY_BYTES_MIN: usize = 32;

/// The keys that data is sealed with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The master key; generated when absent.
    pub master_key: Option<Secret>,
    /// The master key before it.
    pub master_key_previous: Option<Secret>,
    /// The key service that wraps; `None` where the master key does.
    pub service: Option<ServiceConfig>,
    /// The key service before it.
    pub previous: Option<ServiceConfig>,
    /// How long a key may be used after its time while the service cannot be reached.
    pub outage_max: Duration,
}

impl Keys {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let [present, previous] = [&KMS, &KMS_PREVIOUS].map(|variable| read_service(reader, variable));
        let is_vault = [&present, &previous].map(|name| matches!(name, ServiceName::Transit(_)));
        let access = Access {
            vault: vault::read(reader, is_vault.contains(&true)),
            gcp_endpoint: read_endpoint(reader),
        };
        let [service, previous] = [present, previous].map(|name| config(name, &access));
        Self {
            master_key: reader.secret(&MASTER_KEY),
            master_key_previous: reader.secret(&MASTER_KEY_PREVIOUS),
            service,
            previous,
            outage_max: Duration::from_secs(reader.integer(&KMS_OUTAGE_SECONDS_MAX)),
        }
    }

    /// Requires the settings that must be set.
    pub(super) fn require(&self, is_production: bool, is_distributed: bool, reader: &mut Reader<'_>) {
        if self.master_key.is_some() || self.service.is_some() {
            return;
        }
        if is_production {
            reader.problem("MASTER_KEY is required in production");
        } else if is_distributed {
            reader.problem("MASTER_KEY is required with MONGO_URI, because all processes must share it");
        }
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let is_long_enough = |key: &Option<Secret>| {
            key.as_ref()
                .is_none_or(|key| key.reveal().len() >= MASTER_KEY_BYTES_MIN)
        };
        reader.require(
            is_long_enough(&self.master_key),
            "MASTER_KEY must have at least 32 bytes",
        );
        reader.require(
            is_long_enough(&self.master_key_previous),
            "MASTER_KEY_PREVIOUS must have at least 32 bytes",
        );
    }
}

/// The ways to key services.
struct Access {
    vault: Option<VaultAccess>,
    #[cfg_attr(
        not(feature = "kms-gcp"),
        expect(dead_code, reason = "checked, so that it is right wherever it is set")
    )]
    gcp_endpoint: Option<GcpEndpoint>,
}

fn read_endpoint(reader: &mut Reader<'_>) -> Option<GcpEndpoint> {
    let text = reader.text(&GCP_KMS_ENDPOINT)?;
    let endpoint = GcpEndpoint::parse(&text);
    endpoint
        .map_err(|problem| reader.problem(format!("GCP_KMS_ENDPOINT: {problem}")))
        .ok()
}

/// The key service that the variable names.
fn read_service(reader: &mut Reader<'_>, variable: &Variable) -> ServiceName {
    let text = reader.text(variable);
    text.map_or(Ok(ServiceName::Local), |text| ServiceName::parse(&text))
        .unwrap_or_else(|problem| {
            reader.problem(format!("{}: {problem}", variable.name));
            ServiceName::Local
        })
}

/// The way to it, unless the key is in the settings themselves.
fn config(name: ServiceName, access: &Access) -> Option<ServiceConfig> {
    match name {
        ServiceName::Local => None,
        ServiceName::Transit(name) => Some(ServiceConfig::Transit(with_access(name, access.vault.as_ref()?))),
        #[cfg(feature = "kms-aws")]
        ServiceName::Aws(name) => Some(ServiceConfig::Aws(name)),
        #[cfg(feature = "kms-gcp")]
        ServiceName::Gcp(name) => Some(ServiceConfig::Gcp(GcpConfig {
            name,
            endpoint: access.gcp_endpoint.clone(),
        })),
    }
}

fn with_access(name: TransitName, access: &VaultAccess) -> TransitConfig {
    TransitConfig {
        name,
        namespace: access.namespace.clone(),
        login: access.login.clone(),
        login_mount: access.login_mount.clone(),
        authorities_pem: access.authorities_pem.clone(),
    }
}
