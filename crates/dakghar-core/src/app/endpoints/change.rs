//! Changes of endpoints, under optimistic versions.

use super::credentials::{Sealed, headers_text};
use super::new::{EndpointChanges, ExpectedVersion};
use super::{Endpoints, checks};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::{ROUNDS_MAX, Step};
use crate::domain::audit::{AuditAction, Principal, endpoint_changes};
use crate::domain::endpoint::{DeliveryOrder, EndpointFormat, EndpointState};
use crate::domain::ids::EndpointId;
use crate::domain::{Endpoint, KindPattern, PhoneNumberId, Problem, Tenant, TenantId};
use crate::ports::{AuditedChange, Carried};

/// Changes that passed the checks, with what is sealed.
pub(super) struct Prepared {
    url: Option<String>,
    kinds: Option<Vec<KindPattern>>,
    phone_number_ids: Option<Vec<PhoneNumberId>>,
    order: Option<DeliveryOrder>,
    batch_max: Option<u32>,
    per_second: Option<u32>,
    concurrency: Option<u32>,
    headers: Option<(Vec<String>, Option<Vec<u8>>)>,
    verify_token: Option<SealedToken>,
}

/// A verify token, sealed; `None` is that there is none any more.
struct SealedToken(Option<Vec<u8>>);

impl Prepared {
    pub(super) fn apply(&self, endpoint: &mut Endpoint) {
        fn set<T: Clone>(field: &mut T, change: Option<&T>) {
            if let Some(change) = change {
                field.clone_from(change);
            }
        }
        set(&mut endpoint.url, self.url.as_ref());
        set(&mut endpoint.filter.kinds, self.kinds.as_ref());
        set(&mut endpoint.filter.phone_number_ids, self.phone_number_ids.as_ref());
        set(&mut endpoint.order, self.order.as_ref());
        set(&mut endpoint.batch_max, self.batch_max.as_ref());
        set(&mut endpoint.per_second, self.per_second.as_ref());
        set(&mut endpoint.concurrency, self.concurrency.as_ref());
        set(
            &mut endpoint.header_names,
            self.headers.as_ref().map(|(names, _)| names),
        );
        set(
            &mut endpoint.sealed_headers,
            self.headers.as_ref().map(|(_, sealed)| sealed),
        );
        set(
            &mut endpoint.sealed_verify_token,
            self.verify_token.as_ref().map(|SealedToken(sealed)| sealed),
        );
    }
}

impl Endpoints {
    /// Changes the settings of an endpoint.
    pub async fn change(
        &self,
        tenant_id: &TenantId,
        id: &str,
        changes: &EndpointChanges,
        expected: &ExpectedVersion,
        by: &Principal,
    ) -> Result<Endpoint, Failure> {
        let known = self.find(tenant_id, id).await?;
        expected.check(known.version)?;
        let tenant = self.tenants.stored(tenant_id).await?;
        checks::check_changes(changes, known.format, &tenant, &self.rules)?;
        self.challenge_changed(&tenant, &known, changes).await?;
        let prepared = self.prepare(&tenant, &known.id, known.format, changes).await?;
        let deed = Deed::new(by, AuditAction::EndpointChanged);
        let changed = self
            .save(tenant_id, &known.id, expected, deed, |endpoint| {
                prepared.apply(endpoint);
                Ok(Step::Save)
            })
            .await?;
        if changed.is_of_callback_url() {
            let kept = self.tenants.keep_callback_url(tenant_id, Some(&changed.url), by);
            kept.await?;
        }
        Ok(changed)
    }

    /// Stops calling an endpoint. What it does not get meanwhile waits in the feed. One that is disabled stays so.
    pub async fn pause(
        &self,
        tenant_id: &TenantId,
        id: &str,
        expected: &ExpectedVersion,
        by: &Principal,
    ) -> Result<Endpoint, Failure> {
        let id = self.find(tenant_id, id).await?.id;
        let deed = Deed::new(by, AuditAction::EndpointPaused);
        self.save(tenant_id, &id, expected, deed, |endpoint| {
            if endpoint.state == EndpointState::Active {
                endpoint.state = EndpointState::Paused;
            }
            Ok(Step::Save)
        })
        .await
    }

    /// Calls an endpoint again, whatever stopped it.
    pub async fn resume(
        &self,
        tenant_id: &TenantId,
        id: &str,
        expected: &ExpectedVersion,
        by: &Principal,
    ) -> Result<Endpoint, Failure> {
        let id = self.find(tenant_id, id).await?.id;
        let deed = Deed::new(by, AuditAction::EndpointResumed);
        self.save(tenant_id, &id, expected, deed, |endpoint| {
            endpoint.state = EndpointState::Active;
            Ok(Step::Save)
        })
        .await
    }

    /// Seals and parses what was checked.
    pub(super) async fn prepare(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        format: EndpointFormat,
        changes: &EndpointChanges,
    ) -> Result<Prepared, Failure> {
        let url = changes.url.as_ref().map(|url| self.rules.parse(url)).transpose();
        let url = url.map_err(|fault| fault.problem("/url"))?;
        let headers = match &changes.headers {
            None => None,
            Some(headers) if headers.is_empty() => Some((Vec::new(), None)),
            Some(headers) => {
                let sealed = self.seal(tenant, id, Sealed::Headers, &headers_text(headers)).await?;
                let names = headers.iter().map(|(name, _)| name.clone()).collect();
                Some((names, Some(sealed)))
            }
        };
        let verify_token = match &changes.verify_token {
            Some(None) => Some(SealedToken(None)),
            Some(Some(token)) if format == EndpointFormat::Meta => {
                let sealed = self.seal(tenant, id, Sealed::VerifyToken, token).await?;
                Some(SealedToken(Some(sealed)))
            }
            None | Some(Some(_)) => None,
        };
        let kinds = changes.kinds.as_ref();
        let numbers = changes.phone_number_ids.as_ref();
        Ok(Prepared {
            url: url.map(|url| url.as_str().to_owned()),
            kinds: kinds.map(|kinds| kinds.iter().filter_map(|kind| KindPattern::parse(kind)).collect()),
            phone_number_ids: numbers
                .map(|numbers| numbers.iter().filter_map(|id| PhoneNumberId::parse(id).ok()).collect()),
            order: changes.order,
            batch_max: changes.batch_max,
            per_second: changes.per_second,
            concurrency: changes.concurrency,
            headers,
            verify_token,
        })
    }

    /// Loads the endpoint, applies the change and saves it. If another writer saved first it starts again, unless a version
    /// was named.
    pub(super) async fn save(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        expected: &ExpectedVersion,
        deed: Deed<'_>,
        mut change: impl FnMut(&mut Endpoint) -> Result<Step, Problem> + Send,
    ) -> Result<Endpoint, Failure> {
        let deed = deed.of(tenant_id).about("endpoint", id);
        for _ in 0..ROUNDS_MAX {
            let found = self.ports.endpoints.find_endpoint(tenant_id, id).await?;
            let before = found.ok_or_else(super::no_such_endpoint)?;
            expected.check(before.version)?;
            let mut endpoint = before.clone();
            if change(&mut endpoint)? == Step::Leave || endpoint == before {
                return Ok(before);
            }
            endpoint.updated_at = self.ports.clock.now();
            let change = AuditedChange::SaveEndpoint(Box::new(endpoint.clone()));
            let fields = endpoint_changes(&before, &endpoint);
            if self.ledger.carry_out(&change, &deed, fields).await? == Carried::Done {
                endpoint.version += 1;
                self.ports.news.tell_endpoints(tenant_id);
                tracing::info!(%tenant_id, endpoint_id = %id, version = endpoint.version, "endpoint changed");
                return Ok(endpoint);
            }
        }
        Err(Failure::KeptChanging("endpoint"))
    }
}
