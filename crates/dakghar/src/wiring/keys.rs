//! The vault over the configured master key, and the checks that this is the right one.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use dakghar_adapters::keys::LocalKeys;
use dakghar_core::app::token_purpose;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Secret, Tenant};
use dakghar_core::ports::{AppStore, Ports, TenantStore};
use dakghar_core::vault::{InstallationSecrets, MasterKey, Vault, WrappedUnder};

/// Tenants read at a time.
const PAGE: u32 = 200;
/// Tenants whose keys are looked at: enough for any installation, and done in a moment.
const TENANTS_MAX: usize = 10_000;
/// Bytes of the key check that are shown.
const CHECK_BYTES_SHOWN: usize = 4;

/// The vault under a master key. Secrets sealed under the previous one still open.
pub(super) fn vault(master_key: &Secret, previous: Option<&Secret>) -> anyhow::Result<Vault> {
    let derive = |key: &Secret| MasterKey::new(key).context("MASTER_KEY");
    let master_key = derive(master_key)?;
    let previous = previous.map(derive).transpose()?;
    Ok(Vault::new(
        Arc::new(LocalKeys::new(&master_key, previous.as_ref())),
        InstallationSecrets::derive(&master_key),
        previous.as_ref().map(InstallationSecrets::derive),
    ))
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
    vault: Arc<Vault>,
}

impl KeyRing {
    pub(super) fn of(ports: &Ports) -> Self {
        Self {
            tenants: ports.tenants.clone(),
            apps: ports.apps.clone(),
            vault: ports.vault.clone(),
        }
    }

    /// Tells master keys apart: 8 hexadecimal digits, the same wherever the same key is set.
    pub fn check(&self) -> String {
        hex::encode(&self.vault.key_check()[..CHECK_BYTES_SHOWN])
    }

    /// The same for the previous master key, if one is set.
    pub fn previous_check(&self) -> Option<String> {
        let check = self.vault.previous_key_check()?;
        Some(hex::encode(&check[..CHECK_BYTES_SHOWN]))
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
