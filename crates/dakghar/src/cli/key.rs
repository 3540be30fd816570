//! `dakghar key …`: API keys of tenants, for the operator's shell.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use dakghar_core::app::{NewApiKey, ShownKey};
use dakghar_core::domain::{ApiKey, KeySecret, Scope, Scopes, TenantId, Timestamp};

use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The long help after the commands. A paragraph is one line, because clap wraps it to the width of the terminal.
pub const AFTER_HELP: &str = "\
A tenant has a key with all scopes since it was registered, and 20 keys at most. A key is printed once, when it is made or \
rotated: what is stored of it is a keyed hash. A server refuses a key within a second after it was revoked.

Scopes:
  send        send messages, and cancel those that wait
  read        read everything: messages, conversations, people, the feed
  manage      pause, resume, redrive, settings of numbers, and keys
  callbacks   endpoints and what is delivered to them
  onboarding  access tokens of numbers

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar key create --tenant ten_… shop --scope send --scope read
  dakghar key create --tenant ten_… report --scope read --expires-at 2027-01-01T00:00:00Z --address 203.0.113.0/24
  dakghar key rotate --tenant ten_… key_… --overlap-seconds 3600
  dakghar key revoke --tenant ten_… key_…
  dakghar key list --tenant ten_…";

/// Whose keys they are.
#[derive(Debug, Args)]
pub struct Owner {
    /// The tenant's id, ten_….
    #[arg(long)]
    tenant: String,
}

/// The commands on keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; prints it, which happens only once
    Create {
        #[command(flatten)]
        owner: Owner,
        /// What people call it, 1 to 100 characters.
        name: String,
        /// What it may do; may be repeated.
        #[arg(long = "scope", required = true, value_parser = Scope::ALL.map(Scope::as_str))]
        scopes: Vec<String>,
        /// An address or a range from which it may be used, such as 203.0.113.0/24; may be repeated. From anywhere without it.
        #[arg(long = "address")]
        addresses: Vec<String>,
        /// The time from which it is refused, such as 2027-01-01T00:00:00Z. Never without it.
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// List the keys of a tenant: how they begin, what they may do, when they were used last
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Give a key another secret; prints it, which happens only once
    Rotate {
        #[command(flatten)]
        owner: Owner,
        /// The key's id, key_….
        key_id: String,
        /// How long the secret before it stays valid, in seconds, 30 days at most.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u32,
    },
    /// Revoke a key: it is refused within a second, with every secret it has
    Revoke {
        #[command(flatten)]
        owner: Owner,
        /// The key's id, key_….
        key_id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    let tenants = &app.tenants;
    match command {
        Command::Create {
            owner,
            name,
            scopes,
            addresses,
            expires_at,
        } => {
            let new = NewApiKey {
                name,
                scopes: scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
                addresses,
                expires_at: expires_at.as_deref().map(time).transpose()?,
            };
            show(&tenants.create_key(&owner.id()?, &new, Scopes::ALL).await?);
        }
        Command::List { owner } => {
            let tenant = tenants.stored(&owner.id()?).await?;
            let rows: Vec<Vec<String>> = tenant.keys.iter().map(row).collect();
            if rows.is_empty() {
                output::line("no keys: make one with `dakghar key create`");
            } else {
                output::table(
                    &["KEY", "NAME", "BEGINS", "SCOPES", "FROM", "EXPIRES", "LAST USED"],
                    &rows,
                );
            }
        }
        Command::Rotate {
            owner,
            key_id,
            overlap_seconds,
        } => {
            let overlap = Some(Duration::from_secs(overlap_seconds.into()));
            show(&tenants.rotate_key(&owner.id()?, &key_id, overlap, Scopes::ALL).await?);
        }
        Command::Revoke { owner, key_id } => {
            tenants.revoke_key(&owner.id()?, &key_id).await?;
            output::line("revoked");
        }
    }
    Ok(())
}

impl Owner {
    fn id(&self) -> anyhow::Result<TenantId> {
        TenantId::parse(&self.tenant).map_err(|_| anyhow!("{} is no id of a tenant", self.tenant))
    }
}

fn time(text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| anyhow!("{text} is no time such as 2027-01-01T00:00:00Z"))
}

fn show(shown: &ShownKey) {
    output::line(&format!("keyId  {}", shown.key.id));
    output::line(&format!("key    {}   (shown only now)", shown.secret.reveal()));
}

fn row(key: &ApiKey) -> Vec<String> {
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
    let addresses: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let begins: Vec<&str> = key.secrets.iter().map(prefix).collect();
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    vec![
        key.id.to_string(),
        key.name.clone(),
        begins.join(" "),
        scopes.join(","),
        or(addresses.join(","), "anywhere"),
        time(key.expires_at),
        time(key.last_used_at),
    ]
}

fn prefix(secret: &KeySecret) -> &str {
    secret.prefix.as_deref().unwrap_or("?")
}
