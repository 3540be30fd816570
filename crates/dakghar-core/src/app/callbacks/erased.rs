//! Records that wait in memory while their person is erased.
//!
//! A record is read long before a slow receiver takes it. So that nobody is handed what was erased meanwhile, the erasures of
//! the tenant are looked at while something waits. One look is for all that waits, and only where somebody was erased are the
//! records read again.

use std::collections::HashMap;
use std::time::Duration;

use super::deps::Deps;
use super::item::Item;
use super::state::EndpointRun;
use crate::app::failure::Failure;
use crate::domain::TenantId;
use crate::domain::erasure::PersonErasure;
use crate::domain::feed::PlacedEntry;
use crate::domain::page::PageLimit;

/// The longest that what was read or looked after is handed over without another look.
pub(in crate::app) const FRESH_FOR: Duration = Duration::from_secs(5);
/// The wait between two looks while something waits.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Erasures of the tenant that are looked at: the newest.
const LOOKED_AT_MAX: u32 = 100;
/// By so much the clock of the process that carried out an erasure may be behind.
const CLOCKS_APART_MAX: Duration = Duration::from_mins(1);

impl EndpointRun {
    /// Reads again what waits if somebody of the tenant was erased since it was read.
    pub(super) async fn look_for_erasures(&mut self) -> Result<(), Failure> {
        let uptime = self.deps.clock.uptime();
        if !self.has_records() {
            self.fresh_at = uptime;
            return Ok(());
        }
        if uptime.saturating_sub(self.fresh_at) < LOOK_EVERY {
            return Ok(());
        }
        let tenant_id = self.endpoint.tenant_id;
        if self.deps.were_erased(&tenant_id, self.fresh_at).await? {
            self.read_again().await?;
        }
        self.fresh_at = uptime;
        Ok(())
    }

    async fn read_again(&mut self) -> Result<(), Failure> {
        let mut left: Vec<PlacedEntry> = self.records().map(|item| item.placed()).collect();
        let mut read = HashMap::new();
        while !left.is_empty() {
            // As many as one reading has room for, at least one.
            let some = self.deps.feed.with_records(&self.endpoint.tenant_id, left.clone());
            for feed in some.await? {
                read.insert(feed.place, feed);
            }
            let before = left.len();
            left.retain(|placed| !read.contains_key(&placed.place));
            if left.len() == before {
                break;
            }
        }
        for item in self.records() {
            if let Some(feed) = read.get(&item.place()) {
                item.feed = feed.clone();
            }
        }
        Ok(())
    }

    fn has_records(&self) -> bool {
        let is_replayed = self.replay.as_ref().is_some_and(|run| run.window.waiting() > 0);
        self.window.waiting() > 0 || !self.due.is_empty() || is_replayed
    }

    /// What waits in memory. What is under way was looked after when its call began.
    fn records(&mut self) -> impl Iterator<Item = &mut Item> {
        let replayed = self.replay.iter_mut().flat_map(|run| run.window.waiting_mut());
        self.window.waiting_mut().chain(&mut self.due).chain(replayed)
    }
}

impl Deps {
    /// True if what was read or looked after at that time since the boot may be of somebody who was erased since.
    pub(super) async fn may_be_erased(&self, tenant_id: &TenantId, fresh_at: Duration) -> Result<bool, Failure> {
        let is_fresh = self.clock.uptime().saturating_sub(fresh_at) < FRESH_FOR;
        Ok(!is_fresh && self.were_erased(tenant_id, fresh_at).await?)
    }

    /// True if people of the tenant are being erased, or were since that time since the boot.
    async fn were_erased(&self, tenant_id: &TenantId, since: Duration) -> Result<bool, Failure> {
        let since = self.clock.now() - self.clock.uptime().saturating_sub(since) - CLOCKS_APART_MAX;
        let limit = PageLimit::items(LOOKED_AT_MAX);
        let listed = self.erasures.list_erasures(tenant_id, None, limit).await?;
        let is_meant = |erasure: &PersonErasure| erasure.is_open() || erasure.updated_at >= since;
        Ok(listed.items.iter().any(is_meant))
    }
}
