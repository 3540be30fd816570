//! The readiness of the dependencies, checked at most once in a while, and answered whatever hangs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_core::app::App;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The time for which a check is reused: anybody may ask, and a check costs the dependencies a round trip.
const READINESS_TTL: Duration = Duration::from_secs(1);
/// The longest that a check may take. Whoever asks usually gives up after a second.
const CHECK_MAX: Duration = Duration::from_millis(700);
/// The longest wait for a check of somebody else, so that an answer comes within a second.
const WAIT_MAX: Duration = Duration::from_millis(900);
/// Everything that is checked.
const DEPENDENCIES: [&str; 2] = ["store", "queue"];

type Checks = Arc<Vec<(&'static str, Result<(), String>)>>;

/// The latest checks of the dependencies. Concurrent requests wait for one check.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Checks)>>);

impl Readiness {
    /// Returns every dependency by its name, with an error text if it is down or hangs.
    pub(super) async fn check(&self, app: &App) -> Checks {
        timeout(WAIT_MAX, self.look(app)).await.unwrap_or_else(|_| hanging())
    }

    #[expect(clippy::disallowed_methods, reason = "measures how old an answer is")]
    async fn look(&self, app: &App) -> Checks {
        let mut latest = self.0.lock().await;
        if let Some((at, checks)) = &*latest
            && at.elapsed() < READINESS_TTL
        {
            return Arc::clone(checks);
        }
        let [store, queue] = DEPENDENCIES;
        let health = &app.health;
        // What it comes to is remembered by whoever is asked.
        let (of_store, of_queue, _) = tokio::join!(
            timeout(CHECK_MAX, health.check_store()),
            timeout(CHECK_MAX, health.check_queue()),
            timeout(CHECK_MAX, app.holding.hold())
        );
        let checks = vec![
            (store, of_store.unwrap_or_else(|_| no_answer())),
            (queue, of_queue.unwrap_or_else(|_| no_answer())),
        ];
        let checks = Arc::new(checks);
        *latest = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }
}

fn hanging() -> Checks {
    Arc::new(DEPENDENCIES.map(|name| (name, no_answer())).into())
}

fn no_answer() -> Result<(), String> {
    Err(format!("no answer within {} ms", CHECK_MAX.as_millis()))
}
