//! The state that every handler can reach.

use std::sync::Arc;

use dakghar_core::app::App;

use super::authority::Authority;
use super::config::HttpConfig;
use super::readiness::Readiness;

struct Shared {
    app: App,
    config: HttpConfig,
    authority: Authority,
    readiness: Readiness,
}

/// The use cases, the settings and the keys. Cheap to clone.
#[derive(Clone)]
pub(super) struct HttpState(Arc<Shared>);

impl HttpState {
    pub(super) fn new(app: App, config: HttpConfig) -> Self {
        Self(Arc::new(Shared {
            authority: Authority::new(&config),
            readiness: Readiness::default(),
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

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(super) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }
}
