//! Apps at Meta beside the one of the settings: made, listed, changed, given new secrets, removed.
//!
//! What webhooks are verified by is kept in memory by every process ([`known`]), so a change counts here at once and
//! elsewhere within a second or two.

mod checks;
mod known;
mod new;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::stale::ROUNDS_MAX;
use crate::domain::audit::{AuditAction, Principal, app_changes};
use crate::domain::ids::AppId;
use crate::domain::meta_app::{APPS_MAX, MetaApp, OVERLAP_DEFAULT, SECRETS_MAX};
use crate::domain::sealed_secret::SealedSecret;
use crate::domain::{ErrorCode, Problem, Secret};
use crate::ports::{AppStore, AuditedChange, Carried, Clock, IdGenerator, Ports};
use crate::vault::Vault;
use checks::{check_changes, check_new};

pub use known::KnownApps;
pub(super) use known::{APP_SECRET, VERIFY_TOKEN};
pub use new::{MetaAppChanges, NewMetaApp};

/// The app of the settings.
#[derive(Clone, Debug, Default)]
pub struct DefaultApp {
    /// Meta's id of it, if it is known.
    pub id: Option<AppId>,
    /// Its secrets: the present one, and while it is being changed the one before. With none there is no such app.
    pub secrets: usize,
    /// The present secret.
    pub secret: Option<Secret>,
}

impl DefaultApp {
    /// Its id and present secret, if both are known.
    pub(super) fn access(&self) -> Option<(&AppId, &Secret)> {
        self.id.as_ref().zip(self.secret.as_ref())
    }
}

/// An app that was added.
#[derive(Clone, Debug)]
pub struct AddedApp {
    /// The app.
    pub app: MetaApp,
    /// Its verify token, if it was made up. It is not shown again.
    pub verify_token: Option<Secret>,
}

/// Apps at Meta.
pub struct MetaApps {
    store: Arc<dyn AppStore>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    known: Arc<KnownApps>,
    default_app: DefaultApp,
    ledger: Ledger,
}

impl MetaApps {
    pub(super) fn new(ports: &Ports, known: Arc<KnownApps>, default_app: DefaultApp) -> Self {
        Self {
            store: ports.apps.clone(),
            vault: ports.vault.clone(),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            ledger: Ledger::new(ports),
            known,
            default_app,
        }
    }

    /// Returns the app of the settings; `None` if they name no secret.
    pub fn default_app(&self) -> Option<&DefaultApp> {
        Some(&self.default_app).filter(|app| app.secrets > 0)
    }

    /// Returns the apps that were added, in the order of their ids. Those that cannot be read are left out.
    pub async fn list(&self) -> Result<Vec<MetaApp>, Failure> {
        Ok(self.store.apps().await?.into_iter().flatten().collect())
    }

    /// Returns one of the apps that were added.
    pub async fn find(&self, id: &str) -> Result<MetaApp, Failure> {
        let id = AppId::parse(id).map_err(|_| no_such_app())?;
        Ok(self.store.find_app(&id).await?.ok_or_else(no_such_app)?)
    }

    /// Adds an app. From then on webhooks that it signed are taken, and its verify token is answered.
    pub async fn add(&self, new: NewMetaApp, by: &Principal) -> Result<AddedApp, Failure> {
        let (id, signup_config_id) = check_new(&new)?;
        if self.default_app().is_some_and(|app| app.id.as_ref() == Some(&id)) {
            return Err(taken(&id).into());
        }
        if self.store.apps().await?.len() >= APPS_MAX {
            let detail = format!("An installation has {APPS_MAX} apps at most.");
            return Err(Problem::new(ErrorCode::Conflict, detail).into());
        }
        let made_up = new
            .verify_token
            .is_none()
            .then(|| Secret::new(URL_SAFE_NO_PAD.encode(self.ids.secret_bytes())));
        let verify_token = new.verify_token.as_ref().or(made_up.as_ref()).expect("one of the two");
        let wrapped_data_key = self.vault.new_data_key(&id).await?;
        let now = self.clock.now();
        let app = MetaApp {
            sealed_verify_token: self
                .vault
                .seal(&id, &wrapped_data_key, VERIFY_TOKEN, verify_token)
                .await?,
            secrets: vec![SealedSecret::present(
                self.vault.seal(&id, &wrapped_data_key, APP_SECRET, &new.secret).await?,
                now,
            )],
            id,
            name: new.name.trim().to_owned(),
            signup_config_id,
            wrapped_data_key,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let deed = Deed::new(by, AuditAction::AppAdded).about("app", &app.id);
        let change = AuditedChange::InsertApp(Box::new(app.clone()));
        match self.ledger.carry_out(&change, &deed, Vec::new()).await? {
            Carried::Done => {
                tracing::info!(app_id = %app.id, "app added");
                self.known.read_again().await;
                Ok(AddedApp {
                    app,
                    verify_token: made_up,
                })
            }
            _ => Err(taken(&app.id).into()),
        }
    }

    /// Changes the name of an app, or its login configuration.
    pub async fn change(&self, id: &str, changes: &MetaAppChanges, by: &Principal) -> Result<MetaApp, Failure> {
        let checked = check_changes(changes)?;
        for _ in 0..ROUNDS_MAX {
            let before = self.find(id).await?;
            let mut app = before.clone();
            checked.apply(&mut app);
            if app == before {
                return Ok(app);
            }
            app.updated_at = self.clock.now();
            let deed = Deed::new(by, AuditAction::AppChanged).about("app", &app.id);
            if self.save(&before, &mut app, &deed).await? {
                tracing::info!(app_id = %app.id, "app changed");
                return Ok(app);
            }
        }
        Err(Failure::KeptChanging("app"))
    }

    /// Saves an app with its record. Returns false if somebody else saved first.
    async fn save(&self, before: &MetaApp, app: &mut MetaApp, deed: &Deed<'_>) -> Result<bool, Failure> {
        let change = AuditedChange::SaveApp(Box::new(app.clone()));
        let carried = self.ledger.carry_out(&change, deed, app_changes(before, app)).await?;
        if carried != Carried::Done {
            return Ok(false);
        }
        app.version += 1;
        self.known.read_again().await;
        Ok(true)
    }

    /// Gives an app another secret. The one before it stays valid for `overlap`, a day unless said otherwise. The secret
    /// that it has already changes nothing, so that a request whose answer was lost can be repeated.
    pub async fn rotate(
        &self,
        id: &str,
        secret: &Secret,
        overlap: Option<Duration>,
        by: &Principal,
    ) -> Result<MetaApp, Failure> {
        checks::check_rotation(secret, overlap)?;
        for _ in 0..ROUNDS_MAX {
            let before = self.find(id).await?;
            let mut app = before.clone();
            if let Some(present) = app.secrets.first()
                && self.open(&app, &present.sealed).await?.reveal() == secret.reveal()
            {
                return Ok(app);
            }
            let sealed = self
                .vault
                .seal(&app.id, &app.wrapped_data_key, APP_SECRET, secret)
                .await?;
            let now = self.clock.now();
            app.rotate(sealed, now, overlap.unwrap_or(OVERLAP_DEFAULT))
                .map_err(|_| {
                    let detail = format!("The app has {SECRETS_MAX} valid secrets; wait until one of them is not.");
                    Problem::new(ErrorCode::Conflict, detail)
                })?;
            let deed = Deed::new(by, AuditAction::AppSecretRotated).about("app", &app.id);
            if self.save(&before, &mut app, &deed).await? {
                tracing::info!(app_id = %app.id, "app secret rotated");
                return Ok(app);
            }
        }
        Err(Failure::KeptChanging("app"))
    }

    /// Removes an app: webhooks that it signed are refused from then on.
    pub async fn remove(&self, id: &str, by: &Principal) -> Result<(), Failure> {
        let id = AppId::parse(id).map_err(|_| no_such_app())?;
        let deed = Deed::new(by, AuditAction::AppRemoved).about("app", &id);
        let change = AuditedChange::RemoveApp(id.clone());
        if self.ledger.carry_out(&change, &deed, Vec::new()).await? != Carried::Done {
            return Err(no_such_app().into());
        }
        tracing::info!(app_id = %id, "app removed");
        self.known.read_again().await;
        Ok(())
    }

    /// Looks whether every app can be read and its secrets opened. Returns the number of apps.
    pub async fn check(&self) -> Result<usize, Failure> {
        let apps = self.store.apps().await?;
        let count = apps.len();
        for app in apps {
            let app = app?;
            self.known.open(&app).await?;
        }
        Ok(count)
    }

    async fn open(&self, app: &MetaApp, sealed: &[u8]) -> Result<Secret, Failure> {
        let opened = self.vault.open(&app.id, &app.wrapped_data_key, APP_SECRET, sealed);
        Ok(opened.await?)
    }
}

fn no_such_app() -> Problem {
    Problem::new(ErrorCode::AppNotFound, "No app was added under this id.")
}

fn taken(id: &AppId) -> Problem {
    Problem::field(ErrorCode::AppExists, "/appId", format!("{id} is there already"))
}
