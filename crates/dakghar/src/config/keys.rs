//! The settings of the keys that data is sealed with.

use std::time::Duration;

use dakghar_adapters::keys::{ServiceName, TransitConfig, TransitName};
use dakghar_core::domain::Secret;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};
use super::vault::{self, VaultAccess};

table! {
    "Keys" {
        MASTER_KEY: Kind::Secret, "", "At least 32 bytes; wraps data keys unless KMS names a key service. Unset: generated into DATA_DIR. Required with MONGO_URI and in production, unless KMS names a key service.";
        MASTER_KEY_PREVIOUS: Kind::Secret, "", "The master key before the present one: what it wrapped stays readable while it is set. `dakghar secrets status` says when nothing needs it.";
        KMS: Kind::Text, "local", "Where the key is that wraps data keys: local (MASTER_KEY), or vault:<address>/<mount>/<key> for the transit engine of Vault or OpenBao, such as vault:https://vault.internal:8200/transit/dakghar.";
        KMS_PREVIOUS: Kind::Text, "", "The key service before the present one, in the form of KMS: what it wrapped stays readable while it is set.";
        KMS_OUTAGE_SECONDS_MAX: Kind::Integer { min: 0, max: 86_400 }, "3600", "How long data keys in memory may be used after their five minutes while the key service cannot be reached; 0: not at all.";
    }
}

const MASTER_KEY_BYTES_MIN: usize = 32;

/// Where the key is that wraps data keys.
#[derive(Clone, Debug)]
pub enum KeyPlace {
    /// In the settings.
    Local,
    /// In the transit engine of Vault or OpenBao.
    Transit(TransitConfig),
}

/// The keys that data is sealed with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The master key; generated when absent.
    pub master_key: Option<Secret>,
    /// The master key before it.
    pub master_key_previous: Option<Secret>,
    /// Where the key is that wraps.
    pub place: KeyPlace,
    /// The key service before it.
    pub previous: Option<TransitConfig>,
    /// How long a key may be used after its time while the service cannot be reached.
    pub outage_max: Duration,
}

impl Keys {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let present = read_service(reader, &KMS);
        let previous = read_service(reader, &KMS_PREVIOUS);
        let access = vault::read(reader, present.is_some() || previous.is_some());
        let config = |name: Option<TransitName>| Some(with_access(name?, access.as_ref()?));
        Self {
            master_key: reader.secret(&MASTER_KEY),
            master_key_previous: reader.secret(&MASTER_KEY_PREVIOUS),
            place: config(present).map_or(KeyPlace::Local, KeyPlace::Transit),
            previous: config(previous),
            outage_max: Duration::from_secs(reader.integer(&KMS_OUTAGE_SECONDS_MAX)),
        }
    }

    /// Requires the settings that must be set.
    pub(super) fn require(&self, is_production: bool, is_distributed: bool, reader: &mut Reader<'_>) {
        if self.master_key.is_some() || !matches!(self.place, KeyPlace::Local) {
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

/// The key service that the variable names, unless it is the settings themselves.
fn read_service(reader: &mut Reader<'_>, variable: &Variable) -> Option<TransitName> {
    let text = reader.text(variable)?;
    match ServiceName::parse(&text) {
        Ok(ServiceName::Local) => None,
        Ok(ServiceName::Transit(name)) => Some(name),
        Err(problem) => {
            reader.problem(format!("{}: {problem}", variable.name));
            None
        }
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
