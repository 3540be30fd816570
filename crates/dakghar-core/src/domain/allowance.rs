//! Meta's allowances for calls: of an account with all its numbers, and of an app with all its accounts.
//!
//! Meta says in an answer how much of one is used, and refuses when it is used up (80007 for an account, 4 for an app).

use std::time::Duration;

use super::ids::WabaId;

/// The share from which calls are spread out, in percent.
pub const SPREAD_FROM_PERCENT: u32 = 90;
/// The longest rest that one answer causes, whatever it says.
pub const REST_MAX: Duration = Duration::from_hours(1);
/// The rest of an allowance that is used up, if Meta does not say how long it lasts.
const USED_UP_REST: Duration = Duration::from_secs(60);

/// The use of one allowance, by the shares that Meta counts, each in percent of what is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The share of calls.
    pub calls: u32,
    /// The share of processor time.
    pub cpu_time: u32,
    /// The share of time.
    pub time: u32,
    /// The time after which calls are taken again, if Meta says that they are not now.
    pub regained_after: Option<Duration>,
}

impl Usage {
    /// Returns the highest of the shares: the one that binds.
    pub fn percent(&self) -> u32 {
        self.calls.max(self.cpu_time).max(self.time)
    }

    /// Returns the rest that all who spend this allowance need now: longer and longer from [`SPREAD_FROM_PERCENT`] on, a
    /// second for each percent, so that it is not used up at once.
    pub fn rest(&self) -> Option<Duration> {
        if let Some(regained_after) = self.regained_after {
            return Some(regained_after.min(REST_MAX));
        }
        match self.percent() {
            100.. => Some(USED_UP_REST),
            percent @ SPREAD_FROM_PERCENT.. => Some(Duration::from_secs(u64::from(percent - SPREAD_FROM_PERCENT + 1))),
            _ => None,
        }
    }
}

/// The use of allowances that one answer tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowancesUsed {
    /// Of accounts.
    pub accounts: Vec<(WabaId, Usage)>,
    /// Of the app that the token of the call is of.
    pub app: Option<Usage>,
}

impl AllowancesUsed {
    /// True if the answer told nothing.
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.app.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_the_shares_binds() {
        let usage = |calls, cpu_time, time| Usage {
            calls,
            cpu_time,
            time,
            regained_after: None,
        };
        for usage in [usage(9, 2, 3), usage(2, 9, 3), usage(2, 3, 9)] {
            assert_eq!(usage.percent(), 9, "{usage:?}");
        }
    }

    #[test]
    fn an_allowance_that_is_nearly_used_up_is_spent_slowly() {
        let rest = |percent, minutes: Option<u64>| {
            let regained_after = minutes.map(Duration::from_mins);
            Usage {
                cpu_time: percent,
                regained_after,
                ..Usage::default()
            }
            .rest()
            .map(|rest| rest.as_secs())
        };
        let told = [
            (0, None),
            (89, None),
            (90, Some(1)),
            (99, Some(10)),
            (100, Some(60)),
            (250, Some(60)),
        ];
        for (percent, expected) in told {
            assert_eq!(rest(percent, None), expected, "{percent}");
        }
        assert_eq!(rest(5, Some(3)), Some(180), "Meta knows better");
        assert_eq!(rest(100, Some(1_000_000)), Some(3_600));
    }
}
