//! Tenants are told of disabled endpoints, also where the process that disabled one died before it told.
//!
//! Whoever delivers to the endpoints of a tenant tells again of those that were disabled lately. It is one event, however
//! often it is told, because events are known for much longer than that.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::deps::Deps;
use crate::domain::Timestamp;
use crate::domain::endpoint::{Endpoint, EndpointState};
use crate::domain::ids::EndpointId;

/// The time for which it is told again: less than the shortest retention of events.
const TOLD_FOR: Duration = Duration::from_hours(7 * 24);

/// Disabled endpoints of which this process has told, and when they were disabled.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<EndpointId, Timestamp>>);

impl Told {
    /// True for an endpoint that was disabled lately and of which was not told here.
    fn is_new(&self, endpoint: &Endpoint, now: Timestamp) -> bool {
        let EndpointState::Disabled { at, .. } = endpoint.state else {
            return false;
        };
        now.since(at) < TOLD_FOR && self.0.lock().get(&endpoint.id) != Some(&at)
    }

    fn note(&self, endpoint: &Endpoint, now: Timestamp) {
        let mut told = self.0.lock();
        told.retain(|_, at| now.since(*at) < TOLD_FOR);
        told.extend(endpoint.state.disabled().map(|(_, at)| (endpoint.id, at)));
    }

    /// Tells the tenants of those that are disabled. What cannot be told now is told with the next look.
    pub(super) async fn tell_disabled(&self, deps: &Deps, endpoints: &[Endpoint]) {
        let now = deps.clock.now();
        for endpoint in endpoints.iter().filter(|endpoint| self.is_new(endpoint, now)) {
            match deps.tell_disabled(endpoint).await {
                Ok(()) => self.note(endpoint, now),
                Err(failure) => {
                    tracing::debug!(%failure, endpoint_id = %endpoint.id, "a tenant was not told yet of an endpoint");
                }
            }
        }
    }
}
