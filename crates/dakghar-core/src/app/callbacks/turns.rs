//! Tests of endpoints that are under way.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::TenantId;

/// Tests under way: one of each tenant.
#[derive(Debug, Default)]
pub(in crate::app) struct Tests(Mutex<HashSet<TenantId>>);

impl Tests {
    /// Begins one; `None` while another of this tenant is under way.
    pub(super) fn begin(self: &Arc<Self>, tenant_id: &TenantId) -> Option<Turn> {
        let is_free = self.0.lock().insert(*tenant_id);
        is_free.then(|| Turn(self.clone(), *tenant_id))
    }
}

/// A test that is under way. It ends when dropped, also with the request that asked for it.
pub(super) struct Turn(Arc<Tests>, TenantId);

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
    fn a_tenant_has_one_test_at_a_time() {
        let tests = Arc::new(Tests::default());
        let [one, other] = [1, 2].map(|id| TenantId::from_uuid(Uuid::from_u128(id)));
        let turn = tests.begin(&one);
        assert!(turn.is_some() && tests.begin(&one).is_none() && tests.begin(&other).is_some());
        drop(turn);
        assert!(tests.begin(&one).is_some());
    }
}
