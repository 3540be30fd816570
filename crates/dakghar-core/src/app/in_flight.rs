//! How many calls may be under way: for one number, and for one tenant. A slow Graph API must not let one tenant take
//! every place.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::{PhoneNumber, PhoneNumberId, TenantId};

/// Seconds of its planned rate that a number may have under way.
const SECONDS_UNDER_WAY: f64 = 2.0;
/// Calls that even the slowest number may have under way.
const CALLS_MIN: u32 = 4;

#[derive(Default)]
struct Counts {
    numbers: HashMap<PhoneNumberId, u32>,
    tenants: HashMap<TenantId, u32>,
}

/// The calls under way in this process.
pub(super) struct InFlightLimits {
    counts: Arc<Mutex<Counts>>,
    tenant_max: u32,
}

/// A place among the calls under way; given back when dropped.
pub(super) struct InFlight {
    counts: Arc<Mutex<Counts>>,
    number: PhoneNumberId,
    tenant: TenantId,
}

impl InFlightLimits {
    /// Limits for a worker with this many places.
    pub(super) fn new(places: u32) -> Self {
        Self {
            counts: Arc::default(),
            tenant_max: (places / 2).max(1),
        }
    }

    /// A place for one call, unless the number or the tenant has all of its own.
    pub(super) fn enter(&self, tenant: &TenantId, number: &PhoneNumber) -> Option<InFlight> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is positive and small"
        )]
        let number_max = ((number.planned_per_second() * SECONDS_UNDER_WAY) as u32).max(CALLS_MIN);
        let mut counts = self.counts.lock();
        let of_tenant = counts.tenants.get(tenant).copied().unwrap_or(0);
        let of_number = counts.numbers.get(&number.phone_number_id).copied().unwrap_or(0);
        if of_tenant >= self.tenant_max || of_number >= number_max {
            return None;
        }
        counts.tenants.insert(*tenant, of_tenant + 1);
        counts.numbers.insert(number.phone_number_id.clone(), of_number + 1);
        Some(InFlight {
            counts: self.counts.clone(),
            number: number.phone_number_id.clone(),
            tenant: *tenant,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        leave(&mut counts.tenants, &self.tenant);
        leave(&mut counts.numbers, &self.number);
    }
}

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InFlight")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

fn leave<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
