//! The vault over the configured master key, and the checks that this is the right one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use dakghar_adapters::keys::{LocalKeys, ServiceConfig};
use dakghar_adapters::local::{RandomIds, SystemClock};
use dakghar_core::app::{Failure, Installation, NoSecrets, token_purpose};
use dakghar_core::domain::installation::INSTALLATION_SECRETS;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Secret, Tenant};
use dakghar_core::metrics::Metrics;
use dakghar_core::ports::{AppStore, InstallationStore, KeyOwner, KeyService, Ports, TenantStore};
use dakghar_core::vault::{
    InstallationSecrets, KEY_CHECK_BYTES, KeptKeys, KeptKeysSetup, KeyServices, MasterKey, Vault, VaultError,
    WrappedUnder,
};
use tokio::time::sleep;

use super::purpose::Purpose;
use crate::config::keys::Keys;

/// Tenants read at a time.
const PAGE: u32 = 200;
/// Tenants whose keys are looked at: enough for any installation, and done in a moment.
const TENANTS_MAX: usize = 10_000;
/// The pause of a start that waits for a key service.
const KEY_SERVICE_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of the key check that are shown.
const CHECK_BYTES_SHOWN: usize = 4;

/// The vault that the settings describe. What is sealed under the previous keys still opens.
pub(super) fn vault(keys: &Keys, master_key: Option<&Secret>, metrics: &Arc<Metrics>) -> anyhow::Result<NamedVault> {
    let derive = |key: &Secret| MasterKey::new(key).context("MASTER_KEY");
    let master_key = master_key.map(derive).transpose()?;
    let previous = keys.master_key_previous.as_ref().map(derive).transpose()?;
    let local = |key: &MasterKey| -> Arc<dyn KeyService> { Arc::new(LocalKeys::new(key, None)) };
    let mut services = Vec::new();
    if let Some(config) = &keys.service {
        services.push(("KMS", kept(keys, config, metrics).context("KMS")?));
    }
    services.extend(master_key.iter().map(|key| ("MASTER_KEY", local(key))));
    services.extend(previous.iter().map(|key| ("MASTER_KEY_PREVIOUS", local(key))));
    if let Some(config) = &keys.previous {
        services.push(("KMS_PREVIOUS", kept(keys, config, metrics).context("KMS_PREVIOUS")?));
    }
    let names = services
        .iter()
        .map(|(name, service)| (service.key_id().to_string(), *name));
    let names = names.collect();
    let mut services = services.into_iter().map(|(_, service)| service);
    let present = services.next().context("MASTER_KEY is not set")?;
    let (first, second) = (master_key.as_ref().or(previous.as_ref()), previous.as_ref());
    Ok(NamedVault {
        vault: Vault::new(Arc::new(KeyServices::new(present, services.collect()))),
        derived: first.map(|key| InstallationSecrets::derive(key, second.filter(|_| master_key.is_some()))),
        known: KnownKeys {
            names,
            check: master_key.as_ref().map(MasterKey::check),
            previous_check: previous.as_ref().map(MasterKey::check),
        },
    })
}

/// A vault, and what is known of its keys.
pub(super) struct NamedVault {
    pub(super) vault: Vault,
    /// The secrets of the installation, where they were never stored. `None` without a master key.
    pub(super) derived: Option<InstallationSecrets>,
    pub(super) known: KnownKeys,
}

/// The facts about the keys in the settings that may be told.
#[derive(Clone)]
pub(super) struct KnownKeys {
    names: KeyNames,
    check: Option<[u8; KEY_CHECK_BYTES]>,
    previous_check: Option<[u8; KEY_CHECK_BYTES]>,
}

/// The settings that keys are of, by the ids of the keys.
pub type KeyNames = Vec<(String, &'static str)>;

/// The vault under this master key alone.
pub(super) fn local_vault(master_key: &Secret) -> anyhow::Result<Vault> {
    let master_key = MasterKey::new(master_key).context("MASTER_KEY")?;
    let keys = Arc::new(LocalKeys::new(&master_key, None));
    Ok(Vault::new(keys))
}

/// Opens the secrets of the installation. A server waits for a key service that is away: without them it knows no API key.
pub(super) async fn open_secrets(
    installation: Installation<'_>,
    derived: Option<&InstallationSecrets>,
    purpose: Purpose,
) -> anyhow::Result<InstallationSecrets> {
    let mut is_told = false;
    loop {
        match installation.open(derived).await {
            Ok(secrets) => return Ok(secrets),
            Err(NoSecrets::Failed(Failure::Vault(error @ VaultError::Unavailable(_))))
                if purpose != Purpose::Command =>
            {
                if !is_told {
                    tracing::warn!(%error, "the start waits for the key service, which has the key of the installation's secrets");
                }
                is_told = true;
                sleep(KEY_SERVICE_PAUSE).await;
            }
            Err(error @ NoSecrets::Closed(_)) => bail!(
                "{error}. Set the key that they were sealed with: as MASTER_KEY_PREVIOUS or KMS_PREVIOUS if another one \
                 shall take its place, else as MASTER_KEY or KMS."
            ),
            Err(error @ NoSecrets::NoMasterKey) => bail!(
                "{error}. Set the master key under which it ran, as MASTER_KEY or MASTER_KEY_PREVIOUS; after the first \
                 start it is not needed for them any more."
            ),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A service elsewhere, which is asked seldom.
fn kept(keys: &Keys, config: &ServiceConfig, metrics: &Arc<Metrics>) -> anyhow::Result<Arc<dyn KeyService>> {
    let clock = Arc::new(SystemClock::start());
    Ok(Arc::new(KeptKeys::new(KeptKeysSetup {
        service: config.service()?,
        ids: Arc::new(RandomIds::new(clock.clone())),
        clock,
        metrics: metrics.clone(),
        outage_max: keys.outage_max,
    })))
}

/// The data keys of the stored tenants, as a check found them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DataKeys {
    /// Those that were looked at, of the newest tenants.
    pub checked: usize,
    /// Those that are wrapped under the previous master key.
    pub under_previous: usize,
    /// Those that do not unwrap.
    pub unreadable: usize,
    /// The tenant of the first one that does not unwrap, and the reason.
    pub first_unreadable: Option<String>,
}

/// The keys of an installation, for looking at.
pub struct KeyRing {
    tenants: Arc<dyn TenantStore>,
    apps: Arc<dyn AppStore>,
    installation: Arc<dyn InstallationStore>,
    vault: Arc<Vault>,
    known: KnownKeys,
}

impl KeyRing {
    pub(super) fn of(ports: &Ports, known: KnownKeys) -> Self {
        Self {
            tenants: ports.tenants.clone(),
            apps: ports.apps.clone(),
            installation: ports.installation.clone(),
            vault: ports.vault.clone(),
            known,
        }
    }

    /// The settings that the keys are of.
    pub fn names(&self) -> KeyNames {
        self.known.names.clone()
    }

    /// Tells master keys apart: 8 hexadecimal digits, the same wherever the same key is set. `None` without one.
    pub fn check(&self) -> Option<String> {
        Some(hex::encode(&self.known.check?[..CHECK_BYTES_SHOWN]))
    }

    /// The same for the previous master key, if one is set.
    pub fn previous_check(&self) -> Option<String> {
        Some(hex::encode(&self.known.previous_check?[..CHECK_BYTES_SHOWN]))
    }

    /// A wrong master key must be found out before anything is accepted under it.
    pub(super) async fn open_first(&self) -> anyhow::Result<()> {
        let Some(tenant) = self.first_tenant().await? else {
            return Ok(());
        };
        let Some(number) = tenant.phone_numbers.first() else {
            return Ok(());
        };
        let purpose = token_purpose(&number.phone_number_id);
        let opened = self
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await;
        if let Err(error @ VaultError::Unavailable(_)) = &opened {
            tracing::warn!(%error, "the key is not checked yet: what needs one waits for the key service");
            return Ok(());
        }
        if let Err(error) = opened {
            bail!(
                "MASTER_KEY does not open the access tokens in this store ({error}). Use the key they were sealed \
                 with, or set it as MASTER_KEY_PREVIOUS."
            );
        }
        Ok(())
    }

    async fn first_tenant(&self) -> anyhow::Result<Option<Tenant>> {
        let mut before = None;
        loop {
            let page = self.tenants.list(before, PageLimit::items(1)).await?;
            before = page.next;
            let first = page.items.into_iter().next();
            if first.is_some() || before.is_none() {
                return Ok(first);
            }
        }
    }

    /// Looks at the data keys of all tenants, or of the newest 10,000.
    pub async fn data_keys(&self) -> anyhow::Result<DataKeys> {
        let mut found = DataKeys::default();
        let mut before = None;
        while found.checked < TENANTS_MAX {
            let page = self.tenants.list(before, PageLimit::items(PAGE)).await?;
            for tenant in &page.items {
                self.note_data_key(tenant, &mut found).await;
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Counts the apps, and those of them whose data key is wrapped under the previous master key. One that does not unwrap
    /// or cannot be read is found when its secrets are opened.
    pub async fn apps_under_previous(&self) -> anyhow::Result<(usize, usize)> {
        let (mut checked, mut under_previous) = (0, 0);
        for app in self.apps.apps().await?.into_iter().flatten() {
            checked += 1;
            let wrapped = self.vault.check_data_key(&app.id, &app.wrapped_data_key).await;
            under_previous += usize::from(wrapped == Ok(WrappedUnder::Previous));
        }
        Ok((checked, under_previous))
    }

    /// True if the secrets of the installation are still under a previous key.
    pub async fn installation_is_under_previous(&self) -> anyhow::Result<bool> {
        let Some(secrets) = self.installation.find_secrets(INSTALLATION_SECRETS).await? else {
            return Ok(false);
        };
        let wrapped = &secrets.wrapped_data_key;
        let checked = self.vault.check_data_key(KeyOwner::Installation, wrapped).await?;
        Ok(checked == WrappedUnder::Previous)
    }

    async fn note_data_key(&self, tenant: &Tenant, found: &mut DataKeys) {
        found.checked += 1;
        match self.vault.check_data_key(&tenant.id, &tenant.wrapped_data_key).await {
            Ok(WrappedUnder::Current) => {}
            Ok(WrappedUnder::Previous) => found.under_previous += 1,
            Err(error) => {
                found.unreadable += 1;
                found
                    .first_unreadable
                    .get_or_insert_with(|| format!("{}: {error}", tenant.id));
            }
        }
    }
}
