//! `dakghar dead-letter …`.

use std::sync::Arc;

use clap::Subcommand;
use dakghar_core::app::App;
use dakghar_core::app::PageRequest;
use dakghar_core::domain::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use dakghar_core::domain::{Message, TenantId};

use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, Wired, wire};

/// The commands on dead letters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List messages that ended as dead, failed or expired, newest first
    List {
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<String>,
        /// At most this many, 1 to 200.
        #[arg(
            long,
            default_value_t = PAGE_ITEMS_DEFAULT,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_ITEMS_MAX)),
        )]
        limit: u32,
    },
    /// Send one again
    Redrive {
        /// The tenant's id, ten_….
        tenant_id: String,
        /// The message's id, msg_….
        message_id: String,
        /// Accept that it may arrive twice: needed when nobody knows whether it was delivered.
        #[arg(long)]
        confirm_duplicate_risk: bool,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let Wired { app, group_commits, .. } = wire(&config, Purpose::Command, Arc::default()).await?;
    match command {
        Command::List { tenant, limit } => {
            let tenant = tenant.as_deref().map(parse).transpose()?;
            list(&app, tenant.as_ref(), limit).await?;
        }
        Command::Redrive {
            tenant_id,
            message_id,
            confirm_duplicate_risk,
        } => {
            let tenant_id = parse(&tenant_id)?;
            let message = app
                .changing
                .redrive(&tenant_id, &message_id, confirm_duplicate_risk)
                .await?;
            output::line(&format!(
                "{} is {} again",
                message.accepted.id,
                message.delivery.status.as_str()
            ));
        }
    }
    drop(app);
    group_commits.finish().await;
    Ok(())
}

fn parse(text: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(text).map_err(|_| anyhow::anyhow!("{text} is not a tenant id (ten_…)"))
}

async fn list(app: &App, tenant: Option<&TenantId>, limit: u32) -> anyhow::Result<()> {
    let mut page = PageRequest { limit, cursor: None };
    let mut rows = Vec::new();
    // A page may end before it has as many as were asked for.
    while page.limit > 0 {
        let found = app.reading.dead_letters(tenant, &page).await?;
        page.limit = page.limit.saturating_sub(u32::try_from(found.items.len())?);
        rows.extend(found.items.iter().map(row));
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    if rows.is_empty() {
        output::line("no dead letters");
    } else {
        output::table(&["TENANT", "MESSAGE", "STATUS", "CODE", "REASON", "AT"], &rows);
    }
    if page.cursor.is_some() {
        let more = if limit < PAGE_ITEMS_MAX {
            "raise --limit, or read"
        } else {
            "read"
        };
        output::line(&format!("… and more; {more} GET /dead-letters page by page"));
    }
    Ok(())
}

fn row(message: &Message) -> Vec<String> {
    let error = message.delivery.error.as_ref();
    let code = error
        .and_then(|error| error.code)
        .map_or("-".to_owned(), |code| code.to_string());
    let reason = message.delivery.dead_reason.map(|reason| reason.as_str().to_owned());
    let reason = reason
        .or_else(|| error.map(|error| error.message.to_string()))
        .unwrap_or_default();
    vec![
        message.accepted.tenant_id.to_string(),
        message.accepted.id.to_string(),
        message.delivery.status.as_str().to_owned(),
        code,
        reason,
        message.delivery.updated_at.to_string(),
    ]
}
