//! Endpoints of tenants: made, changed, paused, given new secrets, removed.
//!
//! The number of a tenant's endpoints has a limit that no two writers at once can pass: each has a seat of its own, of
//! which there are so many, and the store gives no seat twice.

mod challenge;
mod change;
mod checks;
mod create;
mod creation;
mod credentials;
mod headers;
mod mend;
mod new;
mod of_callback_url;
mod registration;
mod remove;
mod replays;
mod reseal;
mod rotation;
mod start;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use super::auditing::Ledger;
use super::failure::Failure;
use super::tenants::Tenants;
use crate::domain::callback_url::CallbackRules;
use crate::domain::ids::EndpointId;
use crate::domain::{Endpoint, ErrorCode, Problem, Secret, TenantId};
use crate::ports::{EndpointStore, Ports};
use turns::{Turn, Turns};

pub use create::CreatedEndpoint;
pub use credentials::EndpointCredentials;
pub use new::{EndpointChanges, ExpectedVersion, NewEndpoint, StartAt};
pub use registration::TenantChanges;
pub use replays::{KnownReplay, NewReplay, ReplayEnd, ReplayPreview, ReplayStatus, WaitingFor};
pub use rotation::NewSecret;

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
    /// The time that a receiver has for its answer to Meta's challenge.
    timeout: Duration,
    turns: Turns,
    ledger: Ledger,
}

impl Endpoints {
    pub(super) fn new(ports: Ports, tenants: Arc<Tenants>, rules: Arc<CallbackRules>, timeout: Duration) -> Self {
        Self {
            ledger: Ledger::new(&ports),
            ports,
            tenants,
            rules,
            timeout,
            turns: Turns::default(),
        }
    }

    /// Returns the endpoints of a tenant, the oldest first. Those that cannot be read are left out.
    pub async fn list(&self, tenant_id: &TenantId) -> Result<Vec<Endpoint>, Failure> {
        let mut endpoints = self.ports.endpoints.endpoints_of(&[*tenant_id]).await?;
        // Ids that follow from a key tell no time.
        endpoints.sort_by_key(|endpoint| (endpoint.created_at, endpoint.id));
        Ok(endpoints)
    }

    /// Returns one endpoint of a tenant.
    pub async fn find(&self, tenant_id: &TenantId, id: &str) -> Result<Endpoint, Failure> {
        find(&*self.ports.endpoints, tenant_id, id).await
    }

    /// Begins a call of a receiver that a tenant waits for, unless another of this tenant is under way in this process.
    pub(super) fn turn(&self, tenant_id: &TenantId) -> Result<Turn, Problem> {
        self.turns.begin(tenant_id)
    }
}

/// Returns one endpoint of a tenant.
pub(super) async fn find(store: &dyn EndpointStore, tenant_id: &TenantId, id: &str) -> Result<Endpoint, Failure> {
    let id = EndpointId::parse(id).map_err(|_| no_such_endpoint())?;
    let found = store.find_endpoint(tenant_id, &id).await?;
    Ok(found.ok_or_else(no_such_endpoint)?)
}

fn no_such_endpoint() -> Problem {
    Problem::new(ErrorCode::EndpointNotFound, "The tenant has no endpoint with this id.")
}
