//! Erases what is older than its tenant keeps it.
//!
//! A pass walks the records of each tenant from the oldest on, a small portion at a time. Only what is settled goes, and
//! with a message its idempotency key, after [`RETENTION_DAYS_MIN`] days at least. Its content may go sooner. Age is judged by the retention time
//! (`domain/retention.rs`) and not by the clock. Nothing of a pass is kept: after a crash the next one begins anew, and
//! what is erased stays so. Several processes may do it at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::retention_time::RetentionTime;
use super::settings::Settings;
use crate::domain::departure::DEPARTURE_KEPT;
#[cfg(doc)]
use crate::domain::limits::RETENTION_DAYS_MIN;
use crate::domain::limits::TenantLimit;
use crate::domain::message::LetterClass;
use crate::domain::page::PageLimit;
use crate::domain::{Tenant, TenantId, TenantLimits};
use crate::metrics::{LetterErased, Metrics};
use crate::ports::{Aged, AgedPortion, CallbackStore, Clock, DepartureStore, Erasure, Ports, TenantStore};

/// Records that are looked at in one portion.
const PORTION: u32 = 200;
/// Tenants that are read at once.
const TENANTS: u32 = 100;
/// Endpoints that are looked through at once.
const ENDPOINTS: u32 = 200;
const DAY: Duration = Duration::from_hours(24);

/// Erases what is old.
pub struct Retention {
    tenants: Arc<dyn TenantStore>,
    erasure: Arc<dyn Erasure>,
    callbacks: Arc<dyn CallbackStore>,
    departures: Arc<dyn DepartureStore>,
    clock: Arc<dyn Clock>,
    time: RetentionTime,
    metrics: Arc<Metrics>,
    defaults: TenantLimits,
}

/// Where a pass is.
#[derive(Debug, Default)]
pub struct RetentionPass {
    /// The portions that are next.
    portions: VecDeque<(Option<TenantId>, Aged, u32)>,
    /// Where the first of them goes on.
    from: Option<String>,
    /// The last tenant that was read.
    last: Option<TenantId>,
    state: PassState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PassState {
    #[default]
    Begins,
    ReadsTenants,
    HasAllTenants,
}

/// A portion of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionStep {
    /// How many records were erased.
    pub erased: u64,
    /// How long it took.
    pub took: Duration,
    /// True if the pass is through.
    pub is_through: bool,
}

impl Retention {
    pub(super) fn new(ports: &Ports, settings: &Settings) -> Self {
        Self {
            tenants: ports.tenants.clone(),
            erasure: ports.erasure.clone(),
            callbacks: ports.callbacks.clone(),
            departures: ports.departures.clone(),
            clock: ports.clock.clone(),
            time: RetentionTime::new(ports),
            metrics: ports.metrics.clone(),
            defaults: settings.tenant_limits,
        }
    }

    /// Counts the time that passes while nothing is erased. Must be called every few minutes.
    pub async fn watch(&self) -> Result<(), Failure> {
        self.time.look().await?;
        Ok(())
    }

    /// Does the next portion of a pass. After an error it is done again.
    pub async fn step(&self, pass: &mut RetentionPass) -> Result<RetentionStep, Failure> {
        let began_at = self.clock.uptime();
        let mut erased = 0;
        if let Some((tenant_id, kind, days)) = pass.portions.front().copied() {
            let portion = AgedPortion {
                tenant_id,
                kind,
                before: self.time.look().await? - DAY * days,
                from: pass.from.clone(),
                limit: PORTION,
            };
            let done = self.erasure.erase_aged(&portion).await?;
            erased = done.erased;
            if let Aged::DeadLetters(class) = kind {
                self.metrics.letters_erased.of(LetterErased::from(class)).inc_by(erased);
            }
            pass.from = done.next;
            if pass.from.is_none() {
                pass.portions.pop_front();
            }
        } else {
            self.read_tenants(pass).await?;
        }
        Ok(RetentionStep {
            erased,
            took: self.clock.uptime().saturating_sub(began_at),
            is_through: pass.portions.is_empty() && pass.state == PassState::HasAllTenants,
        })
    }

    async fn read_tenants(&self, pass: &mut RetentionPass) -> Result<(), Failure> {
        if pass.state == PassState::Begins {
            self.erase_left_behind().await?;
            self.forget_gone_endpoints().await?;
            self.forget_departures().await?;
            // What nobody could be told to own is kept as long as the installation keeps things.
            let of = |limit| TenantLimits::default().in_force(&self.defaults, limit);
            let whole = of(TenantLimit::RetentionDays).map(|days| (None, Aged::Events, days));
            let contents = of(TenantLimit::ContentDays).map(|days| (None, Aged::Written, days));
            pass.portions.extend(whole.into_iter().chain(contents));
        }
        let page = self.tenants.list(pass.last, PageLimit::items(TENANTS)).await?;
        for tenant in page.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
            pass.portions.extend(self.portions_of(tenant));
        }
        pass.last = page.next;
        pass.state = match page.next {
            Some(_) => PassState::ReadsTenants,
            None => PassState::HasAllTenants,
        };
        Ok(())
    }

    /// Erases what is left of tenants that were removed.
    async fn erase_left_behind(&self) -> Result<(), Failure> {
        for tenant_id in self.erasure.left_behind(TENANTS).await? {
            while self.erasure.erase(&tenant_id, PORTION).await? > 0 {}
            tracing::info!(%tenant_id, "what was written of a removed tenant after its removal was erased");
        }
        Ok(())
    }

    /// Forgets what was written of endpoints after their removal, by whoever had a call under way, or is left of them by a crash.
    async fn forget_gone_endpoints(&self) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let gone = self.callbacks.gone_endpoints(after, ENDPOINTS).await?;
            for (tenant_id, endpoint_id) in &gone.found {
                let forget = || self.callbacks.forget_endpoint(tenant_id, endpoint_id, PORTION);
                while forget().await? > 0 {}
                tracing::info!(%tenant_id, %endpoint_id, "what was left of a removed endpoint was forgotten");
            }
            let Some(last) = gone.next else { return Ok(()) };
            after = Some(last);
        }
    }

    /// Forgets the records of departures that have been over for long. They outlive the tenants that they removed.
    async fn forget_departures(&self) -> Result<(), Failure> {
        let before = self.time.look().await? - DEPARTURE_KEPT;
        while self.departures.forget_departures(before, PORTION).await? > 0 {}
        Ok(())
    }

    fn portions_of(&self, tenant: &Tenant) -> Vec<(Option<TenantId>, Aged, u32)> {
        let days = tenant.limits.in_force(&self.defaults, TenantLimit::RetentionDays);
        let letters = LetterClass::ALL.into_iter().filter_map(|class| {
            let days = tenant.limits.letter_days(&self.defaults, class)?;
            Some((Aged::DeadLetters(class), days))
        });
        let messages = days.map(|days| (Aged::Messages, days));
        let contents = tenant.limits.in_force(&self.defaults, TenantLimit::ContentDays);
        let removed_at = self.clock.now();
        let contents = contents.into_iter().flat_map(|days| {
            let kinds = [Aged::Contents { removed_at }, Aged::Written];
            kinds.map(|kind| (kind, days))
        });
        let feed = tenant.limits.feed_days(&self.defaults).map(|days| (Aged::Feed, days));
        // A conversation goes when none of its messages is left.
        let others = [Aged::Conversations, Aged::Events];
        let others = days.into_iter().flat_map(|days| others.map(|kind| (kind, days)));
        let kinds = messages
            .into_iter()
            .chain(letters)
            .chain(contents)
            .chain(others)
            .chain(feed);
        kinds.map(|(kind, days)| (Some(tenant.id), kind, days)).collect()
    }
}
