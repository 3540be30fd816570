//! Sealing anew whom erasures are of, when their tenant has a new data key.

use super::{Erasing, purpose};
use crate::app::failure::Failure;
use crate::app::stale::ROUNDS_MAX;
use crate::domain::Tenant;
use crate::domain::erasure::PersonErasure;
use crate::domain::page::PageLimit;
use crate::ports::Saved;

/// Erasures that are read at a time.
const PAGE: u32 = 200;

impl Erasing {
    /// Seals anew what the erasures of a tenant have under its old data key.
    pub(in crate::app) async fn reseal(&self, tenant: &Tenant) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = self
                .store
                .list_erasures(&tenant.id, before, PageLimit::items(PAGE))
                .await?;
            for erasure in page.items {
                self.reseal_one(tenant, erasure).await?;
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    async fn reseal_one(&self, tenant: &Tenant, mut erasure: PersonErasure) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            // One that has ended names nobody any more.
            let Some(sealed) = &erasure.sealed_person else {
                return Ok(());
            };
            let (key, purpose) = (&tenant.wrapped_data_key, purpose(&erasure.id));
            let Some(anew) = self.vault.reseal(&tenant.id, key, &purpose, sealed).await? else {
                return Ok(());
            };
            erasure.sealed_person = Some(anew);
            if self.store.save_erasure(&erasure).await? == Saved::Done {
                return Ok(());
            }
            let Some(stored) = self.store.find_erasure(&tenant.id, &erasure.id).await? else {
                return Ok(());
            };
            erasure = stored;
        }
        Err(Failure::KeptChanging("erasure"))
    }
}
