//! Which of many are busy, in bounded memory.

use std::collections::HashMap;

use crate::domain::TenantId;

/// Counts tenants, with room for a few of them. When there is none left, the median weight is taken off all, and half of
/// them go. So whoever has more than one part in room / 2 of everything that was added is among them for certain (the
/// rule of Misra and Gries, in steps that pay for themselves).
#[derive(Debug)]
pub(super) struct Busy {
    room: usize,
    weights: HashMap<TenantId, u64>,
}

impl Busy {
    pub(super) fn with_room_for(room: usize) -> Self {
        Self {
            room,
            weights: HashMap::with_capacity(room),
        }
    }

    /// Adds to the weight of a tenant.
    pub(super) fn add(&mut self, tenant: TenantId, weight: u64) {
        if let Some(known) = self.weights.get_mut(&tenant) {
            *known = known.saturating_add(weight);
            return;
        }
        if self.weights.len() >= self.room {
            self.make_room();
        }
        self.weights.insert(tenant, weight);
    }

    fn make_room(&mut self) {
        let mut all: Vec<u64> = self.weights.values().copied().collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        let median = *median;
        self.weights.retain(|_, known| {
            *known = known.saturating_sub(median);
            *known > 0
        });
    }

    /// Takes all out with their weights.
    pub(super) fn take(&mut self) -> Vec<(TenantId, u64)> {
        self.weights.drain().collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }
}
