//! The redrives that follow when the cause of dead letters has ended, as far as their tenant wants that.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | noting that a number fails and its dead letter | a number that is told to fail | its next message that goes out ends a cause of which there may be no letter |
//! | the end of a cause and its note | nothing: they are one save | |
//! | the note and the redrive | a note without a redrive | the next pass, of any process |
//! | the redrive and its messages | as with every redrive | whoever goes on (`sending/redrive_batch.rs`) |
//! | the end of the redrive and the note that goes | a note of a redrive that is over | the next pass, which finds the redrive and begins no other |
//!
//! The note names the id of its redrive, and storing that again changes nothing: so one end is followed once, whoever does
//! it. The redrives of one tenant follow each other, so that a number which works now and then does not fill the list.

use std::time::Duration;

use super::{COUNT_TIME_MAX, Redriving};
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::auto_redrive::{AutoRedrive, Automatic, CauseEnd};
use crate::domain::page::PageLimit;
use crate::domain::redrive::{NewRedrive, Redrive, RedriveFilter};
use crate::domain::{Actor, Tenant, TenantId};

/// Tenants that are looked at in one round.
const TENANTS: u32 = 100;
/// The wait between two passes over all tenants.
const PASS_EVERY: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_hours(1);

impl Redriving {
    /// Looks at the next tenants for causes that have ended, if it is time.
    pub(super) async fn follow_ends(&self) -> Result<(), Failure> {
        let up = self.clock.uptime();
        let last = {
            let following = &self.state.lock().following;
            if following.last.is_none() && following.next_at > up {
                return Ok(());
            }
            following.last
        };
        let page = self.tenant_store.list(last, PageLimit::items(TENANTS)).await?;
        let ended = |tenant: &&Tenant| tenant.removed_at.is_none() && !tenant.auto.ended.is_empty();
        for tenant in page.items.iter().filter(ended) {
            // It costs only itself, and is tried again with the next pass.
            if let Err(failure) = self.follow(tenant).await {
                let tenant_id = tenant.id;
                tracing::warn!(%tenant_id, %failure, "what follows from the end of a cause must wait");
            }
        }
        let following = &mut self.state.lock().following;
        following.last = page.next;
        following.next_at = up + PASS_EVERY;
        Ok(())
    }

    /// Begins the redrive of the first cause that has ended, or forgets that one if its redrive is over.
    async fn follow(&self, tenant: &Tenant) -> Result<(), Failure> {
        let (Some(end), Some(policy)) = (tenant.auto.ended.first(), &tenant.auto.policy) else {
            return Ok(());
        };
        let found = self.store.find_redrive(&end.id).await?;
        if let Some(redrive) = found {
            if redrive.status.is_open() || redrive.needs_work() {
                return Ok(());
            }
        } else if end.at + HOUR * policy.hours > self.clock.now() {
            return self.begin_by_itself(tenant.id, end, policy).await;
        }
        let is_followed = |each: &CauseEnd| each.id == end.id;
        let forget = |tenant: &mut Tenant| {
            let before = tenant.auto.ended.len();
            tenant.auto.ended.retain(|each| !is_followed(each));
            let is_changed = tenant.auto.ended.len() < before;
            Ok(if is_changed { Step::Save } else { Step::Leave })
        };
        self.tenants.change(&tenant.id, forget).await?;
        Ok(())
    }

    async fn begin_by_itself(&self, tenant_id: TenantId, end: &CauseEnd, policy: &AutoRedrive) -> Result<(), Failure> {
        let asked = NewRedrive {
            filter: RedriveFilter {
                phone_number_id: Some(end.phone_number_id.clone()),
                from: Some(end.at - HOUR * policy.hours),
                ..RedriveFilter::default()
            },
            confirm_duplicate_risk: false,
            ignore_expiry: false,
            per_second: policy.per_minute.div_ceil(60),
            by: Actor::Tenant,
            automatic: Some(Automatic {
                cause: end.cause,
                per_minute: policy.per_minute,
                times: policy.times,
            }),
        };
        // A letter that ends after the cause is not of it.
        let mut redrive = Redrive::new(end.id, Some(tenant_id), asked, end.at);
        let preview = self.look_at_all(&redrive, COUNT_TIME_MAX).await?;
        redrive.total = preview.total();
        redrive.total_is_exact = preview.is_complete;
        redrive.updated_at = self.clock.now();
        self.store.insert_redrive(&redrive).await?;
        let (cause, total) = (end.cause.as_str(), redrive.total);
        let phone_number_id = &end.phone_number_id;
        tracing::info!(redrive_id = %redrive.id, %tenant_id, %phone_number_id, cause, total, "a cause has ended, and a redrive began");
        Ok(())
    }
}
