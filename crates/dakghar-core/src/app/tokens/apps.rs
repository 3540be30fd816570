//! The secrets of our apps, by which Meta is asked about tokens and calls are proven to be ours.

use std::sync::Arc;

use crate::app::meta_apps::{DefaultApp, KnownApps};
use crate::domain::ids::{AppId, SignupConfigId};
use crate::domain::{PhoneNumber, Secret};

/// The apps whose id and secret are known: the one of the settings, and those that were added.
#[derive(Clone)]
pub(in crate::app) struct AppSecrets {
    default_app: DefaultApp,
    known: Arc<KnownApps>,
}

impl AppSecrets {
    pub(in crate::app) const fn new(default_app: DefaultApp, known: Arc<KnownApps>) -> Self {
        Self { default_app, known }
    }

    /// Looks for changes of the apps, at most once a second. What was known stays where that fails.
    pub(in crate::app) async fn look(&self) {
        if let Err(failure) = self.known.look().await {
            tracing::debug!(%failure, "not all apps are known");
        }
    }

    /// The present secret of an app.
    pub(in crate::app) fn of(&self, app: &AppId) -> Option<Secret> {
        let of_settings = self.default_app.access().filter(|(id, _)| *id == app);
        match of_settings {
            Some((_, secret)) => Some(secret.clone()),
            None => self.known.present_secret(app),
        }
    }

    /// True if this is the app of the settings.
    pub(in crate::app) fn is_of_settings(&self, app: &AppId) -> bool {
        self.default_app.access().is_some_and(|(id, _)| id == app)
    }

    /// The login configuration of an app that was added, if it has one.
    pub(in crate::app) fn signup_config(&self, app: &AppId) -> Option<SignupConfigId> {
        self.known.signup_config(app)
    }

    /// The present secret of the app that the token of a number is of, as far as both are known.
    pub(in crate::app) async fn of_number(&self, number: &PhoneNumber) -> Option<Secret> {
        let app = &number.token.as_ref()?.facts.as_ref()?.app_id;
        self.look().await;
        self.of(app)
    }

    /// The ids of all apps, that of the settings first.
    pub(in crate::app) async fn ids(&self) -> Vec<AppId> {
        self.all().await.into_iter().map(|(id, _)| id).collect()
    }

    /// All apps with their present secrets, the one of the settings first.
    pub(super) async fn all(&self) -> Vec<(AppId, Secret)> {
        self.look().await;
        let of_settings = self.default_app.access();
        let of_settings = of_settings.map(|(id, secret)| (id.clone(), secret.clone()));
        let mut all: Vec<_> = of_settings.into_iter().collect();
        for (id, secret) in self.known.present_secrets() {
            if all.iter().all(|(known, _)| *known != id) {
                all.push((id, secret));
            }
        }
        all
    }
}
