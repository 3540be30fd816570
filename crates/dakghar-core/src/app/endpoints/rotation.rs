//! New secrets of endpoints.

use std::time::Duration;

use super::credentials::Sealed;
use super::new::ExpectedVersion;
use super::{EndpointWithSecret, Endpoints, checks};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::endpoint::{ENDPOINT_OVERLAP_DEFAULT, ENDPOINT_SECRETS_MAX};
use crate::domain::{ErrorCode, Problem, Secret, TenantId};

/// A secret that an endpoint is to have.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewSecret<'a> {
    /// The secret; one is made up if there is none.
    pub secret: Option<&'a Secret>,
    /// How long the one before it is still valid: a day unless said otherwise.
    pub overlap: Option<Duration>,
}

impl Endpoints {
    /// Gives an endpoint another secret, made up unless it is given. Calls are signed by the one before it as well for
    /// `overlap`, a day unless said otherwise. A given secret that is the present one changes nothing, so that a request
    /// whose answer was lost can be repeated.
    pub async fn rotate(
        &self,
        tenant_id: &TenantId,
        id: &str,
        NewSecret { secret, overlap }: NewSecret<'_>,
        expected: &ExpectedVersion,
        by: &Principal,
    ) -> Result<EndpointWithSecret, Failure> {
        let known = self.find(tenant_id, id).await?;
        expected.check(known.version)?;
        checks::check_rotation(secret, known.format, overlap)?;
        let tenant = self.tenants.stored(tenant_id).await?;
        if let (Some(secret), Some(present)) = (secret, known.secrets.first()) {
            let present = self.open(&tenant, &known.id, Sealed::Secret, &present.sealed).await?;
            if present.reveal() == secret.reveal() {
                return Ok(EndpointWithSecret {
                    endpoint: known,
                    secret: present,
                });
            }
        }
        let secret = secret.cloned().unwrap_or_else(|| self.new_secret(known.format));
        let sealed = self.seal_secret(&tenant, &known.id, &secret).await?;
        let now = self.ports.clock.now();
        let deed = Deed::new(by, AuditAction::EndpointSecretRotated);
        let endpoint = self
            .save(tenant_id, &known.id, expected, deed, |endpoint| {
                let rotated = endpoint.rotate(sealed.clone(), now, overlap.unwrap_or(ENDPOINT_OVERLAP_DEFAULT));
                rotated.map_err(|_| {
                    let detail = format!(
                        "{ENDPOINT_SECRETS_MAX} secrets of the endpoint are valid; wait until one of them is not, or name \
                         a short overlap."
                    );
                    Problem::new(ErrorCode::Conflict, detail)
                })?;
                Ok(Step::Save)
            })
            .await?;
        Ok(EndpointWithSecret { endpoint, secret })
    }
}
