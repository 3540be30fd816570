//! What is done at each start: what crashes left between two records is put right, and tenants of an earlier release get
//! the endpoint of their `callbackUrl`. It begins anew each time, and where nothing is to be done it reads only.

use std::collections::HashMap;

use super::Endpoints;
use crate::app::failure::Failure;
use crate::domain::audit::Principal;
use crate::domain::page::PageLimit;
use crate::domain::{Endpoint, ErrorCode, Problem, Tenant, TenantId};
use crate::ports::StoreError;

const PAGE: u32 = 200;
/// Tenants whose endpoints are read in one call.
const TENANTS_AT_ONCE: usize = 20;

impl Endpoints {
    /// Brings the `callbackUrl` of tenants and their endpoints together.
    pub async fn mend(&self) -> Result<(), Failure> {
        self.follow_endpoints().await?;
        self.make_missing().await
    }

    /// Makes the tenants show the URLs of their endpoints, and removes endpoints whose tenant is gone.
    async fn follow_endpoints(&self) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.ports.endpoints.endpoints(after, PageLimit::items(PAGE)).await?;
            let mut ids: Vec<TenantId> = page.items.iter().map(|endpoint| endpoint.tenant_id).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = self.ports.tenants.find_all(&ids).await;
            let tenants: HashMap<TenantId, Result<Option<Tenant>, StoreError>> = ids.into_iter().zip(found).collect();
            for endpoint in &page.items {
                match tenants.get(&endpoint.tenant_id) {
                    Some(Ok(Some(tenant))) => self.follow(tenant, endpoint).await?,
                    // Stored by a process that remembered the tenant while that was removed.
                    Some(Ok(None)) => {
                        let (tenant_id, id) = (&endpoint.tenant_id, &endpoint.id);
                        self.ports.endpoints.remove_endpoint(tenant_id, id, None).await?;
                    }
                    // Told where it was read.
                    Some(Err(StoreError::Unreadable(_))) | None => {}
                    Some(Err(error)) => return Err(error.clone().into()),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn follow(&self, tenant: &Tenant, endpoint: &Endpoint) -> Result<(), Failure> {
        let is_shown = tenant.callback_url.as_ref() == Some(&endpoint.url);
        if !endpoint.is_of_callback_url() || is_shown || tenant.removed_at.is_some() {
            return Ok(());
        }
        let (tenants, by) = (&self.tenants, Principal::SYSTEM);
        unless_gone(tenants.keep_callback_url(&tenant.id, Some(&endpoint.url), by).await)?;
        // A removal that went on meanwhile has made the tenant show none before.
        let store = &self.ports.endpoints;
        if store.find_endpoint(&tenant.id, &endpoint.id).await?.is_none() {
            unless_gone(tenants.keep_callback_url(&tenant.id, None, by).await)?;
        }
        Ok(())
    }

    /// Makes the endpoints of tenants that have a URL and no endpoint.
    async fn make_missing(&self) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = self.ports.tenants.list(before, PageLimit::items(PAGE)).await?;
            let with_url = |tenant: &&Tenant| tenant.callback_url.is_some() && tenant.removed_at.is_none();
            let tenants: Vec<&Tenant> = page.items.iter().filter(with_url).collect();
            for some in tenants.chunks(TENANTS_AT_ONCE) {
                let ids: Vec<TenantId> = some.iter().map(|tenant| tenant.id).collect();
                let found = self.ports.endpoints.endpoints_of(&ids).await?;
                let has = |tenant: &Tenant| {
                    let mut own = found.iter().filter(|endpoint| endpoint.tenant_id == tenant.id);
                    own.any(Endpoint::is_of_callback_url)
                };
                for tenant in some.iter().filter(|tenant| !has(tenant)) {
                    self.make_one(tenant).await?;
                }
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    async fn make_one(&self, tenant: &Tenant) -> Result<(), Failure> {
        let Some(url) = &tenant.callback_url else { return Ok(()) };
        // The URL is not checked here: each call checks it, and says what is wrong.
        match self.make_for_callback_url(tenant, url, Principal::SYSTEM).await {
            Ok(Some(made)) => {
                // A removal that went on meanwhile has made the tenant show none.
                let stored = self.ports.tenants.find(&tenant.id).await?;
                if stored.is_none_or(|stored| stored.callback_url.is_none()) {
                    let id = &made.endpoint.id;
                    self.ports.endpoints.remove_endpoint(&tenant.id, id, None).await?;
                }
                Ok(())
            }
            // It cannot be read, or another process was faster.
            Ok(None) => Ok(()),
            Err(failure) if failure.is_retryable() => Err(failure),
            Err(failure) => {
                tracing::warn!(tenant_id = %tenant.id, %failure, "the endpoint of the callbackUrl cannot be made");
                Ok(())
            }
        }
    }
}

/// A tenant that was removed meanwhile needs nothing.
fn unless_gone<T>(kept: Result<T, Failure>) -> Result<(), Failure> {
    match kept {
        Ok(_)
        | Err(Failure::Refused(Problem {
            code: ErrorCode::TenantNotFound,
            ..
        })) => Ok(()),
        Err(failure) => Err(failure),
    }
}
