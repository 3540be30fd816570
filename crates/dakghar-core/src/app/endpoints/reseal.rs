//! Sealing anew what endpoints have sealed, when their tenant has a new data key.

use super::Endpoints;
use super::credentials::Sealed;
use crate::app::failure::Failure;
use crate::app::stale::ROUNDS_MAX;
use crate::domain::{Endpoint, Tenant};
use crate::ports::Saved;

impl Endpoints {
    /// Seals anew what the endpoints of a tenant have under its old data key.
    pub(in crate::app) async fn reseal(&self, tenant: &Tenant) -> Result<(), Failure> {
        for endpoint in self.ports.endpoints.endpoints_of(&[tenant.id]).await? {
            self.reseal_one(tenant, endpoint).await?;
        }
        Ok(())
    }

    async fn reseal_one(&self, tenant: &Tenant, mut endpoint: Endpoint) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            if !self.reseal_fields(tenant, &mut endpoint).await? {
                return Ok(());
            }
            if self.ports.endpoints.save_endpoint(&endpoint).await? == Saved::Done {
                return Ok(());
            }
            let found = self.ports.endpoints.find_endpoint(&tenant.id, &endpoint.id).await?;
            let Some(stored) = found else { return Ok(()) };
            endpoint = stored;
        }
        Err(Failure::KeptChanging("endpoint"))
    }

    /// Returns true if something was sealed anew.
    async fn reseal_fields(&self, tenant: &Tenant, endpoint: &mut Endpoint) -> Result<bool, Failure> {
        let id = endpoint.id;
        let optional = [
            (Sealed::Headers, &mut endpoint.sealed_headers),
            (Sealed::VerifyToken, &mut endpoint.sealed_verify_token),
            (Sealed::Creation, &mut endpoint.sealed_creation),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(what, sealed)| Some((what, sealed.as_mut()?)));
        let secrets = endpoint.secrets.iter_mut();
        let secrets = secrets.map(|secret| (Sealed::Secret, &mut secret.sealed));
        let mut is_changed = false;
        for (what, sealed) in secrets.chain(optional) {
            let (key, purpose) = (&tenant.wrapped_data_key, what.purpose(&id));
            if let Some(anew) = self.ports.vault.reseal(&tenant.id, key, &purpose, sealed).await? {
                *sealed = anew;
                is_changed = true;
            }
        }
        Ok(is_changed)
    }
}
