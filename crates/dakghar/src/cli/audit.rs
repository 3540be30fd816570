//! `dakghar audit …`: the audit log, for the operator's shell.

use std::sync::Arc;

use anyhow::bail;
use clap::Subcommand;
use dakghar_core::app::{App, AuditEntryAt, PageRequest};
use dakghar_core::domain::audit::{AuditEntry, AuditQuery, Principal};
use dakghar_server::http::AuditExport;

use super::arguments::{parse_tenant, parse_time};
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The most records of a list, unless it says otherwise.
const LISTED: u32 = 50;
/// Records that are read at once.
const PAGE: u32 = 200;

/// The commands on the audit log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell who changed what, and who read what people wrote, the newest first
    List {
        /// Only what was done to this tenant, ten_….
        #[arg(long, value_name = "TENANT_ID")]
        tenant: Option<String>,
        /// Only by this key, key_…, or settings, cli, system or anonymous.
        #[arg(long)]
        actor: Option<String>,
        /// Only this action, such as tenant.key.revoked.
        #[arg(long)]
        action: Option<String>,
        /// Only at or after this time, such as 2026-11-22T00:00:00Z.
        #[arg(long)]
        since: Option<String>,
        /// Only before this time.
        #[arg(long)]
        until: Option<String>,
        /// The most records.
        #[arg(long, default_value_t = LISTED)]
        limit: u32,
    },
    /// Print all records in the order of their chain, one a line, with what is needed to check it elsewhere
    Export,
    /// Check that no record was edited, taken out, moved or cut off; says the first number where that shows
    Verify,
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::List {
            tenant,
            actor,
            action,
            since,
            until,
            limit,
        } => {
            let query = AuditQuery {
                tenant_id: tenant.as_deref().map(parse_tenant).transpose()?,
                actor,
                action,
                since: since.as_deref().map(parse_time).transpose()?,
                until: until.as_deref().map(parse_time).transpose()?,
                ..AuditQuery::default()
            };
            list(&app, query, limit).await
        }
        Command::Export => export(&app).await,
        Command::Verify => verify(&app).await,
    }
}

async fn list(app: &App, query: AuditQuery, limit: u32) -> anyhow::Result<()> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let page = PageRequest {
            limit: left.clamp(1, PAGE),
            cursor,
        };
        let found = app.auditing.list(query.clone(), &page).await?;
        rows.extend(found.items.iter().map(row));
        cursor = found.next_cursor;
        if cursor.is_none() || rows.len() >= limit as usize {
            break;
        }
    }
    output::list(
        &["NUMBER", "AT", "ACTION", "BY", "FROM", "TENANT", "ABOUT", "CHANGED"],
        &rows,
        "no records",
    );
    Ok(())
}

fn row(at: &AuditEntryAt) -> Vec<String> {
    let entry = &at.entry;
    let objects: Vec<String> = entry
        .objects
        .iter()
        .map(|object| format!("{} {}", object.kind, object.id))
        .collect();
    let or_none = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    vec![
        at.link.number.to_string(),
        entry.at.to_string(),
        entry.action.clone(),
        by(&entry.by),
        or_none(entry.by.address.map(|address| address.to_string())),
        or_none(entry.tenant_id.map(|id| id.to_string())),
        or_none(Some(objects.join(", "))),
        or_none(Some(changed(entry))),
    ]
}

fn by(by: &Principal) -> String {
    match &by.name {
        Some(name) => format!("{} {} ({name})", by.who.kind(), by.who.actor()),
        None => by.who.actor(),
    }
}

fn changed(entry: &AuditEntry) -> String {
    let shown = entry.fields.iter().map(|change| match (&change.before, &change.after) {
        (None, None) => change.field.clone(),
        (before, after) => {
            let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            format!("{}: {} → {}", change.field, or_none(before), or_none(after))
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

async fn export(app: &App) -> anyhow::Result<()> {
    let mut next = Some(AuditExport::begin());
    while let Some(export) = next {
        let (lines, behind) = export.page(&app.auditing).await?;
        let text = String::from_utf8(lines)?;
        if !output::try_line(text.trim_end_matches('\n')) {
            return Ok(());
        }
        next = behind;
    }
    Ok(())
}

async fn verify(app: &App) -> anyhow::Result<()> {
    match app.auditing.check().await? {
        (checked, Ok(chain)) => {
            output::line(&format!(
                "{checked} records are whole: behind {}, up to {} with the hash {}",
                chain.anchor.number,
                chain.head.number,
                chain.head.hash_text()
            ));
            Ok(())
        }
        (checked, Err(fault)) => bail!("the audit log is not whole: {fault}; {checked} records before it are"),
    }
}
