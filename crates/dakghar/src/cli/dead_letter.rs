//! `dakghar dead-letter …`.

mod auto_redrive;
mod redrive;

use std::sync::Arc;

use clap::Subcommand;
use dakghar_core::app::{App, Deed, PageRequest};
use dakghar_core::domain::audit::{AuditAction, Principal};
use dakghar_core::domain::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use dakghar_core::domain::redrive::Redrive;
use dakghar_core::domain::{Message, TenantId};

use dakghar_server::http::message_json;

use super::arguments::parse_tenant;
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
    /// Write dead letters to standard output as JSON, one a line with its timeline, newest first
    ///
    /// A line has the form in which GET /tenants/{id}/messages/{id} shows a message. All are written that there are, in
    /// pages; one that ends meanwhile may be missing. RETENTION_DAYS and the tenant's removal erase them, so export what
    /// must be kept longer.
    Export {
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Send dead letters again: one, or all that match a filter, after a look at what that would be
    #[command(after_long_help = redrive::AFTER_HELP)]
    Redrive(redrive::Args),
    /// Show or set what is sent again by itself when its cause has ended
    AutoRedrive(auto_redrive::Args),
    /// List redrives, newest first; one that is over is kept for 30 days
    Redrives {
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
    /// Show the progress of a redrive until it is done
    Watch {
        /// The redrive's id, rdr_….
        id: String,
    },
    /// Stop a redrive until it is resumed
    Pause {
        /// The redrive's id, rdr_….
        id: String,
    },
    /// Let a paused redrive go on
    Resume {
        /// The redrive's id, rdr_….
        id: String,
    },
    /// End a redrive; what it has sent again stays so
    Cancel {
        /// The redrive's id, rdr_….
        id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let Wired { app, group_commits, .. } = wire(&config, Purpose::Command, Arc::default()).await?;
    match command {
        Command::List { tenant, limit } => {
            let tenant = tenant.as_deref().map(parse_tenant).transpose()?;
            list(&app, tenant.as_ref(), limit).await?;
        }
        Command::Export { tenant } => {
            let tenant = tenant.as_deref().map(parse_tenant).transpose()?;
            export(&app, tenant.as_ref()).await?;
        }
        Command::Redrive(args) => redrive::run(&app, args).await?,
        Command::AutoRedrive(args) => auto_redrive::run(&app, args).await?,
        Command::Redrives { tenant, limit } => {
            let tenant = tenant.as_deref().map(parse_tenant).transpose()?;
            redrives(&app, tenant.as_ref(), limit).await?;
        }
        Command::Watch { id } => redrive::watch(&app, app.redriving.find(None, &id).await?).await?,
        Command::Pause { id } => told(&app.redriving.pause(None, &id, Principal::CLI).await?),
        Command::Resume { id } => told(&app.redriving.resume(None, &id, Principal::CLI).await?),
        Command::Cancel { id } => told(&app.redriving.cancel(None, &id, Principal::CLI).await?),
    }
    drop(app);
    group_commits.finish().await;
    Ok(())
}

fn told(redrive: &Redrive) {
    output::line(&format!("{} is {}", redrive.id, redrive.status.as_str()));
}

async fn redrives(app: &App, tenant: Option<&TenantId>, limit: u32) -> anyhow::Result<()> {
    let page = PageRequest { limit, cursor: None };
    let found = app.reading.redrives(tenant, &page).await?;
    let rows: Vec<_> = found.items.iter().map(redrive::row).collect();
    let headings = [
        "REDRIVE",
        "TENANT",
        "STATUS",
        "SENT AGAIN",
        "SKIPPED",
        "FAILED",
        "FILTER",
        "BEGUN",
    ];
    output::list(&headings, &rows, "no redrives");
    if found.next_cursor.is_some() {
        output::line("… and more; raise --limit, or read GET /dead-letters/redrives page by page");
    }
    Ok(())
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
    output::list(
        &["TENANT", "MESSAGE", "STATUS", "CODE", "REASON", "AT"],
        &rows,
        "no dead letters",
    );
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

async fn export(app: &App, tenant: Option<&TenantId>) -> anyhow::Result<()> {
    let mut deed = Deed::new(Principal::CLI, AuditAction::BodiesRead).about("route", "dakghar dead-letter export");
    if let Some(tenant) = tenant {
        deed = deed.of(tenant);
    }
    app.auditing.note(&deed).await?;
    let mut page = PageRequest {
        limit: PAGE_ITEMS_MAX,
        cursor: None,
    };
    let mut written = 0_u64;
    loop {
        let found = app.reading.dead_letters(tenant, &page).await?;
        for message in &found.items {
            if !output::try_line(&message_json(message)) {
                return Ok(());
            }
            written += 1;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    output::note(&format!("{written} dead letters"));
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
