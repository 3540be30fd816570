//! `dakghar opt-out …`: who wants no messages, for the operator's shell.

use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use dakghar_core::app::{App, OptedOut};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{OptOut, OptOutScope, TenantId, WaId};

use super::arguments::Owner;
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// Opt-outs that are read at a time.
const PAGE: u32 = 200;

/// The commands on opt-outs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the people who opted out
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Note that a person opted out
    Set {
        #[command(flatten)]
        owner: Owner,
        /// The phone number with country code, or an id of the person at Meta.
        person: String,
        /// The messages that are meant.
        #[arg(long, default_value = "all", value_parser = OptOutScope::ALL.map(OptOutScope::as_str))]
        scope: String,
    },
    /// Take a person's opt-outs back
    Remove {
        #[command(flatten)]
        owner: Owner,
        /// The phone number with country code, or an id of the person at Meta.
        person: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::List { owner } => list(&app, &owner.id()?).await,
        Command::Set { owner, person, scope } => {
            let scope = OptOutScope::parse(&scope).ok_or_else(|| anyhow!("{scope} is no scope"))?;
            let found = app.opt_outs.set(&owner.id()?, &person, scope, Principal::CLI).await?;
            show(&found);
            Ok(())
        }
        Command::Remove { owner, person } => {
            let found = app.opt_outs.remove(&owner.id()?, &person, Principal::CLI).await?;
            show(&found);
            Ok(())
        }
    }
}

async fn list(app: &App, tenant_id: &TenantId) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut before = None;
    loop {
        let page = app.opt_outs.list(tenant_id, before, PageLimit::items(PAGE)).await?;
        rows.extend(page.items.iter().map(row));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    output::list(&["PERSON", "SCOPE", "SINCE", "SOURCE"], &rows, "nobody opted out");
    Ok(())
}

fn show(found: &OptedOut) {
    let rows: Vec<Vec<String>> = found.opt_outs.iter().map(row).collect();
    output::list(&["PERSON", "SCOPE", "SINCE", "SOURCE"], &rows, "opted out of nothing");
}

fn row(said: &OptOut) -> Vec<String> {
    let person = said
        .person
        .as_ref()
        .map_or_else(|| "(erased)".to_owned(), WaId::to_string);
    let (scope, source) = (said.key.scope.as_str(), said.source.as_str());
    vec![person, scope.to_owned(), said.at.to_string(), source.to_owned()]
}
