//! `dakghar key …`: API keys of tenants and of operators, for the operator's shell.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use dakghar_core::app::{NewApiKey, NewOperatorKey, Operators, Tenants};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::{ApiKey, KeySecret, OperatorKey, Role, Scope, Secret, TenantId, Timestamp};

use super::arguments::{parse_tenant, parse_time};
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The long help after the commands. A paragraph is one line, because clap wraps it to the width of the terminal.
pub const AFTER_HELP: &str = "\
A tenant has a key with all scopes since it was registered, and 20 keys at most. Operators have 100 keys at most beside \
`ADMIN_API_KEY`, each with a role. A key is printed once, when it is made or rotated: what is stored of it is a keyed hash. A \
server refuses a key within a second after it was revoked.

Scopes:
  send        send messages, and cancel those that wait
  read        read everything: messages, conversations, people, the feed
  manage      pause, resume, redrive, settings of numbers, and keys
  callbacks   endpoints and what is delivered to them
  onboarding  access tokens of numbers

Roles of operators:
  admin       everything, as with ADMIN_API_KEY
  support     read, without bodies of messages and what else people wrote
  onboarding  register tenants, add numbers, replace access tokens

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar key create --tenant ten_… shop --scope send --scope read
  dakghar key create --tenant ten_… report --scope read --expires-at 2027-01-01T00:00:00Z --address 203.0.113.0/24
  dakghar key rotate --tenant ten_… key_… --overlap-seconds 3600
  dakghar key revoke --tenant ten_… key_…
  dakghar key list --tenant ten_…
  dakghar key create --operator asha --role support --expires-at 2027-01-01T00:00:00Z
  dakghar key list --operator";

/// Whose keys they are.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Owner {
    /// The tenant's id, ten_….
    #[arg(long)]
    tenant: Option<String>,
    /// Keys of operators.
    #[arg(long)]
    operator: bool,
}

/// A key to make.
#[derive(Debug, Args)]
pub struct New {
    /// What people call it, 1 to 100 characters.
    name: String,
    /// An address or a range from which it may be used, such as 203.0.113.0/24; may be repeated. From anywhere without it.
    #[arg(long = "address")]
    addresses: Vec<String>,
    /// The time from which it is refused, such as 2027-01-01T00:00:00Z. Never without it.
    #[arg(long)]
    expires_at: Option<String>,
}

/// The commands on keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; prints it, which happens only once
    Create {
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        key: New,
        /// What it may do at its tenant; may be repeated.
        #[arg(
            long = "scope",
            required_unless_present = "operator",
            conflicts_with = "operator",
            value_parser = Scope::ALL.map(Scope::as_str)
        )]
        scopes: Vec<String>,
        /// What the operator may do.
        #[arg(
            long,
            required_unless_present = "tenant",
            conflicts_with = "tenant",
            value_parser = Role::ALL.map(Role::as_str)
        )]
        role: Option<String>,
    },
    /// List the keys: how they begin, what they may do, when they were used last
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
    match command.owner().tenant()? {
        Some(id) => run_of_tenant(&app.tenants, &id, command).await,
        None => run_of_operators(&app.operators, command).await,
    }
}

async fn run_of_tenant(tenants: &Tenants, id: &TenantId, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { key, scopes, .. } => {
            let new = NewApiKey {
                expires_at: key.expires_at()?,
                name: key.name,
                scopes: scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
                addresses: key.addresses,
            };
            let shown = tenants.create_key(id, &new, Principal::CLI).await?;
            show(&shown.key, &shown.secret);
        }
        Command::List { .. } => {
            let rows: Vec<_> = tenants.stored(id).await?.keys.iter().map(row).collect();
            list("SCOPES", &rows);
        }
        Command::Rotate {
            key_id,
            overlap_seconds,
            ..
        } => {
            let overlap = Some(Duration::from_secs(overlap_seconds.into()));
            let shown = tenants.rotate_key(id, &key_id, overlap, Principal::CLI).await?;
            show(&shown.key, &shown.secret);
        }
        Command::Revoke { key_id, .. } => {
            tenants.revoke_key(id, &key_id, Principal::CLI).await?;
            output::line("revoked");
        }
    }
    Ok(())
}

async fn run_of_operators(operators: &Operators, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { key, role, .. } => {
            let role = role.as_deref().and_then(Role::parse);
            let new = NewOperatorKey {
                expires_at: key.expires_at()?,
                name: key.name,
                role: role.ok_or_else(|| anyhow!("--role is needed"))?,
                addresses: key.addresses,
            };
            let shown = operators.create(&new, Principal::CLI).await?;
            show(&shown.key.key, &shown.secret);
        }
        Command::List { .. } => {
            let keys = operators.list().await?;
            let rows = keys.iter().map(|OperatorKey { role, key, .. }| {
                let mut row = row(key);
                role.as_str().clone_into(&mut row[3]);
                row
            });
            list("ROLE", &rows.collect::<Vec<_>>());
        }
        Command::Rotate {
            key_id,
            overlap_seconds,
            ..
        } => {
            let overlap = Some(Duration::from_secs(overlap_seconds.into()));
            let shown = operators.rotate(&key_id, overlap, Principal::CLI).await?;
            show(&shown.key.key, &shown.secret);
        }
        Command::Revoke { key_id, .. } => {
            operators.revoke(&key_id, Principal::CLI).await?;
            output::line("revoked");
        }
    }
    Ok(())
}

impl Command {
    const fn owner(&self) -> &Owner {
        match self {
            Self::Create { owner, .. }
            | Self::List { owner }
            | Self::Rotate { owner, .. }
            | Self::Revoke { owner, .. } => owner,
        }
    }
}

impl Owner {
    /// Returns the tenant, or `None` for operators.
    fn tenant(&self) -> anyhow::Result<Option<TenantId>> {
        self.tenant.as_deref().map(parse_tenant).transpose()
    }
}

impl New {
    fn expires_at(&self) -> anyhow::Result<Option<Timestamp>> {
        self.expires_at.as_deref().map(parse_time).transpose()
    }
}

fn show(key: &ApiKey, secret: &Secret) {
    output::line(&format!("keyId  {}", key.id));
    output::line(&format!("key    {}   (shown only now)", secret.reveal()));
}

/// Prints keys, of which the fourth column says what they may do.
fn list(rights: &str, rows: &[Vec<String>]) {
    let head = ["KEY", "NAME", "BEGINS", rights, "FROM", "EXPIRES", "LAST USED"];
    output::list(&head, rows, "no keys: make one with `dakghar key create`");
}

fn row(key: &ApiKey) -> Vec<String> {
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
    let addresses: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let begins: Vec<&str> = key.secrets.iter().map(prefix).collect();
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    vec![
        key.id.to_string(),
        key.name.clone(),
        begins.join(" "),
        scopes.join(","),
        or(addresses.join(","), "anywhere"),
        output::or_dash(key.expires_at),
        output::or_dash(key.last_used_at),
    ]
}

fn prefix(secret: &KeySecret) -> &str {
    secret.prefix.as_deref().unwrap_or("?")
}
