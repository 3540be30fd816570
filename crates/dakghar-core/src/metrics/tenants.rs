//! The busiest tenants, each with series of its own: how much the operator asks for, and off by default.
//!
//! Everything that happens is counted once, for its tenant if that is shown, else for all others together. While there is
//! a free place, a tenant takes it with the first thing that happens. When all are taken, who has a place is decided once
//! a minute by what happened in the last minutes. Whoever loses it disappears with its series, and begins at zero when it
//! is back. So however many tenants there are, there are no more series and no more memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{self, Registry};

use super::busy::Busy;
use super::instruments::{Coarse, Histogram, LabelDescription};
use super::row::{Row, Unit};
use crate::domain::TenantId;

/// The most tenants that may be shown.
pub const TENANTS_MAX: usize = 100;
/// The label.
const TENANT_ID: &str = "tenant_id";
/// Its value for all who are not shown.
const OTHER: &str = "other";
/// The time between two decisions who is shown. Weights halve with each.
const RANK_EVERY: Duration = Duration::from_secs(60);
/// The weight of one thing. Halved once a minute, it is gone after a quarter of an hour.
const WEIGHT: u64 = 1 << 15;
/// The places in the search for those who should be shown, for each who is.
const CANDIDATES: usize = 16;

macro_rules! table {
    ($($field:ident: $instrument:ty, $name:literal, $unit:ident, $help:literal;)*) => {
        /// The instruments of one tenant.
        #[derive(Debug, Default)]
        pub struct OfTenant {
            $(#[doc = $help] pub $field: $instrument,)*
            /// How much happened in the last minutes.
            weight: AtomicU64,
        }

        impl TopTenants {
            /// The table of instruments, all by tenant.
            pub const TABLE: &'static [Row] = &[$(Row {
                field: stringify!($field),
                name: $name,
                unit: Unit::$unit,
                kind: <$instrument as TypedMetric>::TYPE,
                label: Some(LabelDescription { name: TENANT_ID, values: Vec::new }),
                help: $help,
            },)*];
        }

        /// Encodes these tenants under these names.
        fn encode(encoder: &mut DescriptorEncoder<'_>, shown: &[(String, Arc<OfTenant>)]) -> fmt::Result {
            $({
                let unit = match Unit::$unit {
                    Unit::Seconds => Some(registry::Unit::Seconds),
                    Unit::Bytes => Some(registry::Unit::Bytes),
                    Unit::None => None,
                };
                let help = concat!($help, ".");
                let mut family = encoder.encode_descriptor($name, help, unit.as_ref(), <$instrument as TypedMetric>::TYPE)?;
                for (tenant_id, of) in shown {
                    let labels = [(TENANT_ID, tenant_id.as_str())];
                    of.$field.encode(family.encode_family(&labels)?)?;
                }
            })*
            Ok(())
        }
    };
}

table! {
    accepted: Counter, "tenant_messages_accepted", None, "Messages of the tenant that were accepted and stored";
    sent: Counter, "tenant_messages_sent", None, "Messages of the tenant that Meta took, as its answers to calls say";
    failed: Counter, "tenant_messages_failed", None, "Messages of the tenant that Meta refused for good, or reported as failed";
    dead: Counter, "tenant_messages_dead", None, "Messages of the tenant that were given up, or expired before a call";
    webhook_parts: Counter, "tenant_webhook_parts", None, "Parts of Meta's webhooks that are the tenant's and were stored, repetitions among them";
    callback_lag: Histogram<Coarse>, "tenant_callback_lag", Seconds, "From the time of an entry of the tenant's feed to the first call of an endpoint that took it";
}

/// The busiest tenants. Of the default there are none, and recording does nothing.
#[derive(Clone, Debug, Default)]
pub struct TopTenants(Option<Arc<Top>>);

#[derive(Debug)]
struct Top {
    places: usize,
    shown: RwLock<HashMap<TenantId, Arc<OfTenant>>>,
    others: Arc<OfTenant>,
    /// Those of the others who may be busier than somebody who is shown.
    candidates: Mutex<Busy>,
    /// When it was decided last who is shown, by the machine's uptime.
    ranked_at: Mutex<Option<Duration>>,
}

impl TopTenants {
    /// Shows so many tenants, [`TENANTS_MAX`] at most. With 0 it shows nothing at all.
    pub fn of(places: usize) -> Self {
        let places = places.min(TENANTS_MAX);
        Self((places > 0).then(|| {
            Arc::new(Top {
                places,
                shown: RwLock::default(),
                others: Arc::default(),
                candidates: Mutex::new(Busy::with_room_for(places * CANDIDATES)),
                ranked_at: Mutex::default(),
            })
        }))
    }

    /// True if any is shown.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Records that `things` happened to a tenant.
    pub fn count(&self, tenant: &TenantId, things: u64, record: impl FnOnce(&OfTenant)) {
        if let Some(top) = &self.0
            && things > 0
        {
            top.count(tenant, things, record);
        }
    }

    /// Decides who is shown, if the last decision is a minute old. To be called more often than that.
    pub fn rank(&self, uptime: Duration) {
        let Some(top) = &self.0 else { return };
        {
            let mut ranked_at = top.ranked_at.lock();
            if ranked_at.is_some_and(|at| uptime.saturating_sub(at) < RANK_EVERY) {
                return;
            }
            *ranked_at = Some(uptime);
        }
        top.rank();
    }

    /// Adds them to what is exported.
    pub(super) fn register(&self, registry: &mut Registry) {
        if let Some(top) = &self.0 {
            registry.register_collector(Box::new(Arc::clone(top)));
        }
    }
}

impl Top {
    fn count(&self, tenant: &TenantId, things: u64, record: impl FnOnce(&OfTenant)) {
        let weight = things.saturating_mul(WEIGHT);
        {
            let shown = self.shown.read();
            if let Some(of) = shown.get(tenant) {
                of.add(weight);
                return record(of);
            }
            if shown.len() >= self.places {
                self.candidates.lock().add(*tenant, weight);
                return record(&self.others);
            }
        }
        let mut shown = self.shown.write();
        // Somebody may have been faster.
        if shown.len() < self.places || shown.contains_key(tenant) {
            let of = shown.entry(*tenant).or_default();
            of.add(weight);
            record(of);
        } else {
            record(&self.others);
        }
    }

    fn rank(&self) {
        let mut shown = self.shown.write();
        let mut candidates = self.candidates.lock();
        let taken = candidates.take();
        // Who is shown is displaced only by somebody who is busier by a quarter, so that series do not come and go.
        let known = shown.iter().map(|(tenant, of)| (*tenant, of.weight()));
        let known = known.map(|(tenant, weight)| (tenant, weight, weight.saturating_add(weight / 4)));
        let new = taken.into_iter().map(|(tenant, weight)| (tenant, weight, weight));
        let mut all: Vec<(TenantId, u64, u64)> = known.chain(new).filter(|(_, weight, _)| *weight > 0).collect();
        all.sort_unstable_by_key(|(tenant, _, rank)| (std::cmp::Reverse(*rank), *tenant));
        let mut before = std::mem::take(&mut *shown);
        for (place, (tenant, weight, _)) in all.into_iter().enumerate() {
            if place < self.places {
                let of = before.remove(&tenant).unwrap_or_default();
                of.weight.store(weight / 2, Ordering::Relaxed);
                shown.insert(tenant, of);
            } else if weight > 1 {
                candidates.add(tenant, weight / 2);
            }
        }
    }
}

impl OfTenant {
    fn add(&self, weight: u64) {
        self.weight.fetch_add(weight, Ordering::Relaxed);
    }

    fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }
}

impl Collector for Top {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut all: Vec<(String, Arc<OfTenant>)> = {
            let shown = self.shown.read();
            shown
                .iter()
                .map(|(tenant, of)| (tenant.to_string(), Arc::clone(of)))
                .collect()
        };
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all.push((OTHER.to_owned(), Arc::clone(&self.others)));
        encode(&mut encoder, &all)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use uuid::Uuid;

    use super::super::Metrics;
    use super::*;

    fn tenant(n: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(n))
    }

    fn shows(places: usize) -> Metrics {
        Metrics {
            tenants: TopTenants::of(places),
            ..Metrics::default()
        }
    }

    fn accept(metrics: &Metrics, n: u128, count: u64) {
        metrics.tenants.count(&tenant(n), count, |of| {
            of.accepted.inc_by(count);
        });
    }

    /// The accepted messages by tenant, as they are exported; of `other` under 0.
    fn accepted(metrics: &Metrics) -> Vec<(u128, u64)> {
        let mut exported = String::new();
        text::encode(&mut exported, &metrics.registry()).expect("a string takes everything");
        let start = "dakghar_tenant_messages_accepted_total{tenant_id=\"";
        let of = exported
            .lines()
            .filter_map(|line| line.strip_prefix(start)?.split_once("\"} "));
        of.map(|(id, count)| {
            let id = TenantId::parse(id).map_or(0, |id| id.as_uuid().as_u128());
            (id, count.parse().expect("a number"))
        })
        .collect()
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn nothing_is_shown_of_tenants_unless_somebody_asks() {
        let metrics = shows(0);
        accept(&metrics, 1, 5);
        metrics.tenants.rank(minutes(1));
        let mut exported = String::new();
        text::encode(&mut exported, &metrics.registry()).expect("a string takes everything");
        assert!(!exported.contains("tenant_"), "{exported}");
    }

    #[test]
    fn the_first_take_the_free_places_and_the_rest_is_together() {
        let metrics = shows(2);
        assert_eq!(accepted(&metrics), [(0, 0)]);
        for (n, count) in [(1, 5), (2, 1), (3, 7), (1, 1), (4, 1)] {
            accept(&metrics, n, count);
        }
        assert_eq!(accepted(&metrics), [(1, 6), (2, 1), (0, 8)]);
    }

    #[test]
    fn a_busier_one_displaces_another_and_begins_at_zero() {
        let metrics = shows(2);
        for (n, count) in [(1, 10), (2, 5), (3, 6)] {
            accept(&metrics, n, count);
        }
        metrics.tenants.rank(minutes(1));
        assert_eq!(
            accepted(&metrics),
            [(1, 10), (2, 5), (0, 6)],
            "6 is not a quarter more than 5"
        );
        accept(&metrics, 3, 9);
        metrics.tenants.rank(minutes(1) + Duration::from_secs(59));
        assert_eq!(accepted(&metrics), [(1, 10), (2, 5), (0, 15)], "not yet");
        metrics.tenants.rank(minutes(2));
        assert_eq!(accepted(&metrics), [(1, 10), (3, 0), (0, 15)]);
        // What the one that went does now is among the rest; all of it is counted once.
        accept(&metrics, 2, 1);
        accept(&metrics, 3, 2);
        assert_eq!(accepted(&metrics), [(1, 10), (3, 2), (0, 16)]);
    }

    #[test]
    fn whoever_does_nothing_for_long_disappears() {
        let metrics = shows(2);
        accept(&metrics, 1, 1);
        for minute in 1..=15 {
            metrics.tenants.rank(minutes(minute));
        }
        assert_eq!(accepted(&metrics), [(1, 1), (0, 0)], "a quarter of an hour");
        metrics.tenants.rank(minutes(16));
        metrics.tenants.rank(minutes(17));
        assert_eq!(accepted(&metrics), [(0, 0)]);
        accept(&metrics, 2, 1);
        assert_eq!(accepted(&metrics), [(2, 1), (0, 0)], "its place is free");
    }

    #[test]
    fn many_tenants_take_no_more_memory_and_hide_no_busy_one() {
        let metrics = shows(3);
        let top = metrics.tenants.0.as_ref().expect("on");
        let mut sent = 0;
        for n in 0..20_000 {
            accept(&metrics, 1_000 + n % 5_000, 1);
            sent += 1;
            // One that has a tenth of it all.
            if n > 100 && n % 9 == 0 {
                accept(&metrics, 7, 1);
                sent += 1;
            }
            if n == 10_000 {
                metrics.tenants.rank(minutes(1));
            }
        }
        assert!(top.candidates.lock().len() <= 3 * CANDIDATES);
        assert!(top.shown.read().len() <= 3);
        let counted = accepted(&metrics);
        assert!(counted.iter().any(|(n, _)| *n == 7), "{counted:?}");
        assert_eq!(counted.len(), 4);
        // Those who went took their counts with them.
        let total: u64 = counted.iter().map(|(_, count)| count).sum();
        assert!(total <= sent && total > sent - 100, "{total} of {sent}");
    }

    #[test]
    fn the_most_is_a_hundred() {
        let metrics = shows(1_000);
        for n in 1..=200 {
            accept(&metrics, n, 1);
        }
        assert_eq!(accepted(&metrics).len(), TENANTS_MAX + 1);
    }
}
