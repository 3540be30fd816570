//! Opt-outs: what people say is kept under all ids that they are known by, whoever reports it, and whatever the tenant wants
//! to be done about it.
//!
//! What a webhook says is kept before its answer. A crash in between leaves an opt-out that is true; Meta posts again, and
//! keeping it again changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::people::{People, person_id};
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::opt_out::{OptOut, OptOutKey, OptOutScope, OptOutSource, PersonMark, Wish};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::{PersonIds, TenantId, Timestamp, WaId};
use crate::ports::{AuditedChange, Clock, OptOutStore, Ports, StoreError};
use crate::vault::InstallationSecrets;

/// Opt-outs of people.
pub struct OptOuts {
    store: Arc<dyn OptOutStore>,
    people: People,
    secrets: Arc<InstallationSecrets>,
    clock: Arc<dyn Clock>,
    ledger: Ledger,
}

/// How a person stands with a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptedOut {
    /// The opt-outs that count, the first of each scope.
    pub opt_outs: Vec<OptOut>,
}

impl OptOuts {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            store: ports.opt_outs.clone(),
            people: People::new(ports.conversations.clone()),
            secrets: ports.secrets.clone(),
            clock: ports.clock.clone(),
            ledger: Ledger::new(ports),
        }
    }

    /// Keeps what people said in a webhook.
    pub(super) async fn keep(&self, said: Vec<(TenantId, Wish)>) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let mut batch = Vec::with_capacity(said.len());
        for (tenant_id, wish) in said {
            // What is told late counts from when it was said, and nothing counts from the future.
            let at = wish.at.unwrap_or(now).min(now);
            let person = self.people.behind(&tenant_id, wish.ids.iter().cloned()).await?;
            let record = |id: &WaId| self.record(&tenant_id, id, (wish.scope, wish.is_out), (at, wish.source));
            batch.extend(person.ids().iter().map(record));
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.store.note_opt_outs(&batch).await
    }

    /// Keeps the opt-outs of a person under all of these ids, which are theirs.
    pub(super) async fn spread(&self, tenant_id: &TenantId, person: &PersonIds) -> Result<(), StoreError> {
        let known = self.known(tenant_id, person.ids()).await?;
        let under_all = |said: OptOut| {
            let record = |id| self.record(tenant_id, id, (said.key.scope, true), (said.at, said.source));
            person.ids().iter().map(record).collect::<Vec<_>>()
        };
        let batch: Vec<OptOut> = known.opt_outs.into_iter().flat_map(under_all).collect();
        if batch.is_empty() {
            return Ok(());
        }
        self.store.note_opt_outs(&batch).await
    }

    /// Notes that a person wants no such messages from the tenant, as somebody says.
    pub async fn set(
        &self,
        tenant_id: &TenantId,
        person: &str,
        scope: OptOutScope,
        by: &Principal,
    ) -> Result<OptedOut, Failure> {
        self.say(
            tenant_id,
            person,
            (&[scope], true),
            Deed::new(by, AuditAction::OptOutSet),
        )
        .await
    }

    /// Takes the opt-outs of a person back, as somebody says.
    pub async fn remove(&self, tenant_id: &TenantId, person: &str, by: &Principal) -> Result<OptedOut, Failure> {
        let deed = Deed::new(by, AuditAction::OptOutRemoved);
        self.say(tenant_id, person, (&OptOutScope::ALL, false), deed).await
    }

    /// Returns how a person stands with the tenant.
    pub async fn find(&self, tenant_id: &TenantId, person: &str) -> Result<OptedOut, Failure> {
        let ids = self.people.behind(tenant_id, [person_id(person)?]).await?;
        Ok(self.known(tenant_id, ids.ids()).await?)
    }

    /// Returns opt-outs of a tenant.
    pub async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        self.store.list_opt_outs(tenant_id, before, limit).await
    }

    async fn say(
        &self,
        tenant_id: &TenantId,
        person: &str,
        (scopes, is_out): (&[OptOutScope], bool),
        deed: Deed<'_>,
    ) -> Result<OptedOut, Failure> {
        let ids = self.people.behind(tenant_id, [person_id(person)?]).await?;
        // What somebody asks for now counts, also beside what was dated by a clock that is a little ahead.
        let known = self
            .store
            .find_opt_outs(tenant_id, &self.marks(tenant_id, ids.ids()))
            .await?;
        let behind = known.iter().map(|said| said.at + Duration::from_millis(1)).max();
        let at = self.clock.wall().max(behind.unwrap_or(Timestamp::from_millis(0)));
        let of_scope = |scope: &OptOutScope| {
            let record = |id| self.record(tenant_id, id, (*scope, is_out), (at, OptOutSource::Api));
            ids.ids().iter().map(record).collect::<Vec<_>>()
        };
        let batch: Vec<OptOut> = scopes.iter().flat_map(of_scope).collect();
        let change = AuditedChange::NoteOptOuts(batch);
        self.ledger.carry_out(&change, &deed.of(tenant_id), Vec::new()).await?;
        Ok(self.known(tenant_id, ids.ids()).await?)
    }

    async fn known(&self, tenant_id: &TenantId, ids: &[WaId]) -> Result<OptedOut, StoreError> {
        let mut found = self.store.find_opt_outs(tenant_id, &self.marks(tenant_id, ids)).await?;
        found.retain(|said| said.is_out);
        found.sort_by_key(|said| (said.key.scope, said.at, said.key.mark));
        found.dedup_by_key(|said| said.key.scope);
        Ok(OptedOut { opt_outs: found })
    }

    fn marks(&self, tenant_id: &TenantId, ids: &[WaId]) -> Vec<PersonMark> {
        ids.iter().map(|id| self.secrets.mark_person(tenant_id, id)).collect()
    }

    fn record(
        &self,
        tenant_id: &TenantId,
        id: &WaId,
        (scope, is_out): (OptOutScope, bool),
        (at, source): (Timestamp, OptOutSource),
    ) -> OptOut {
        OptOut {
            tenant_id: *tenant_id,
            key: OptOutKey {
                mark: self.secrets.mark_person(tenant_id, id),
                scope,
            },
            person: is_out.then(|| id.clone()),
            is_out,
            at,
            source,
        }
    }
}
