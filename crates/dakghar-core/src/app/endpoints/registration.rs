//! Tenants with a `callbackUrl`: registered and changed together with its endpoint.

use super::Endpoints;
use crate::app::failure::Failure;
use crate::app::tenants::{NewTenant, RegisteredTenant};
use crate::domain::audit::Principal;
use crate::domain::tenant::SharedTenant;
use crate::domain::{Endpoint, LimitChanges, Secret, TenantId};

/// What the operator changes of a tenant.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// Limits; those that are not named stay.
    pub limits: LimitChanges,
    /// The URL at which it wants its events; `Some(None)` is none.
    pub callback_url: Option<Option<String>>,
}

impl Endpoints {
    /// Registers a tenant, and makes the endpoint of its `callbackUrl`.
    pub async fn register_tenant(&self, new: NewTenant, by: &Principal) -> Result<RegisteredTenant, Failure> {
        let mut registered = self.tenants.register(new, by).await?;
        if let Some(url) = registered.tenant.callback_url.clone() {
            // The tenant is there, and its key is shown only now: the next start makes what fails here.
            match self.make_for_callback_url(&registered.tenant, &url, by).await {
                Ok(made) => registered.callback_secret = made.map(|made| made.secret),
                Err(failure) => {
                    tracing::warn!(tenant_id = %registered.tenant.id, %failure,
                        "the endpoint of the callbackUrl was not made; the next start makes it");
                }
            }
        }
        Ok(registered)
    }

    /// Changes limits and the `callbackUrl` of a tenant. Returns the secret of the endpoint if that was made.
    pub async fn change_tenant(
        &self,
        id: &TenantId,
        changes: &TenantChanges,
        by: &Principal,
    ) -> Result<(SharedTenant, Option<Secret>), Failure> {
        let url = match &changes.callback_url {
            Some(Some(url)) => {
                let parsed = self.rules.parse(url).map_err(|fault| fault.problem("/callbackUrl"))?;
                Some(Some(parsed.as_str().to_owned()))
            }
            Some(None) => Some(None),
            None => None,
        };
        let mut tenant = self.tenants.set_limits(id, &changes.limits, by).await?;
        let mut secret = None;
        match url {
            Some(Some(url)) => {
                secret = self.set_callback_url(&tenant, &url, by).await?.map(|made| made.secret);
                tenant = self.tenants.keep_callback_url(id, Some(&url), by).await?;
            }
            Some(None) => {
                tenant = self.tenants.keep_callback_url(id, None, by).await?;
                self.remove_of_callback_url(id, by).await?;
            }
            None => {}
        }
        Ok((tenant, secret))
    }

    async fn remove_of_callback_url(&self, id: &TenantId, by: &Principal) -> Result<(), Failure> {
        let endpoint_id = Endpoint::id_of_callback_url(id);
        let store = &self.ports.endpoints;
        match store.find_endpoint(id, &endpoint_id).await {
            Ok(Some(endpoint)) => {
                self.take_away(&endpoint, None, by).await?;
                self.ports.news.tell_endpoints(id);
                self.forget(&endpoint).await
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
