//! Endpoints of tenants: made, changed, paused, given new secrets, removed.
//!
//! The number of a tenant's endpoints has a limit that no two writers at once can pass: each has a seat of its own, of
//! which there are so many, and the store gives no seat twice.

mod change;
mod checks;
mod credentials;
mod headers;
mod mend;
mod new;
mod of_callback_url;
mod registration;
mod rotation;
mod start;

use std::sync::Arc;

use super::failure::Failure;
use super::tenants::Tenants;
use crate::domain::callback_url::CallbackRules;
use crate::domain::endpoint::ENDPOINTS_MAX;
use crate::domain::ids::EndpointId;
use crate::domain::{Endpoint, ErrorCode, Problem, Secret, Tenant, TenantId};
use crate::ports::{EndpointInserted, Ports};

pub use credentials::EndpointCredentials;
pub use new::{EndpointChanges, ExpectedVersion, NewEndpoint, StartAt};
pub use registration::TenantChanges;

/// An endpoint with its present secret, which is not shown again.
#[derive(Clone, Debug)]
pub struct EndpointWithSecret {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its present secret.
    pub secret: Secret,
}

/// Manages the endpoints of tenants.
pub struct Endpoints {
    ports: Ports,
    tenants: Arc<Tenants>,
    rules: Arc<CallbackRules>,
}

impl Endpoints {
    pub(super) const fn new(ports: Ports, tenants: Arc<Tenants>, rules: Arc<CallbackRules>) -> Self {
        Self { ports, tenants, rules }
    }

    /// Returns the endpoints of a tenant, in the order of their ids. Those that cannot be read are left out.
    pub async fn list(&self, tenant_id: &TenantId) -> Result<Vec<Endpoint>, Failure> {
        Ok(self.ports.endpoints.endpoints_of(&[*tenant_id]).await?)
    }

    /// Returns one endpoint of a tenant.
    pub async fn find(&self, tenant_id: &TenantId, id: &str) -> Result<Endpoint, Failure> {
        let id = EndpointId::parse(id).map_err(|_| no_such_endpoint())?;
        let found = self.ports.endpoints.find_endpoint(tenant_id, &id).await?;
        Ok(found.ok_or_else(no_such_endpoint)?)
    }

    /// Makes an endpoint.
    pub async fn create(&self, tenant_id: &TenantId, new: &NewEndpoint) -> Result<EndpointWithSecret, Failure> {
        let tenant = self.tenants.stored(tenant_id).await?;
        let now = self.ports.clock.present();
        checks::check_new(new, &tenant, &self.rules, now.wall)?;
        let id = self.ports.ids.endpoint_id();
        let changes = self.prepare(&tenant, &id, new.format, &new.settings).await?;
        let secret = match &new.secret {
            Some(secret) => secret.clone(),
            None => self.new_secret(new.format),
        };
        let sealed = self.seal_secret(&tenant, &id, &secret).await?;
        let start = self.place_of(tenant_id, new.start).await?;
        let mut endpoint = Endpoint::new(*tenant_id, id, new.format, sealed, start, now.now);
        changes.apply(&mut endpoint);
        if !self.seat(&mut endpoint).await? {
            return Err(Failure::KeptChanging("endpoint"));
        }
        tracing::info!(%tenant_id, endpoint_id = %id, "endpoint made");
        Ok(EndpointWithSecret { endpoint, secret })
    }

    /// Stores a new endpoint in the first seat that is free. Returns false if there is one of this id.
    async fn seat(&self, endpoint: &mut Endpoint) -> Result<bool, Failure> {
        let others = self.ports.endpoints.endpoints_of(&[endpoint.tenant_id]).await?;
        for seat in 0..ENDPOINTS_MAX {
            if others.iter().any(|other| other.seat == seat) {
                continue;
            }
            endpoint.seat = seat;
            match self.ports.endpoints.insert_endpoint(endpoint).await? {
                EndpointInserted::Done => return Ok(true),
                EndpointInserted::Stale => return Ok(false),
                // By another writer, or by an endpoint that cannot be read.
                EndpointInserted::SeatTaken => {}
            }
        }
        let detail = format!("A tenant has {ENDPOINTS_MAX} endpoints at most.");
        Err(Problem::new(ErrorCode::EndpointLimit, detail).into())
    }

    /// Removes an endpoint. What it did not get yet it does not get.
    pub async fn remove(&self, tenant_id: &TenantId, id: &str, expected: &ExpectedVersion) -> Result<(), Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        expected.check(endpoint.version)?;
        if endpoint.is_of_callback_url() {
            self.tenants.keep_callback_url(tenant_id, None).await?;
        }
        let version = expected.is_named().then_some(endpoint.version);
        let store = &self.ports.endpoints;
        if !store.remove_endpoint(tenant_id, &endpoint.id, version).await? {
            // Whoever changed it meanwhile is asked; whoever removed it has done what was wanted.
            let changed = self.find(tenant_id, id).await?;
            if endpoint.is_of_callback_url() {
                self.tenants.keep_callback_url(tenant_id, Some(&changed.url)).await?;
            }
            return Err(version_conflict(changed.version).into());
        }
        tracing::info!(%tenant_id, endpoint_id = %endpoint.id, "endpoint removed");
        Ok(())
    }

    /// Returns the tenant as its secrets are sealed.
    async fn tenant(&self, tenant_id: &TenantId) -> Result<Tenant, Failure> {
        self.tenants.stored(tenant_id).await
    }
}

fn no_such_endpoint() -> Problem {
    Problem::new(ErrorCode::EndpointNotFound, "The tenant has no endpoint with this id.")
}

fn version_conflict(version: u64) -> Problem {
    let detail = format!("The present version is {version}; read it again, and decide anew.");
    Problem::new(ErrorCode::VersionConflict, detail)
}
