//! The requests of tenants in the present second, as one process counts them.

use std::collections::HashMap;
use std::time::Duration;

use super::ids::TenantId;

/// The requests of each tenant in one second. Nothing is kept of the second before, so it holds no more tenants than
/// ask in a second.
#[derive(Debug, Default)]
pub struct RequestSecond {
    second: u64,
    used: HashMap<TenantId, u32>,
}

impl RequestSecond {
    /// Counts up to `requests` and returns how many of them may go on, and how many more there may be. `now` is any time
    /// that does not step.
    pub fn take(&mut self, tenant: &TenantId, per_second: u32, requests: u32, now: Duration) -> (u32, u32) {
        if self.second != now.as_secs() {
            self.second = now.as_secs();
            self.used.clear();
        }
        let used = self.used.entry(*tenant).or_default();
        let granted = requests.min(per_second.saturating_sub(*used));
        *used += granted;
        (granted, per_second.saturating_sub(*used))
    }
}

/// Returns the milliseconds to the next second, 1 to 1,000.
pub const fn resets_in_ms(now: Duration) -> u32 {
    1000 - now.subsec_millis()
}
