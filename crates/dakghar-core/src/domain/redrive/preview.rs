//! What a redrive would do.

use std::collections::{HashMap, HashSet};

use super::{LeftOut, Redrive};
use crate::domain::ids::{PhoneNumberId, TenantId};
use crate::domain::message::{DeadLetter, DeadReason, Status};
use crate::domain::time::Present;

/// Dead letters that a preview shows.
pub const PREVIEW_EXAMPLES: usize = 5;
/// Groups that a preview tells apart, of each kind; the largest.
pub const PREVIEW_GROUPS_MAX: usize = 50;
/// Groups that are counted at a time; what belongs to further ones is in the sums only.
const COUNTED_GROUPS_MAX: usize = 10_000;

/// So many would be sent again that ended like this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CauseCount {
    /// `dead`, `failed` or `expired`.
    pub status: Status,
    /// Why they are `dead`.
    pub reason: Option<DeadReason>,
    /// Meta's code.
    pub code: Option<i64>,
    /// How many.
    pub count: u64,
}

/// So many would be sent again of this number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NumberCount {
    /// The tenant that sent them.
    pub tenant_id: TenantId,
    /// The number.
    pub phone_number_id: PhoneNumberId,
    /// How many.
    pub count: u64,
    /// True if the tenant does not have the number any more: they would end as `dead` (`number_removed`) again.
    pub is_removed: bool,
}

/// What a redrive would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedrivePreview {
    /// Dead letters that would be sent again.
    pub redrivable: u64,
    /// Dead letters that match and would be left out, because they may have been delivered.
    pub left_out: u64,
    /// Dead letters that match and would be left out, because the time in which they may be sent is over.
    pub expired: u64,
    /// False if there are more than could be counted in time.
    pub is_complete: bool,
    /// Some that would be sent again, the newest.
    pub examples: Vec<DeadLetter>,
    pub(super) causes: HashMap<(Status, Option<DeadReason>, Option<i64>), u64>,
    numbers: HashMap<(TenantId, PhoneNumberId), u64>,
    removed: HashSet<(TenantId, PhoneNumberId)>,
}

impl RedrivePreview {
    /// Counts a dead letter, if the redrive is about it.
    pub fn add(&mut self, redrive: &Redrive, letter: &DeadLetter, present: Present) {
        if !redrive.is_about(letter) {
            return;
        }
        match redrive.leaves_out(letter, present) {
            Some(LeftOut::Expired) => return self.expired += 1,
            Some(LeftOut::MayHaveArrived) => return self.left_out += 1,
            None => {}
        }
        self.redrivable += 1;
        if self.examples.len() < PREVIEW_EXAMPLES {
            self.examples.push(letter.clone());
        }
        count(&mut self.causes, (letter.status, letter.reason, letter.code));
        count(
            &mut self.numbers,
            (letter.key.tenant_id, letter.phone_number_id.clone()),
        );
    }

    /// Returns the number of dead letters that match.
    pub const fn total(&self) -> u64 {
        self.redrivable + self.left_out + self.expired
    }

    /// Returns the tenants of those that would be sent again.
    pub fn tenants(&self) -> HashSet<TenantId> {
        self.numbers.keys().map(|(tenant_id, _)| *tenant_id).collect()
    }

    /// Notes which numbers are removed.
    pub fn find_removed(&mut self, is_removed: impl Fn(&TenantId, &PhoneNumberId) -> bool) {
        let numbers = self.numbers.keys();
        let removed = numbers.filter(|(tenant_id, number)| is_removed(tenant_id, number));
        self.removed = removed.cloned().collect();
    }

    /// Returns how many of those that would be sent again are of a number that their tenant does not have any more.
    pub fn number_removed(&self) -> u64 {
        let counts = self.removed.iter().filter_map(|number| self.numbers.get(number));
        counts.sum()
    }

    /// Returns how those that would be sent again ended, the most frequent first.
    pub fn by_cause(&self) -> Vec<CauseCount> {
        let each = self.causes.iter().map(|((status, reason, code), count)| CauseCount {
            status: *status,
            reason: *reason,
            code: *code,
            count: *count,
        });
        largest(
            each.collect(),
            |cause| cause.count,
            |cause| (cause.status, cause.reason.map(DeadReason::as_str), cause.code),
        )
    }

    /// Returns the numbers of those that would be sent again, the most frequent first.
    pub fn by_number(&self) -> Vec<NumberCount> {
        let each = self.numbers.iter().map(|(key, count)| NumberCount {
            tenant_id: key.0,
            phone_number_id: key.1.clone(),
            count: *count,
            is_removed: self.removed.contains(key),
        });
        largest(
            each.collect(),
            |number| number.count,
            |number| (number.tenant_id, number.phone_number_id.clone()),
        )
    }
}

fn count<K: Eq + std::hash::Hash>(groups: &mut HashMap<K, u64>, key: K) {
    let is_full = groups.len() >= COUNTED_GROUPS_MAX;
    match groups.get_mut(&key) {
        Some(count) => *count += 1,
        None if is_full => {}
        None => _ = groups.insert(key, 1),
    }
}

fn largest<T, K: Ord>(mut groups: Vec<T>, count: impl Fn(&T) -> u64, name: impl Fn(&T) -> K) -> Vec<T> {
    groups.sort_by_cached_key(|group| (std::cmp::Reverse(count(group)), name(group)));
    groups.truncate(PREVIEW_GROUPS_MAX);
    groups
}
