//! `dakghar app …`: apps at Meta, for the operator's shell.

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use dakghar_core::app::{App, MetaAppChanges, NewMetaApp};
use dakghar_core::domain::Secret;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::meta_app::{MetaApp, WEBHOOK_PATH};

use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The commands on apps.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an app: webhooks that it signs are taken within two seconds
    Add {
        /// Meta's id of it.
        app_id: String,
        /// What people call it.
        name: String,
        /// Its secret. Better from the environment than on the command line, where others can see it.
        #[arg(long, env = "NEW_APP_SECRET", hide_env_values = true)]
        secret: String,
        /// What Meta names when it verifies the webhook URL; made up, and printed once, when absent.
        #[arg(long, env = "NEW_VERIFY_TOKEN", hide_env_values = true)]
        verify_token: Option<String>,
        /// Meta's id of its login configuration for Embedded Signup: with one, links may name the app.
        #[arg(long)]
        signup_config_id: Option<String>,
    },
    /// List all apps, the one of the settings first
    List,
    /// Change the name of an app, or its login configuration for Embedded Signup
    Set {
        /// Meta's id of the app.
        app_id: String,
        /// What people call it.
        #[arg(long, required_unless_present = "signup_config_id")]
        name: Option<String>,
        /// Meta's id of its login configuration; empty for none.
        #[arg(long)]
        signup_config_id: Option<String>,
    },
    /// Give an app another secret; what the one before it signs is still taken for a while
    Rotate {
        /// Meta's id of the app.
        app_id: String,
        /// The secret that Meta signs with from now on. Better from the environment.
        #[arg(long, env = "NEW_APP_SECRET", hide_env_values = true)]
        secret: String,
        /// How long the one before it is still valid, in seconds, 30 days at most.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u32,
    },
    /// Remove an app: what it signs is refused within two seconds
    Remove {
        /// Meta's id of the app.
        app_id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::Add {
            app_id,
            name,
            secret,
            verify_token,
            signup_config_id,
        } => {
            let new = NewMetaApp {
                id: app_id,
                name,
                secret: Secret::new(secret),
                verify_token: verify_token.map(Secret::new),
                signup_config_id,
            };
            let added = app.apps.add(new, Principal::CLI).await?;
            output::line(&format!("added {}", added.app.id));
            output::line(&format!("webhookPath  {}", added.app.webhook_path()));
            if let Some(token) = added.verify_token {
                output::line(&format!("verifyToken  {}   (shown only now)", token.reveal()));
            }
        }
        Command::List => list(&app).await?,
        Command::Set {
            app_id,
            name,
            signup_config_id,
        } => {
            let changes = MetaAppChanges {
                name,
                signup_config_id: signup_config_id.map(|id| Some(id).filter(|id| !id.is_empty())),
            };
            let changed = app.apps.change(&app_id, &changes, Principal::CLI).await?;
            let config = output::or_dash(changed.signup_config_id.as_ref());
            output::line(&format!("{} is {}, configuration {config}", changed.id, changed.name));
        }
        Command::Rotate {
            app_id,
            secret,
            overlap_seconds,
        } => {
            let overlap = Duration::from_secs(overlap_seconds.into());
            let (apps, secret) = (&app.apps, Secret::new(secret));
            let changed = apps.rotate(&app_id, &secret, Some(overlap), Principal::CLI).await?;
            output::line(&format!("{} has {} valid secrets", changed.id, changed.secrets.len()));
        }
        Command::Remove { app_id } => {
            app.apps.remove(&app_id, Principal::CLI).await?;
            output::line("removed");
        }
    }
    Ok(())
}

async fn list(app: &App) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let page = app.onboarding.page();
    if let Some(of_settings) = app.apps.default_app() {
        rows.push(vec![
            output::or_dash(of_settings.id.as_ref()),
            "default (settings)".to_owned(),
            WEBHOOK_PATH.to_owned(),
            output::or_dash(page.and_then(|page| page.config_id.as_ref())),
            of_settings.secrets.to_string(),
            "-".to_owned(),
        ]);
    }
    rows.extend(app.apps.list().await?.iter().map(row));
    output::list(
        &["APP", "NAME", "WEBHOOK", "CONFIG", "SECRETS", "SINCE"],
        &rows,
        "no apps: set APP_SECRET, or add one with `dakghar app add`",
    );
    Ok(())
}

fn row(app: &MetaApp) -> Vec<String> {
    vec![
        app.id.to_string(),
        app.name.clone(),
        app.webhook_path(),
        output::or_dash(app.signup_config_id.as_ref()),
        app.secrets.len().to_string(),
        app.created_at.to_string(),
    ]
}
