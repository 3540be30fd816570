//! Sealing anew what signups have, when their tenant has a new data key.

use super::{Onboarding, Sealed};
use crate::app::failure::Failure;
use crate::app::stale::ROUNDS_MAX;
use crate::domain::Tenant;
use crate::domain::page::PageLimit;
use crate::domain::signup::Signup;
use crate::ports::Saved;

/// Signups that are read at a time.
const PAGE: u32 = 200;

impl Onboarding {
    /// Seals anew what the signups of a tenant have under its old data key.
    pub(in crate::app) async fn reseal(&self, tenant: &Tenant) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = self.store.list_signups(&tenant.id, before, PageLimit::items(PAGE));
            let page = page.await?;
            for signup in page.items {
                self.reseal_one(tenant, signup).await?;
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    async fn reseal_one(&self, tenant: &Tenant, mut signup: Signup) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let id = signup.id;
            let mut is_changed = false;
            for (what, sealed) in [
                (Sealed::Code, &mut signup.sealed_code),
                (Sealed::Token, &mut signup.sealed_token),
                (Sealed::Pin, &mut signup.sealed_pin),
            ] {
                let Some(before) = sealed else { continue };
                let (key, purpose) = (&tenant.wrapped_data_key, what.purpose(&id));
                if let Some(anew) = self.vault.reseal(&tenant.id, key, &purpose, before).await? {
                    *before = anew;
                    is_changed = true;
                }
            }
            if !is_changed || self.store.save_signup(&signup).await? == Saved::Done {
                return Ok(());
            }
            let Some(stored) = self.store.find_signup(&tenant.id, &id).await? else {
                return Ok(());
            };
            signup = stored;
        }
        Err(Failure::KeptChanging("signup"))
    }
}
