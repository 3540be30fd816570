//! The state that every handler can reach.

use std::sync::Arc;

use dakghar_core::app::App;
use dakghar_core::metrics::{Budget, Metrics};
use tokio::sync::Semaphore;

use super::authority::Authority;
use super::budget::{ByteBudget, BytesOwner};
use super::config::HttpConfig;
use super::pages::Pages;
use super::readers::Readers;
use super::readiness::Readiness;
use super::senders::Senders;
use super::wrong_keys::WrongKeys;

struct Shared {
    app: App,
    config: HttpConfig,
    authority: Authority,
    wrong_keys: WrongKeys,
    readiness: Readiness,
    budgets: Budgets,
    readers: Readers,
    passing: Semaphore,
}

/// Requests that are passed on to Meta at a time. Each may have an answer of 4 MiB in memory.
const PASSING_MAX: usize = 32;

/// The bytes that requests and answers under way may have.
pub(super) struct Budgets {
    /// Bodies on the API, by tenant.
    pub(super) bodies: ByteBudget<BytesOwner>,
    /// Bodies of webhooks, by the address that posts.
    pub(super) webhooks: Senders,
    /// Pages of lists, by tenant.
    pub(super) pages: Pages<BytesOwner>,
}

impl Budgets {
    fn new(config: &HttpConfig, metrics: &Metrics) -> Self {
        Self {
            bodies: ByteBudget::new(config.bodies_bytes_max, Budget::Requests, metrics),
            webhooks: Senders::new(config, metrics),
            pages: Pages::new(config.pages_bytes_max, metrics),
        }
    }
}

/// The use cases, the settings and the keys. Cheap to clone.
#[derive(Clone)]
pub(super) struct HttpState(Arc<Shared>);

impl HttpState {
    pub(super) fn new(app: App, config: HttpConfig) -> Self {
        Self(Arc::new(Shared {
            authority: Authority::new(&config),
            wrong_keys: WrongKeys::new(config.wrong_keys_per_minute_max, app.metrics.clone()),
            readiness: Readiness::default(),
            budgets: Budgets::new(&config, &app.metrics),
            readers: Readers::new(
                config.live_readers_max,
                config.live_readers_per_tenant_max,
                app.metrics.clone(),
            ),
            passing: Semaphore::new(PASSING_MAX),
            app,
            config,
        }))
    }

    pub(super) fn app(&self) -> &App {
        &self.0.app
    }

    pub(super) fn config(&self) -> &HttpConfig {
        &self.0.config
    }

    pub(super) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.0.readers
    }

    /// The places of requests that are passed on to Meta.
    pub(super) fn passing(&self) -> &Semaphore {
        &self.0.passing
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(super) fn wrong_keys(&self) -> &WrongKeys {
        &self.0.wrong_keys
    }

    pub(super) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }
}
