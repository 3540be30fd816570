//! The apps as this process knows them. A webhook reads no store: it is verified by what was read within the last
//! second, and whoever comes after that second reads again, one at a time.
//!
//! While the store is away, what was known stays. An app of which nothing is known yet, because the store has not
//! answered since the start or its secrets cannot be opened, makes every refusal an error of ours instead: Meta then
//! posts again what may have been signed by it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::failure::Failure;
use crate::domain::Secret;
use crate::domain::ids::{AppId, SignupConfigId};
use crate::domain::meta_app::{AppCredentials, MetaApp};
use crate::domain::time::Timestamp;
use crate::ports::{AppStore, Clock, Ports, StoreError, WebhookCodec};
use crate::vault::Vault;

/// The purpose that the secrets of an app are sealed for.
pub(in crate::app) const APP_SECRET: &str = "app_secret";
/// The purpose that the verify token of an app is sealed for.
pub(in crate::app) const VERIFY_TOKEN: &str = "verify_token";

/// The time for which what was read is believed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An app is the same as before if both are.
type Edition = (u64, Timestamp);

/// An app, with its secrets in clear.
#[derive(Clone)]
struct Known {
    edition: Edition,
    credentials: AppCredentials,
    signup_config_id: Option<SignupConfigId>,
}

/// The last reading, and its time by the machine's uptime.
struct Seen {
    at: Option<Duration>,
    /// The number of the reading that this is from.
    reading: u64,
    apps: BTreeMap<AppId, Known>,
    /// Why not everything is known.
    gap: Option<Failure>,
}

/// The apps, as they were a second ago or later.
pub struct KnownApps {
    store: Arc<dyn AppStore>,
    vault: Arc<Vault>,
    webhooks: Arc<dyn WebhookCodec>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    is_reading: AtomicBool,
    /// Readings begun so far.
    readings: AtomicU64,
}

/// Ends a reading, however it ends.
struct Reading<'a>(&'a AtomicBool);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl KnownApps {
    pub(in crate::app) fn new(ports: &Ports) -> Self {
        let nothing = StoreError::Unavailable("the apps were not read yet".into());
        Self {
            store: ports.apps.clone(),
            vault: ports.vault.clone(),
            webhooks: ports.webhooks.clone(),
            clock: ports.clock.clone(),
            seen: Mutex::new(Seen {
                at: None,
                reading: 0,
                apps: BTreeMap::new(),
                gap: Some(nothing.into()),
            }),
            is_reading: AtomicBool::new(false),
            readings: AtomicU64::new(0),
        }
    }

    /// Makes the webhooks be verified by the apps as they were a second ago or later. Fails if an app may be missing.
    pub(in crate::app) async fn look(&self) -> Result<(), Failure> {
        let now = self.clock.uptime();
        let (is_fresh, is_first) = {
            let seen = self.seen.lock();
            let is_fresh = seen.at.is_some_and(|at| now.saturating_sub(at) < LOOK_EVERY);
            (is_fresh, seen.at.is_none())
        };
        // Others go on with what is known, but for the first ones, who know nothing.
        if !is_fresh && (!self.is_reading.swap(true, Ordering::AcqRel) || is_first) {
            let _reading = Reading(&self.is_reading);
            self.read(now).await;
        }
        let gap = self.seen.lock().gap.clone();
        gap.map_or(Ok(()), Err)
    }

    /// Reads what this process has just changed. Where that fails, the next look does it.
    pub(super) async fn read_again(&self) {
        self.seen.lock().at = None;
        self.read(self.clock.uptime()).await;
    }

    /// The present secret of an app.
    pub(in crate::app) fn present_secret(&self, id: &AppId) -> Option<Secret> {
        let seen = self.seen.lock();
        let known = seen.apps.get(id)?;
        known.credentials.secrets.first().map(|(secret, _)| secret.clone())
    }

    /// The present secrets of all apps.
    pub(in crate::app) fn present_secrets(&self) -> Vec<(AppId, Secret)> {
        let seen = self.seen.lock();
        let present = |(id, known): (&AppId, &Known)| Some((id.clone(), known.credentials.secrets.first()?.0.clone()));
        seen.apps.iter().filter_map(present).collect()
    }

    /// The login configuration of an app, if it has one.
    pub(in crate::app) fn signup_config(&self, id: &AppId) -> Option<SignupConfigId> {
        let seen = self.seen.lock();
        seen.apps.get(id)?.signup_config_id.clone()
    }

    async fn read(&self, now: Duration) {
        let reading = 1 + self.readings.fetch_add(1, Ordering::AcqRel);
        let found = match self.store.apps().await {
            Ok(found) => found,
            Err(error) => {
                let mut seen = self.seen.lock();
                // The next one asks again for apps that were never read.
                if seen.at.is_some() {
                    seen.at = Some(now);
                }
                if seen.gap.is_some() {
                    seen.gap = Some(error.into());
                }
                return;
            }
        };
        let before = self.seen.lock().apps.clone();
        let (mut apps, mut gap) = (BTreeMap::new(), None);
        for app in found {
            match self.as_of_now(app, &before).await {
                Ok((id, known)) => {
                    apps.insert(id, known);
                }
                Err((id, failure)) => {
                    tracing::error!(app_id = id.as_ref().map(tracing::field::display), %failure,
                        "webhooks of an app cannot be verified; until they can, none is refused for good");
                    // It may still be what it was.
                    if let Some((id, known)) = id.and_then(|id| before.get_key_value(&id)) {
                        apps.insert(id.clone(), known.clone());
                    }
                    gap.get_or_insert(failure);
                }
            }
        }
        let mut seen = self.seen.lock();
        // One that began later has read what was changed meanwhile.
        if seen.reading > reading {
            return;
        }
        self.webhooks
            .use_apps(apps.values().map(|known| known.credentials.clone()).collect());
        *seen = Seen {
            at: Some(now),
            reading,
            apps,
            gap,
        };
    }

    /// The app as it is now. Its secrets are opened only if it has changed.
    async fn as_of_now(
        &self,
        app: Result<MetaApp, StoreError>,
        before: &BTreeMap<AppId, Known>,
    ) -> Result<(AppId, Known), (Option<AppId>, Failure)> {
        let app = app.map_err(|error| (None, error.into()))?;
        let edition = (app.version, app.updated_at);
        let known = before.get(&app.id).filter(|known| known.edition == edition);
        let credentials = match known {
            Some(known) => known.credentials.clone(),
            None => self
                .open(&app)
                .await
                .map_err(|failure| (Some(app.id.clone()), failure))?,
        };
        let known = Known {
            edition,
            credentials,
            signup_config_id: app.signup_config_id,
        };
        Ok((app.id, known))
    }

    /// Opens the secrets of an app.
    pub(super) async fn open(&self, app: &MetaApp) -> Result<AppCredentials, Failure> {
        let key = &app.wrapped_data_key;
        let mut secrets = Vec::with_capacity(app.secrets.len());
        for secret in &app.secrets {
            let opened = self.vault.open(&app.id, key, APP_SECRET, &secret.sealed).await?;
            secrets.push((opened, secret.valid_until));
        }
        let verify_token = self.vault.open(&app.id, key, VERIFY_TOKEN, &app.sealed_verify_token);
        Ok(AppCredentials {
            id: app.id.clone(),
            secrets,
            verify_token: verify_token.await?,
        })
    }
}
