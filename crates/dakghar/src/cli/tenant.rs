//! `dakghar tenant …`: the same use cases as the HTTP API, for the operator's shell.

use std::sync::Arc;

use clap::Subcommand;
use dakghar_core::app::{App, Deed, PageRequest};
use dakghar_core::app::{NewPhoneNumber, NewTenant};
use dakghar_core::domain::audit::{AuditAction, Principal};
use dakghar_core::domain::message::LetterClass;
use dakghar_core::domain::page::PAGE_ITEMS_MAX;
use dakghar_core::domain::{Country, Leaving, LimitChanges, Secret, Tenant, TenantLimit};
use dakghar_server::http::{ExportKind, ExportPosition, export_page};
use serde_json::json;

use super::arguments::parse_tenant;
use super::{departure, output};
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The commands on tenants.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register a tenant with its first number; prints its API key, which is shown only once
    Add(Addition),
    /// List all tenants
    List {
        /// Print JSON, one tenant a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one tenant with its numbers
    Show {
        /// The tenant's id, ten_….
        tenant_id: String,
    },
    /// Stop sending for a tenant, or for one of its numbers; accepting and receiving go on
    Pause {
        /// The tenant's id.
        tenant_id: String,
        /// Only this number.
        #[arg(long)]
        phone_number_id: Option<String>,
    },
    /// Send again: ends every hold, whatever its reason
    Resume {
        /// The tenant's id.
        tenant_id: String,
        /// Only this number.
        #[arg(long)]
        phone_number_id: Option<String>,
    },
    /// Set limits of a tenant: each a number, 0 (no limit), or `default` for that of the installation
    Limit {
        /// The tenant's id.
        tenant_id: String,
        #[command(flatten)]
        limits: Limits,
    },
    /// Print everything of a tenant as NDJSON, without its secrets; the last line is of the kind end
    Export {
        /// The tenant's id.
        tenant_id: String,
        /// Only this.
        #[arg(long, value_parser = ExportKind::ALL.map(ExportKind::as_str))]
        kind: Option<String>,
        /// Go on behind a line of the kind cursor: its data.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Let a tenant leave, or some of its numbers: what was set up at Meta is taken back, then the tenant is removed
    Leave(departure::Leave),
    /// Remove a tenant and erase all its data; nothing is taken back at Meta
    Remove {
        /// The tenant's id.
        tenant_id: String,
        /// Even while messages are not settled.
        #[arg(long)]
        force: bool,
    },
}

/// The limits that are set; the others stay.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Limits {
    /// The most API requests in a second.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    requests_per_second: Option<LimitNumber>,
    /// The most messages that are accepted and not settled.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    messages_waiting: Option<LimitNumber>,
    /// The most calls to Meta under way.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    calls_under_way: Option<LimitNumber>,
    /// The days that settled messages and events are kept; 30 at least.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    retention_days: Option<LimitNumber>,
    /// The days that dead letters are kept which Meta refused or reported as failed; 0 is as long as other messages.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    failed_days: Option<LimitNumber>,
    /// The same for dead letters that expired before a call.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    expired_days: Option<LimitNumber>,
    /// The same for dead letters that may have been delivered.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    unknown_days: Option<LimitNumber>,
    /// The same for dead letters that Dakghar gave up.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    given_up_days: Option<LimitNumber>,
    /// The days that the contents of settled messages are kept, 7 at least; 0 is as long as the message.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    content_days: Option<LimitNumber>,
    /// The days that entries of the feed are kept, 7 at least; 0 is as long as messages.
    #[arg(long, value_name = "NUMBER", value_parser = parse_limit)]
    feed_days: Option<LimitNumber>,
}

impl Limits {
    fn changes(&self) -> LimitChanges {
        let given = |limit: &TenantLimit| {
            let number = match limit {
                TenantLimit::RequestsPerSecond => self.requests_per_second,
                TenantLimit::MessagesWaiting => self.messages_waiting,
                TenantLimit::CallsUnderWay => self.calls_under_way,
                TenantLimit::RetentionDays => self.retention_days,
                TenantLimit::Letters(LetterClass::Failed) => self.failed_days,
                TenantLimit::Letters(LetterClass::Expired) => self.expired_days,
                TenantLimit::Letters(LetterClass::Unknown) => self.unknown_days,
                TenantLimit::Letters(LetterClass::GivenUp) => self.given_up_days,
                TenantLimit::ContentDays => self.content_days,
                TenantLimit::FeedDays => self.feed_days,
            };
            number.map(|LimitNumber(number)| (*limit, number))
        };
        TenantLimit::ALL.iter().filter_map(given).collect()
    }
}

/// `None` is the default of the installation.
#[derive(Clone, Copy, Debug)]
struct LimitNumber(Option<u32>);

fn parse_limit(text: &str) -> Result<LimitNumber, String> {
    if text == "default" {
        return Ok(LimitNumber(None));
    }
    let number = text.parse().map_err(|_| "must be a number, or default".to_owned())?;
    Ok(LimitNumber(Some(number)))
}

/// A tenant to register.
#[derive(Debug, clap::Args)]
pub struct Addition {
    /// What people call it.
    name: String,
    /// Meta's id of the number. Without one, numbers are connected later.
    #[arg(long, requires = "access_token")]
    phone_number_id: Option<String>,
    /// The access token. Better from the environment than on the command line, where others can see it.
    #[arg(long, env = "ACCESS_TOKEN", hide_env_values = true)]
    access_token: Option<String>,
    /// Meta's id of the account.
    #[arg(long, requires = "phone_number_id")]
    waba_id: Option<String>,
    /// The number as people write it.
    #[arg(long, requires = "phone_number_id")]
    display_phone_number: Option<String>,
    /// The country whose people write numbers without a country code, by its two capital letters.
    #[arg(long, value_name = "LETTERS", requires = "phone_number_id")]
    default_country: Option<String>,
    /// Meta's limit for the number in messages a second.
    #[arg(long, requires = "phone_number_id")]
    messages_per_second: Option<u32>,
    /// Where the tenant wants its events: its first endpoint.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
}

impl From<Addition> for NewTenant {
    fn from(addition: Addition) -> Self {
        let number = addition.phone_number_id.map(|phone_number_id| NewPhoneNumber {
            phone_number_id,
            access_token: addition.access_token.map(Secret::new),
            waba_id: addition.waba_id,
            display_phone_number: addition.display_phone_number,
            default_country: addition.default_country,
            messages_per_second: addition.messages_per_second,
        });
        Self {
            name: addition.name,
            callback_url: addition.callback_url,
            unknown_outcome: None,
            number,
        }
    }
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::Add(addition) => {
            let registered = app.endpoints.register_tenant(addition.into(), Principal::CLI).await?;
            output::line(&format!("tenantId  {}", registered.tenant.id));
            output::line(&format!("apiKey    {}   (shown only now)", registered.api_key.reveal()));
            if let Some(secret) = registered.callback_secret {
                output::line(&format!("callbackSecret  {}   (shown only now)", secret.reveal()));
            }
        }
        Command::List { json } => list(&app, json).await?,
        Command::Show { tenant_id } => {
            let tenant = app.tenants.stored(&parse_tenant(&tenant_id)?).await?;
            output::line(&serde_json::to_string_pretty(&describe(&tenant))?);
        }
        Command::Pause {
            tenant_id,
            phone_number_id,
        } => {
            app.tenants
                .pause(&parse_tenant(&tenant_id)?, phone_number_id.as_deref(), Principal::CLI)
                .await?;
            output::line("paused: within a second nothing more is sent");
        }
        Command::Resume {
            tenant_id,
            phone_number_id,
        } => {
            app.tenants
                .resume(&parse_tenant(&tenant_id)?, phone_number_id.as_deref(), Principal::CLI)
                .await?;
            output::line("resumed");
        }
        Command::Limit { tenant_id, limits } => {
            let id = parse_tenant(&tenant_id)?;
            app.tenants.set_limits(&id, &limits.changes(), Principal::CLI).await?;
            output::line("set: it counts within a second");
        }
        Command::Export {
            tenant_id,
            kind,
            cursor,
        } => {
            let tenant = app.tenants.stored(&parse_tenant(&tenant_id)?).await?;
            export_recorded(&app, &tenant, kind, cursor).await?;
        }
        Command::Leave(wished) => departure::leave(&app, wished).await?,
        Command::Remove { tenant_id, force } => {
            let id = parse_tenant(&tenant_id)?;
            app.tenants.remove(&id, force, Principal::CLI).await?;
            // A server beside this command may have stored something for the tenant meanwhile.
            tokio::time::sleep(app.tenants.forgotten_after()).await;
            app.tenants.erase_left_behind(&id).await?;
            output::line("removed");
        }
    }
    Ok(())
}

async fn list(app: &App, is_json: bool) -> anyhow::Result<()> {
    let mut page = PageRequest {
        limit: PAGE_ITEMS_MAX,
        cursor: None,
    };
    let mut rows = Vec::new();
    loop {
        let found = app.reading.tenants(&page).await?;
        for tenant in &found.items {
            if is_json {
                output::line(&describe(tenant).to_string());
            } else {
                rows.push(row(tenant));
            }
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    if rows.is_empty() && !is_json {
        output::line("no tenants yet; register one with `dakghar tenant add`");
    } else if !is_json {
        output::table(&["TENANT", "NAME", "NUMBERS", "HOLD", "SINCE"], &rows);
    }
    Ok(())
}

fn row(tenant: &Tenant) -> Vec<String> {
    let numbers: Vec<&str> = tenant
        .phone_numbers
        .iter()
        .map(|number| number.phone_number_id.as_str())
        .collect();
    let hold = tenant.hold.map_or("-", |hold| hold.reason.as_str());
    vec![
        tenant.id.to_string(),
        tenant.name.clone(),
        numbers.join(","),
        hold.to_owned(),
        tenant.created_at.to_string(),
    ]
}

fn describe(tenant: &Tenant) -> serde_json::Value {
    let numbers: Vec<_> = tenant
        .phone_numbers
        .iter()
        .map(|number| {
            json!({
                "phoneNumberId": number.phone_number_id.as_str(),
                "wabaId": number.waba_id.as_ref().map(|id| id.as_str().to_owned()),
                "displayPhoneNumber": number.display_phone_number,
                "defaultCountry": number.default_country.map(Country::as_str),
                "messagesPerSecond": number.messages_per_second,
                "simulated": number.simulated,
                "hold": number.hold.map(|hold| hold.reason.as_str()),
            })
        })
        .collect();
    let limits: serde_json::Map<_, _> = TenantLimit::ALL
        .iter()
        .map(|limit| (limit.as_str().to_owned(), json!(tenant.limits.of(*limit))))
        .collect();
    json!({
        "tenantId": tenant.id.to_string(),
        "name": tenant.name,
        "callbackUrl": tenant.callback_url,
        "hold": tenant.hold.map(|hold| hold.reason.as_str()),
        "leaving": tenant.leaving.as_ref().map(Leaving::to_text),
        "unknownOutcome": tenant.unknown_outcome.as_str(),
        "limits": limits,
        "phoneNumbers": numbers,
        "createdAt": tenant.created_at.to_string(),
        "updatedAt": tenant.updated_at.to_string(),
    })
}

/// Exports, with a record in the audit log, and lets a departure go on that waits for all of it.
async fn export_recorded(
    app: &App,
    tenant: &Tenant,
    kind: Option<String>,
    cursor: Option<String>,
) -> anyhow::Result<()> {
    let deed = Deed::new(Principal::CLI, AuditAction::TenantExported).of(&tenant.id);
    app.auditing.note(&deed).await?;
    let awaited = app.departing.awaiting_export(&tenant.id).await?;
    let awaited = awaited.filter(|_| kind.is_none());
    let is_read = export(app, tenant, kind, cursor).await?;
    if let Some(id) = awaited.filter(|_| is_read) {
        app.departing.note_exported(&tenant.id, &id).await?;
    }
    Ok(())
}

/// Prints page by page. Returns false if nobody read it to its end.
async fn export(app: &App, tenant: &Tenant, kind: Option<String>, cursor: Option<String>) -> anyhow::Result<bool> {
    let only = kind.as_deref().and_then(ExportKind::parse);
    let mut next = Some(match cursor {
        Some(cursor) => ExportPosition::parse(&cursor, only)?,
        None => ExportPosition::begin(only),
    });
    while let Some(position) = next {
        let (lines, behind) = export_page(&app.reading, tenant, &position).await?;
        if !output::try_line(String::from_utf8_lossy(&lines).trim_end()) {
            return Ok(false);
        }
        next = behind;
    }
    Ok(true)
}
