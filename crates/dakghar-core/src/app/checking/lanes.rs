//! Tenants with numbers to check, by how urgent that is.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::TenantId;
use crate::domain::standing::Urgency;

/// Tenants in one lane. Those beyond are found again by the next pass.
const LANE_MAX: usize = 10_000;
/// One turn in so many is for the least urgent lane, so that none is forgotten while there is always something urgent.
const LAST_LANE_EVERY: usize = 4;

/// Tenants with numbers to check.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: BTreeMap<Urgency, VecDeque<TenantId>>,
    /// The tenant of each lane that had the last turn. The next pass goes on behind it.
    last: BTreeMap<Urgency, TenantId>,
    turns: usize,
}

impl Lanes {
    /// Lanes without anybody, in which the turns go on.
    pub(super) fn emptied(self) -> Self {
        Self {
            waiting: BTreeMap::new(),
            ..self
        }
    }

    /// Adds a tenant, of whose numbers one is so urgent.
    pub(super) fn push(&mut self, urgency: Urgency, id: TenantId) {
        let lane = self.waiting.entry(urgency).or_default();
        if lane.len() < LANE_MAX {
            lane.push_back(id);
        }
    }

    /// Begins each lane behind the tenant that had its last turn before.
    pub(super) fn begin(&mut self) {
        for (urgency, lane) in &mut self.waiting {
            lane.make_contiguous().sort_unstable();
            if let Some(last) = self.last.get(urgency) {
                let behind = lane.partition_point(|id| id <= last);
                lane.rotate_left(behind);
            }
        }
    }

    /// The tenant whose turn it is.
    pub(super) fn front(&self) -> Option<(Urgency, TenantId)> {
        let mut lanes = self
            .waiting
            .iter()
            .filter_map(|(urgency, lane)| Some((*urgency, *lane.front()?)));
        if self.turns % LAST_LANE_EVERY == LAST_LANE_EVERY - 1 {
            lanes.next_back()
        } else {
            lanes.next()
        }
    }

    /// Ends the turn of the first tenant in a lane. One that is not done has another turn behind the others.
    pub(super) fn had_turn(&mut self, urgency: Urgency, is_done: bool) {
        let lane = self.waiting.entry(urgency).or_default();
        if let Some(id) = lane.pop_front() {
            self.last.insert(urgency, id);
            self.turns = self.turns.wrapping_add(1);
            if !is_done {
                lane.push_back(id);
            }
        }
    }

    /// True if nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.values().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(id: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(id))
    }

    /// Takes so many turns. Returns whose they were.
    fn turns(lanes: &mut Lanes, count: usize, is_done: bool) -> Vec<(Urgency, TenantId)> {
        let mut had = Vec::new();
        while had.len() < count
            && let Some((urgency, id)) = lanes.front()
        {
            lanes.had_turn(urgency, is_done);
            had.push((urgency, id));
        }
        had
    }

    #[test]
    fn the_urgent_ones_come_first_and_the_others_still_have_turns() {
        let mut lanes = Lanes::default();
        for id in 0..8 {
            lanes.push(Urgency::Due, tenant(id));
            lanes.push(Urgency::New, tenant(10 + id));
        }
        lanes.push(Urgency::Stopped, tenant(20));
        lanes.push(Urgency::Asked, tenant(21));
        lanes.begin();
        let had = turns(&mut lanes, 8, true);
        assert_eq!(
            had,
            [
                (Urgency::Stopped, tenant(20)),
                (Urgency::Asked, tenant(21)),
                (Urgency::New, tenant(10)),
                (Urgency::Due, tenant(0)),
                (Urgency::New, tenant(11)),
                (Urgency::New, tenant(12)),
                (Urgency::New, tenant(13)),
                (Urgency::Due, tenant(1)),
            ]
        );
        assert_eq!(turns(&mut lanes, 99, true).len(), 10);
        assert!(lanes.is_empty());
    }

    #[test]
    fn the_next_pass_goes_on_behind_the_last_turn_and_who_is_not_done_waits_for_the_others() {
        let mut lanes = Lanes::default();
        let filled = |mut lanes: Lanes| {
            for id in [3, 1, 2] {
                lanes.push(Urgency::Asked, tenant(id));
            }
            lanes.begin();
            lanes
        };
        let ids = |had: Vec<(Urgency, TenantId)>| had.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        lanes = filled(lanes);
        assert_eq!(ids(turns(&mut lanes, 4, false)), [1, 2, 3, 1].map(tenant));
        lanes = filled(lanes.emptied());
        assert_eq!(ids(turns(&mut lanes, 3, true)), [2, 3, 1].map(tenant));
    }
}
