//! The news of the feed that an endpoint is fed from.

use dakghar_core::app::{Callbacks, EndpointRun, FeedSubscription};
use dakghar_core::domain::Place;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What is told of a feed, and the looks at it that need no telling.
pub(super) struct News {
    subscription: FeedSubscription,
    looks: Interval,
}

impl News {
    /// Listens from now on: what was read before it is read on at once.
    pub(super) fn of(callbacks: &Callbacks, run: &EndpointRun) -> Self {
        let mut looks = interval(callbacks.look_every());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            subscription: callbacks.subscribe(&run.endpoint().tenant_id),
            looks,
        }
    }

    /// Waits until there may be entries behind this place.
    pub(super) async fn come(&mut self, place: Place) {
        tokio::select! {
            () = self.subscription.behind(place) => {}
            _ = self.looks.tick() => {}
        }
    }
}
