//! `dakghar dead-letter auto-redrive`: what is sent again by itself when its cause has ended.

use dakghar_core::app::App;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::auto_redrive::{AUTO_HOURS_MAX, AUTO_PER_MINUTE_MAX, AUTO_TIMES_MAX, AutoRedrive, Cause};

use super::super::output;
use crate::cli::arguments::parse_tenant;

/// What is to be sent again by itself. Without causes, and without `--off`, it is shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant's id, ten_….
    tenant_id: String,
    /// The causes after whose end dead letters are sent again, with a comma between them.
    #[arg(long, value_delimiter = ',', value_parser = Cause::ALL.map(Cause::as_str))]
    causes: Vec<String>,
    /// Messages a minute that go back into the queue.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=i64::from(AUTO_PER_MINUTE_MAX)))]
    per_minute: u32,
    /// Only dead letters that ended at most so many hours before their cause.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(AUTO_HOURS_MAX)))]
    max_age_hours: u32,
    /// No message is sent again more often than this, with what people sent again.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(AUTO_TIMES_MAX)))]
    times_max: u32,
    /// Send nothing again by itself.
    #[arg(long, conflicts_with = "causes")]
    off: bool,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: Args) -> anyhow::Result<()> {
    let tenant_id = parse_tenant(&args.tenant_id)?;
    let causes: Vec<Cause> = args.causes.iter().filter_map(|name| Cause::parse(name)).collect();
    let policy = if args.off || !causes.is_empty() {
        let policy = AutoRedrive {
            causes,
            per_minute: args.per_minute,
            hours: args.max_age_hours,
            times: args.times_max,
        };
        let changed = app
            .tenants
            .set_auto_redrive(&tenant_id, (!args.off).then_some(policy), Principal::CLI)
            .await?;
        changed.auto.policy.clone()
    } else {
        app.tenants.stored(&tenant_id).await?.auto.policy
    };
    let line = policy.map_or_else(|| "nothing is sent again by itself".to_owned(), |policy| shown(&policy));
    output::line(&line);
    Ok(())
}

fn shown(policy: &AutoRedrive) -> String {
    let causes: Vec<&str> = policy.causes.iter().map(|cause| cause.as_str()).collect();
    format!(
        "after the end of {}: {} a minute, at most {} hours old, each {} times at most",
        causes.join(", "),
        policy.per_minute,
        policy.hours,
        policy.times
    )
}
