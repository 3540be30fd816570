//! The endpoint that stands for the `callbackUrl` of a tenant. Its id follows from the tenant's, so whatever makes it can
//! be repeated.
//!
//! Two records know the URL. The endpoint is what counts, and the tenant's follows it; only a tenant with a URL and
//! without the endpoint gets one. So the endpoint is written first, but for a removal, and for a registration, which
//! writes the tenant first.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | registration: tenant and endpoint | a tenant with a URL, without the endpoint | the next start makes it |
//! | a new or another URL: endpoint and tenant | the endpoint is called, the tenant shows the URL before | a repetition; the next start |
//! | a removal: tenant and endpoint | the endpoint is called, the tenant shows none | a repetition removes it; the next start shows it again |

use super::new::{ExpectedVersion, StartAt};
use super::{EndpointWithSecret, Endpoints};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::endpoint::EndpointFormat;
use crate::domain::{Endpoint, ErrorCode, Problem, Tenant};

impl Endpoints {
    /// Makes the endpoint of this URL if there is none. Returns `None` if there is one, whatever its URL.
    pub(super) async fn make_for_callback_url(
        &self,
        tenant: &Tenant,
        url: &str,
        by: &Principal,
    ) -> Result<Option<EndpointWithSecret>, Failure> {
        let id = Endpoint::id_of_callback_url(&tenant.id);
        let (secret, now) = (self.new_secret(EndpointFormat::Standard), self.ports.clock.now());
        let sealed = self.seal_secret(tenant, &id, &secret).await?;
        let start = self.place_of(&tenant.id, StartAt::Now).await?;
        let endpoint = Endpoint::new(tenant.id, id, EndpointFormat::Standard, sealed, start, now);
        let mut endpoint = endpoint.under_an_id_of_before(self.ports.ids.endpoint_id());
        url.clone_into(&mut endpoint.url);
        if !self.seat(&mut endpoint, by).await? {
            return Ok(None);
        }
        tracing::info!(tenant_id = %tenant.id, endpoint_id = %id, "endpoint made for the callbackUrl");
        Ok(Some(EndpointWithSecret { endpoint, secret }))
    }

    /// Gives the endpoint of the `callbackUrl` this URL, and makes it if there is none; its secret is returned then.
    pub(super) async fn set_callback_url(
        &self,
        tenant: &Tenant,
        url: &str,
        by: &Principal,
    ) -> Result<Option<EndpointWithSecret>, Failure> {
        let id = Endpoint::id_of_callback_url(&tenant.id);
        for _ in 0..2 {
            let deed = Deed::new(by, AuditAction::EndpointChanged);
            let changed = self
                .save(&tenant.id, &id, &ExpectedVersion::ANY, deed, |endpoint| {
                    url.clone_into(&mut endpoint.url);
                    Ok(Step::Save)
                })
                .await;
            match changed {
                Ok(_) => return Ok(None),
                Err(Failure::Refused(Problem {
                    code: ErrorCode::EndpointNotFound,
                    ..
                })) => {}
                Err(failure) => return Err(failure),
            }
            if let Some(made) = self.make_for_callback_url(tenant, url, by).await? {
                return Ok(Some(made));
            }
        }
        Err(Failure::KeptChanging("endpoint"))
    }
}
