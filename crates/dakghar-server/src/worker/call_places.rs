//! Places for calls of endpoints, shared out among tenants: receivers that hang hold up those of no other tenant.
//!
//! Half of the places are for whoever comes. The fewer are left of the other half, the fewer a tenant may have that wants one
//! more. Of those who wait, a tenant with the fewest calls is next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use dakghar_core::domain::TenantId;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A tenant may have one call more for each so many places that are left, once half of all are taken.
const PLACES_LEFT_FOR_ONE: usize = 64;

/// The places of a process; cheap to clone.
#[derive(Clone)]
pub(super) struct CallPlaces(Arc<Mutex<State>>);

struct State {
    places: usize,
    taken: usize,
    of_tenants: HashMap<TenantId, usize>,
    /// Those who wait, with the order in which they came: at most the calls that a tenant may have. None is empty.
    waiting: HashMap<TenantId, VecDeque<(u64, oneshot::Sender<CallPlace>)>>,
    came: u64,
}

/// A place for a call. It is given back when dropped.
pub(super) struct CallPlace {
    places: CallPlaces,
    tenant_id: TenantId,
}

impl CallPlaces {
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            places,
            taken: 0,
            of_tenants: HashMap::new(),
            waiting: HashMap::new(),
            came: 0,
        })))
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, tenant_id: TenantId) -> CallPlace {
        let given = {
            let mut state = self.0.lock();
            let (sender, given) = oneshot::channel();
            state.came += 1;
            let came = state.came;
            state.waiting.entry(tenant_id).or_default().push_back((came, sender));
            given
        };
        self.give();
        given.await.expect("who waits is forgotten only when given a place")
    }

    /// Gives away the places that may be had.
    fn give(&self) {
        let mut given = Vec::new();
        {
            let mut state = self.0.lock();
            while let Some((tenant_id, sender)) = state.next() {
                let places = self.clone();
                given.push((sender, CallPlace { places, tenant_id }));
            }
        }
        for (sender, place) in given {
            // Who does not wait any more drops it, and another one is given it.
            let _ = sender.send(place);
        }
    }
}

impl State {
    /// Takes a place for who is next; `None` if nobody may have one.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<CallPlace>)> {
        self.waiting.retain(|_, line| {
            while line.front().is_some_and(|(_, sender)| sender.is_closed()) {
                line.pop_front();
            }
            !line.is_empty()
        });
        let may_have = self.may_have();
        let of = |tenant_id| self.of_tenants.get(tenant_id).copied().unwrap_or_default();
        let first = self.waiting.iter().filter_map(|(tenant_id, line)| {
            let (came, _) = line.front()?;
            let has = of(tenant_id);
            (has < may_have).then_some((has, *came, *tenant_id))
        });
        let (_, _, tenant_id) = first.min()?;
        let line = self.waiting.get_mut(&tenant_id)?;
        let (_, sender) = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&tenant_id);
        }
        self.taken += 1;
        *self.of_tenants.entry(tenant_id).or_default() += 1;
        Some((tenant_id, sender))
    }

    /// The calls below which a tenant may have one more.
    fn may_have(&self) -> usize {
        match self.places.saturating_sub(self.taken) {
            0 => 0,
            left if 2 * left > self.places => usize::MAX,
            left => left.div_ceil(PLACES_LEFT_FOR_ONE),
        }
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        {
            let mut state = self.places.0.lock();
            state.taken -= 1;
            if let Some(calls) = state.of_tenants.get_mut(&self.tenant_id) {
                *calls -= 1;
                if *calls == 0 {
                    state.of_tenants.remove(&self.tenant_id);
                }
            }
        }
        self.places.give();
    }
}

#[cfg(test)]
mod tests {
    use dakghar_core::ports::IdGenerator as _;
    use dakghar_testkit::SequentialIds;
    use futures_util::FutureExt as _;

    use super::*;

    fn tenants(count: usize) -> Vec<TenantId> {
        let ids = SequentialIds::default();
        (0..count).map(|_| ids.tenant_id()).collect()
    }

    /// As many places as it may have now.
    fn fill(places: &CallPlaces, tenant_id: TenantId, wanted: usize) -> Vec<CallPlace> {
        let entered = (0..wanted).map_while(|_| places.enter(tenant_id).now_or_never());
        entered.collect()
    }

    #[test]
    fn one_alone_has_half_and_others_have_their_share_of_the_rest() {
        let (places, tenants) = (CallPlaces::new(1_024), tenants(1_000));
        let mut taken = fill(&places, tenants[0], 2_000);
        assert_eq!(taken.len(), 512);
        for tenant_id in &tenants[1..4] {
            let more = fill(&places, *tenant_id, 2_000);
            assert_eq!(more.len(), 8);
            taken.extend(more);
        }
        // Many tenants that hang take fewer and fewer, and whoever comes then still finds one.
        for tenant_id in &tenants[4..150] {
            let more = fill(&places, *tenant_id, 52);
            assert!((1..=8).contains(&more.len()), "{}", more.len());
            taken.extend(more);
        }
        assert!(fill(&places, tenants[0], 1).is_empty());
        for tenant_id in &tenants[150..] {
            taken.extend(fill(&places, *tenant_id, 1));
        }
        assert_eq!(taken.len(), 1_024, "no place is left unused for ever");
        drop(taken);
        assert!(places.0.lock().of_tenants.is_empty());
    }

    #[test]
    fn who_has_the_fewest_is_next_and_then_who_came_first() {
        let (places, tenants) = (CallPlaces::new(4), tenants(6));
        let mut taken: Vec<_> = fill(&places, tenants[1], 9);
        taken.extend([2, 3].map(|n| fill(&places, tenants[n], 1).remove(0)));
        assert_eq!(taken.len(), 4);
        let mut waits: Vec<_> = [2, 4, 5, 1].map(|n| (n, Box::pin(places.enter(tenants[n])))).into();
        let mut came = Vec::new();
        let mut had = Vec::new();
        for _ in 0..2 {
            for (_, wait) in &mut waits {
                assert!(wait.as_mut().now_or_never().is_none());
            }
            drop(taken.remove(0));
            waits.retain_mut(|(n, wait)| {
                let place = wait.as_mut().now_or_never();
                let waits = place.is_none();
                if !waits {
                    came.push(*n);
                }
                had.extend(place);
                waits
            });
        }
        assert_eq!(came, [4, 5]);
    }

    #[test]
    fn a_place_for_one_who_does_not_wait_any_more_goes_to_another() {
        let (places, tenants) = (CallPlaces::new(1), tenants(3));
        let taken = fill(&places, tenants[0], 1);
        let mut gone = Box::pin(places.enter(tenants[1]));
        let mut stays = Box::pin(places.enter(tenants[2]));
        assert!(gone.as_mut().now_or_never().is_none() && stays.as_mut().now_or_never().is_none());
        drop(gone);
        drop(taken);
        assert!(stays.now_or_never().is_some());
        assert_eq!(places.0.lock().taken, 0);
    }
}
