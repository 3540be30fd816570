//! Calls of receivers that a tenant asks for and waits for: tests of endpoints, and Meta's challenge. A tenant has one at a
//! time in a process, so nobody makes us call a stranger faster than that stranger answers.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::{ErrorCode, Problem, TenantId};

/// The calls under way: one of each tenant.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashSet<TenantId>>>);

impl Turns {
    /// Begins one, unless another of this tenant is under way.
    pub(super) fn begin(&self, tenant_id: &TenantId) -> Result<Turn, Problem> {
        if self.0.lock().insert(*tenant_id) {
            return Ok(Turn(self.clone(), *tenant_id));
        }
        let detail = "Another endpoint of this tenant is being called, for a test or with Meta's challenge.";
        Err(Problem::new(ErrorCode::RateLimited, detail))
    }
}

/// A call that is under way. It ends when dropped, also with the request that asked for it.
pub(in crate::app) struct Turn(Turns, TenantId);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_tenant_has_one_call_at_a_time() {
        let turns = Turns::default();
        let [one, other] = [1, 2].map(|id| TenantId::from_uuid(Uuid::from_u128(id)));
        let turn = turns.begin(&one);
        assert!(turn.is_ok() && turns.begin(&one).is_err() && turns.begin(&other).is_ok());
        drop(turn);
        assert!(turns.begin(&one).is_ok());
    }
}
