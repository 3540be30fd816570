//! What people said about being written to.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{OptOut, OptOutKey, PersonMark, TenantId};
use dakghar_core::ports::{OptOutStore, PersonPortion, StoreError};

use super::{MemoryStore, State, page_of};

impl State {
    pub(super) fn note_opt_outs(&mut self, batch: &[OptOut]) {
        for said in batch {
            let key = (said.tenant_id, said.key);
            if self.opt_outs.get(&key).is_none_or(|known| said.replaces(known)) {
                self.opt_outs.insert(key, said.clone());
            }
        }
    }

    /// Takes the ids of a person out. Returns in how many records they were.
    pub(super) fn forget_person_in_opt_outs(&mut self, portion: &PersonPortion) -> u64 {
        let mut changed = 0;
        for said in self.opt_outs.values_mut() {
            let is_theirs = said.tenant_id == portion.tenant_id && said.at < portion.before;
            let person = said.person.as_ref().filter(|_| is_theirs);
            if person.is_some_and(|person| portion.person.ids().contains(person)) {
                said.person = None;
                changed += 1;
            }
        }
        changed
    }
}

#[async_trait]
impl OptOutStore for MemoryStore {
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError> {
        self.with(|state| state.note_opt_outs(batch))
    }

    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError> {
        self.with(|state| {
            let all = state.opt_outs.values();
            let found = all.filter(|said| said.tenant_id == *tenant_id && people.contains(&said.key.mark));
            found.cloned().collect()
        })
    }

    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        self.with(|state| {
            let all = state.opt_outs.values().rev();
            let found = all.filter(|said| said.tenant_id == *tenant_id && said.is_out);
            let below = found.filter(|said| before.is_none_or(|before| said.key < before));
            page_of(below.cloned(), limit)
        })
    }
}
