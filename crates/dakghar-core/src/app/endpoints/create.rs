//! Making endpoints.
//!
//! Under an idempotency key an endpoint is made once, however often it is asked for: its id follows from the key, and the
//! store has an id once. Endpoint and key are one record, so no crash comes between them.

use std::time::Duration;

use super::creation::digest_of;
use super::credentials::Sealed;
use super::new::NewEndpoint;
use super::{EndpointWithSecret, Endpoints, checks};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::endpoint::ENDPOINTS_MAX;
use crate::domain::ids::{EndpointId, IdempotencyKey};
use crate::domain::{Endpoint, ErrorCode, Problem, Secret, Tenant, TenantId};
use crate::ports::{AuditedChange, Carried};

/// The time for which the secret is shown again to whoever asks for the same endpoint once more, as long as nothing of it has
/// changed: the answer may have been lost.
const SECRET_SHOWN_FOR: Duration = Duration::from_hours(24);

/// What became of a request for a new endpoint.
#[derive(Clone, Debug)]
pub enum CreatedEndpoint {
    /// It was made.
    Made(EndpointWithSecret),
    /// It was made before, under the same key and from the same.
    Repeated {
        /// As it is now.
        endpoint: Endpoint,
        /// Its secret, for a day and as long as nothing of the endpoint has changed.
        secret: Option<Secret>,
    },
}

impl Endpoints {
    /// Makes an endpoint; under a key only once.
    pub async fn create(
        &self,
        tenant_id: &TenantId,
        new: &NewEndpoint,
        key: Option<&IdempotencyKey>,
        by: &Principal,
    ) -> Result<CreatedEndpoint, Failure> {
        let tenant = self.tenants.stored(tenant_id).await?;
        let id = match key {
            Some(key) => Endpoint::id_of_key(tenant_id, key),
            None => self.ports.ids.endpoint_id(),
        };
        if key.is_some()
            && let Some(repeated) = self.find_repeated(&tenant, &id, new).await?
        {
            return Ok(repeated);
        }
        let EndpointWithSecret { mut endpoint, secret } = self.new_endpoint(&tenant, id, new).await?;
        if key.is_some() {
            let digest = digest_of(new);
            endpoint = endpoint.under_an_id_of_before(self.ports.ids.endpoint_id());
            endpoint.sealed_creation = Some(self.seal(&tenant, &id, Sealed::Creation, &digest).await?);
        }
        let refused = match self.seat(&mut endpoint, by).await {
            Ok(true) => {
                tracing::info!(%tenant_id, endpoint_id = %id, "endpoint made");
                return Ok(CreatedEndpoint::Made(EndpointWithSecret { endpoint, secret }));
            }
            Ok(false) => Failure::KeptChanging("endpoint"),
            Err(failure) => failure,
        };
        // Another request under the same key was faster; it may have taken the last seat.
        match key {
            Some(_) => self.find_repeated(&tenant, &id, new).await?.ok_or(refused),
            None => Err(refused),
        }
    }

    /// Prepares what is to be stored.
    async fn new_endpoint(
        &self,
        tenant: &Tenant,
        id: EndpointId,
        new: &NewEndpoint,
    ) -> Result<EndpointWithSecret, Failure> {
        let now = self.ports.clock.present();
        checks::check_new(new, tenant, &self.rules, now.wall)?;
        self.challenge_new(tenant, new.format, &new.settings).await?;
        let changes = self.prepare(tenant, &id, new.format, &new.settings).await?;
        let secret = match &new.secret {
            Some(secret) => secret.clone(),
            None => self.new_secret(new.format),
        };
        let sealed = self.seal_secret(tenant, &id, &secret).await?;
        let start = self.place_of(&tenant.id, new.start).await?;
        let mut endpoint = Endpoint::new(tenant.id, id, new.format, sealed, start, now.now);
        changes.apply(&mut endpoint);
        Ok(EndpointWithSecret { endpoint, secret })
    }

    /// Returns the endpoint that was made under this id, if there is one.
    async fn find_repeated(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        new: &NewEndpoint,
    ) -> Result<Option<CreatedEndpoint>, Failure> {
        let Some(endpoint) = self.ports.endpoints.find_endpoint(&tenant.id, id).await? else {
            return Ok(None);
        };
        let first = match &endpoint.sealed_creation {
            Some(sealed) => Some(self.open(tenant, id, Sealed::Creation, sealed).await?),
            None => None,
        };
        if first.is_none_or(|first| first.reveal() != digest_of(new).reveal()) {
            let detail = format!("The key belongs to endpoint {id}, which was made from something else.");
            return Err(Problem::new(ErrorCode::IdempotencyKeyConflict, detail).into());
        }
        let age = self.ports.clock.now().since(endpoint.created_at);
        let secret = match endpoint.secrets.first() {
            Some(present) if endpoint.is_as_made() && age < SECRET_SHOWN_FOR => {
                Some(self.open(tenant, id, Sealed::Secret, &present.sealed).await?)
            }
            _ => None,
        };
        Ok(Some(CreatedEndpoint::Repeated { endpoint, secret }))
    }

    /// Stores a new endpoint in the first seat that is free. Returns false if there is one of this id.
    pub(super) async fn seat(&self, endpoint: &mut Endpoint, by: &Principal) -> Result<bool, Failure> {
        let others = self.ports.endpoints.endpoints_of(&[endpoint.tenant_id]).await?;
        for seat in 0..ENDPOINTS_MAX {
            if others.iter().any(|other| other.seat == seat) {
                continue;
            }
            endpoint.seat = seat;
            let deed = Deed::new(by, AuditAction::EndpointMade).of(&endpoint.tenant_id);
            let deed = deed.about("endpoint", endpoint.id);
            let change = AuditedChange::InsertEndpoint(Box::new(endpoint.clone()));
            match self.ledger.carry_out(&change, &deed, Vec::new()).await? {
                Carried::Done => {
                    self.ports.news.tell_endpoints(&endpoint.tenant_id);
                    return Ok(true);
                }
                Carried::Stale | Carried::PhoneNumberTaken(_) => return Ok(false),
                // By another writer, or by an endpoint that cannot be read.
                Carried::SeatTaken => {}
            }
        }
        let detail = format!("A tenant has {ENDPOINTS_MAX} endpoints at most.");
        Err(Problem::new(ErrorCode::EndpointLimit, detail).into())
    }
}
