//! `dakghar migrate`: an embedded installation moves into MongoDB.

mod advice;
mod help;
mod progress;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use dakghar_core::app::migrating::{MigrateError, Migrator, Plan};
use dakghar_core::domain::migration::Migration;
use dakghar_core::ports::StoreError;

use super::output;
use crate::config::keys::MASTER_KEY;
use crate::config::{Config, Environment};
use crate::secrets::{self, MASTER_KEY_FILE};
use crate::wiring::wire_migration;
use advice::advice;
use progress::Display;
use report::Finished;

/// The time after which the command gives up on a target that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The wait between two tries.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// Copy an embedded installation (its SQLite file) into MongoDB, and verify the copy
///
/// Copies every tenant, conversation, message, webhook event, feed and endpoint of an embedded installation into the
/// database that MONGO_URI names: ids, versions, times, idempotency keys and timelines stay as they are. Then it reads both stores
/// and compares every record, and prints counts and checksums. The embedded file is only read.
///
/// It can be killed at any moment: the same command goes on where it was. Until it is finished nothing is sent from
/// the target, and once it is finished nothing is sent from the embedded file, so no message is sent twice.
#[derive(Debug, clap::Args)]
#[command(after_long_help = help::AFTER)]
pub struct Args {
    /// The folder of the embedded installation: the DATA_DIR it was served from
    #[arg(long, value_name = "DATA_DIR")]
    from_embedded: PathBuf,
    /// Check everything and print what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Erase what an unfinished migration has left in the target, and copy everything from the beginning
    ///
    /// Needed when the embedded installation was used again after its copying had begun. A finished migration is
    /// never erased.
    #[arg(long)]
    start_over: bool,
}

/// Migrates, and says how it went.
pub async fn run(environment: &Environment, args: &Args) -> ExitCode {
    let config = match load(environment, &args.from_embedded) {
        Ok(config) => config,
        Err(problems) => return output::usage_error(&problems),
    };
    match migrate(&config, args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Reads the settings of the target. An error lists everything that is wrong with them.
fn load(environment: &Environment, folder: &Path) -> Result<Config, Vec<String>> {
    let config = Config::load(environment).map_err(|mut problems| {
        if !environment.is_set(&MASTER_KEY) {
            problems.push(missing_key(folder));
        }
        problems
    })?;
    if config.is_distributed() {
        return Ok(config);
    }
    Err(vec![
        "MONGO_URI is not set: it names the database that the installation moves to (and REDIS_URL the queue)".into(),
    ])
}

fn missing_key(folder: &Path) -> String {
    let generated = secrets::generated(folder, MASTER_KEY_FILE).map_or_else(String::new, |file| {
        format!(
            "; if it was never set there, the generated one: MASTER_KEY_FILE={}",
            file.display()
        )
    });
    format!("MASTER_KEY must be the key that the embedded installation runs with{generated}")
}

async fn migrate(config: &Config, args: &Args) -> anyhow::Result<()> {
    let ends = wire_migration(config, &args.from_embedded, args.dry_run).await?;
    output::line(&format!("from  {}", ends.file.display()));
    output::line(&format!("to    {}", ends.migrator.successor));
    let with_advice = |error: MigrateError| {
        let advice = advice(&error, &ends);
        anyhow::anyhow!("{error}\n{advice}")
    };
    let plan = ends.migrator.plan(args.start_over).await.map_err(with_advice)?;
    if ends.strict.check_key().await.is_err() {
        output::line(
            "note  some tokens open with MASTER_KEY_PREVIOUS only. API keys and callbacks under way depend on \
             MASTER_KEY: it must be the key that the embedded installation runs with, not a newer one.",
        );
    }
    report::plan(&plan);
    if args.dry_run {
        return dry_run(&ends.migrator, &plan).await.map_err(with_advice);
    }
    let migration = tokio::select! {
        finished = persist(&ends.migrator, args.start_over) => finished.map_err(with_advice)?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped; the same command goes on from here"),
    };
    let finished = Finished {
        migration: &migration,
        ends: &ends,
        was_finished: matches!(plan, Plan::Finished(_)),
    };
    finished.print_totals();
    finished.print_next_steps(config, &args.from_embedded);
    Ok(())
}

/// Runs until the migration is finished, and waits for a target that is away for a while.
#[expect(clippy::disallowed_methods, reason = "measures patience")]
async fn persist(migrator: &Migrator, start_over: bool) -> Result<Migration, MigrateError> {
    let display = Display::new();
    let mut failing_since = None;
    let mut seen = 0;
    loop {
        // Once anything was done, the target holds this migration's own records.
        let start_over = start_over && display.reports() == 0;
        let ended = migrator.run(start_over, &|progress| display.show(progress)).await;
        let Err(MigrateError::Target(StoreError::Unavailable(why))) = &ended else {
            display.end();
            return ended;
        };
        if display.reports() > seen {
            (seen, failing_since) = (display.reports(), None);
        }
        if failing_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            display.end();
            return ended;
        }
        display.note(&format!("the target does not answer, trying again: {why}"));
        tokio::time::sleep(RETRY_WAIT).await;
    }
}

async fn dry_run(migrator: &Migrator, plan: &Plan) -> Result<(), MigrateError> {
    let rows: Vec<_> = migrator
        .totals()
        .await?
        .into_iter()
        .map(|(kind, total)| vec![kind.as_str().to_owned(), total.to_string()])
        .collect();
    output::table(&["KIND", "RECORDS"], &rows);
    output::line(if matches!(plan, Plan::Finished(_)) {
        "dry run: nothing would be done"
    } else {
        "dry run: nothing stands in the way; nothing was changed"
    });
    Ok(())
}
