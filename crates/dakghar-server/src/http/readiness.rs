//! The readiness of the dependencies, checked at most once in a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_core::app::App;
use tokio::sync::Mutex;

/// The time for which a check is reused: anybody may ask, and a check costs the dependencies a round trip.
const READINESS_TTL: Duration = Duration::from_secs(1);

type Checks = Arc<Vec<(&'static str, Result<(), String>)>>;

/// The latest checks of the dependencies. Concurrent requests wait for one check.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Checks)>>);

impl Readiness {
    /// Returns every dependency by its name, with an error text if it is down.
    #[expect(clippy::disallowed_methods, reason = "measures how old an answer is")]
    pub(super) async fn check(&self, app: &App) -> Checks {
        let mut latest = self.0.lock().await;
        if let Some((at, checks)) = &*latest
            && at.elapsed() < READINESS_TTL
        {
            return Arc::clone(checks);
        }
        let checks: Checks = Arc::new(app.health.readiness().await);
        *latest = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }
}
