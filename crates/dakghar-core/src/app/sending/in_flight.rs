//! Limits on the calls under way, for each number and each tenant. While the Graph API is slow, one tenant must not
//! take every place.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::{PhoneNumber, PhoneNumberId, TenantId};

/// A number may have this many seconds of its level under way.
const SECONDS_UNDER_WAY: f64 = 2.0;
/// Calls that even the slowest number may have under way.
const CALLS_MIN: u32 = 4;

/// The bytes of messages that a worker has in its hand, waiting or under way, at which it takes no more.
const HAND_BYTES_MAX: usize = 32 * 1024 * 1024;

#[derive(Default)]
struct Counts {
    all: u32,
    bytes: usize,
    numbers: HashMap<PhoneNumberId, u32>,
    tenants: HashMap<TenantId, u32>,
}

/// The calls under way in this process.
pub(super) struct InFlightLimits {
    counts: Arc<Mutex<Counts>>,
    places: u32,
}

/// A place among the calls under way. It is given back when dropped.
pub(super) struct InFlight {
    counts: Arc<Mutex<Counts>>,
    number: PhoneNumberId,
    tenant: TenantId,
}

/// The bytes of a message in the hand of the worker. Given back when dropped.
pub(super) struct InHand {
    counts: Arc<Mutex<Counts>>,
    bytes: usize,
}

impl InFlightLimits {
    /// Makes the limits of a worker with this many places.
    pub(super) fn new(places: u32) -> Self {
        Self {
            counts: Arc::default(),
            places: places.max(1),
        }
    }

    /// Returns the number of free places; none while the hand is full.
    pub(super) fn places_free(&self) -> usize {
        let counts = self.counts.lock();
        if counts.bytes >= HAND_BYTES_MAX {
            return 0;
        }
        self.places.saturating_sub(counts.all) as usize
    }

    /// True if no further message is to be read.
    pub(super) fn hand_is_full(&self) -> bool {
        self.counts.lock().bytes >= HAND_BYTES_MAX
    }

    /// Takes a message into the hand.
    pub(super) fn hold(&self, bytes: usize) -> InHand {
        self.counts.lock().bytes += bytes;
        InHand {
            counts: self.counts.clone(),
            bytes,
        }
    }

    /// Returns the calls of a tenant.
    pub(super) fn of_tenant(&self, tenant: &TenantId) -> u32 {
        self.counts.lock().tenants.get(tenant).copied().unwrap_or(0)
    }

    /// Takes a place for one call. Returns `None` if no place is free, or the number or the tenant has all of its own.
    pub(super) fn enter(&self, tenant: &TenantId, number: &PhoneNumber) -> Option<InFlight> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is positive and small"
        )]
        let number_max = ((number.level() * SECONDS_UNDER_WAY) as u32).max(CALLS_MIN);
        let mut counts = self.counts.lock();
        let of_tenant = counts.tenants.get(tenant).copied().unwrap_or(0);
        let of_number = counts.numbers.get(&number.phone_number_id).copied().unwrap_or(0);
        // While places are plenty, one tenant may have most of them; when they get scarce, at most half.
        let is_scarce = counts.all >= self.places / 4 * 3;
        let is_full = counts.all >= self.places;
        let half = (self.places / 2).max(1);
        if is_full || (is_scarce && of_tenant >= half) || of_number >= number_max {
            return None;
        }
        counts.all += 1;
        counts.tenants.insert(*tenant, of_tenant + 1);
        counts.numbers.insert(number.phone_number_id.clone(), of_number + 1);
        Some(InFlight {
            counts: self.counts.clone(),
            number: number.phone_number_id.clone(),
            tenant: *tenant,
        })
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.counts.lock().bytes -= self.bytes;
    }
}

impl std::fmt::Debug for InHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("InHand").field(&self.bytes).finish()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.all -= 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::standing::Standing;
    use uuid::Uuid;

    fn number(id: &str, messages_per_second: u32) -> PhoneNumber {
        PhoneNumber {
            phone_number_id: PhoneNumberId::parse(id).expect("digits"),
            waba_id: None,
            waba_is_learned: false,
            display_phone_number: None,
            default_country: None,
            sealed_token: Vec::new(),
            simulated: false,
            messages_per_second,
            hold: None,
            token_refusals: 0,
            token: None,
            sealed_pin: None,
            standing: Standing::default(),
        }
    }

    #[test]
    fn one_tenant_leaves_places_for_others_and_one_number_for_its_siblings() {
        let limits = InFlightLimits::new(100);
        let (greedy, other) = (
            TenantId::from_uuid(Uuid::from_u128(1)),
            TenantId::from_uuid(Uuid::from_u128(2)),
        );
        let fast = number("1", 100_000);
        let held: Vec<_> = (0..200).map_while(|_| limits.enter(&greedy, &fast)).collect();
        assert_eq!(held.len(), 75, "places stay free for others");
        let others: Vec<_> = (0..200)
            .map_while(|n| limits.enter(&TenantId::from_uuid(Uuid::from_u128(10 + n)), &number("2", 80_000)))
            .collect();
        assert_eq!(others.len(), 25);
        assert_eq!(limits.places_free(), 0);
        assert!(limits.enter(&other, &number("2", 80)).is_none(), "all places are taken");
        drop((held, others));
        assert_eq!(limits.places_free(), 100);
        let slow = number("3", 10);
        let held: Vec<_> = (0..200).map_while(|_| limits.enter(&greedy, &slow)).collect();
        assert_eq!(held.len(), 20, "two seconds of ten a second");
        assert!(limits.enter(&greedy, &fast).is_some());
    }

    #[test]
    fn a_full_hand_takes_no_more_until_something_is_given_back() {
        let limits = InFlightLimits::new(100);
        let most = limits.hold(HAND_BYTES_MAX - 1);
        assert_eq!((limits.places_free(), limits.hand_is_full()), (100, false));
        let last = limits.hold(1_000);
        assert_eq!((limits.places_free(), limits.hand_is_full()), (0, true));
        drop(most);
        assert_eq!((limits.places_free(), limits.hand_is_full()), (100, false));
        drop(last);
        assert_eq!(limits.counts.lock().bytes, 0);
    }

    #[test]
    fn a_worker_with_a_single_place_uses_it() {
        let limits = InFlightLimits::new(1);
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let place = limits.enter(&tenant, &number("1", 80));
        assert!(place.is_some());
        assert!(limits.enter(&tenant, &number("2", 80)).is_none(), "it is taken");
        drop(place);
        assert!(limits.enter(&tenant, &number("2", 80)).is_some());
    }
}
