//! Making endpoints.

use super::new::NewEndpoint;
use super::{EndpointWithSecret, Endpoints, checks};
use crate::app::failure::Failure;
use crate::domain::endpoint::ENDPOINTS_MAX;
use crate::domain::{Endpoint, ErrorCode, Problem, TenantId};
use crate::ports::EndpointInserted;

impl Endpoints {
    /// Makes an endpoint.
    pub async fn create(&self, tenant_id: &TenantId, new: &NewEndpoint) -> Result<EndpointWithSecret, Failure> {
        let tenant = self.tenants.stored(tenant_id).await?;
        let now = self.ports.clock.present();
        checks::check_new(new, &tenant, &self.rules, now.wall)?;
        self.challenge_new(&tenant, new.format, &new.settings).await?;
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
    pub(super) async fn seat(&self, endpoint: &mut Endpoint) -> Result<bool, Failure> {
        let others = self.ports.endpoints.endpoints_of(&[endpoint.tenant_id]).await?;
        for seat in 0..ENDPOINTS_MAX {
            if others.iter().any(|other| other.seat == seat) {
                continue;
            }
            endpoint.seat = seat;
            match self.ports.endpoints.insert_endpoint(endpoint).await? {
                EndpointInserted::Done => {
                    self.ports.news.tell_endpoints(&endpoint.tenant_id);
                    return Ok(true);
                }
                EndpointInserted::Stale => return Ok(false),
                // By another writer, or by an endpoint that cannot be read.
                EndpointInserted::SeatTaken => {}
            }
        }
        let detail = format!("A tenant has {ENDPOINTS_MAX} endpoints at most.");
        Err(Problem::new(ErrorCode::EndpointLimit, detail).into())
    }
}
