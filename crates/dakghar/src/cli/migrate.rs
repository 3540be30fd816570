//! `dakghar migrate`: an embedded installation moves into MongoDB.

mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use dakghar_core::app::migrate::{MigrateError, Migrator, Plan};
use dakghar_core::domain::migration::Migration;
use dakghar_core::ports::StoreError;

use super::output;
use crate::config::keys::MASTER_KEY;
use crate::config::{Backend, Config, Environment};
use crate::secrets::{MASTER_KEY_FILE, VERIFY_TOKEN_FILE};
use crate::wiring::{MigrationEnds, wire_migration};
use progress::Display;

/// How long a target that does not answer is asked again before the command gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The wait between two tries.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// Copy an embedded installation (its SQLite file) into MongoDB, and verify the copy
///
/// Copies every tenant, conversation, message and webhook event of an embedded installation into the database that
/// MONGO_URI names: ids, versions, times, idempotency keys and timelines stay as they are. Then it reads both stores
/// and compares every record, and prints counts and checksums. The embedded file is only read.
///
/// It can be killed at any moment: the same command goes on where it was. Until it is finished nothing is sent from
/// the target, and once it is finished nothing is sent from the embedded file, so no message is sent twice.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
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

// One line for each paragraph: they are wrapped to the width of the terminal.
const AFTER_HELP: &str = "\
Before:
  1. Have a MongoDB replica set and a Redis server ready, and set MONGO_URI and REDIS_URL (or REDIS_HOST and \
REDIS_PORT). The database must be empty; collections of other programs in it do not matter.
  2. Set MASTER_KEY to the key that the embedded installation runs with: it opens access tokens and recognises API \
keys, so the new installation needs the very same. One that was generated is in the folder: \
MASTER_KEY_FILE=./data/master_key
  3. Stop the embedded server, and every Dakghar process on the target.

While it runs:
  The folder is locked: no server starts on it, and no command changes it. Progress goes to standard error, as a bar \
on a terminal, and as a line now and then elsewhere. How far it has come is kept in the target, in the collection \
migrations. While that says that it is not finished, `dakghar serve`, `api` and `worker` refuse to start there; one \
that was running before reports not ready and sends nothing.

  A run that was ended leaves the embedded installation as it was, and it may be served again. What it holds is then \
no longer what was copied, so the next run asks for --start-over.

After:
  A file MIGRATED in the folder keeps servers and commands from using it by accident. Queued messages are sent by the \
new installation, each once. A message whose call was under way when the old server ended waits for the end of its \
lease and then, as always, for its status webhook.

  Set MONGO_URI, REDIS_URL, MASTER_KEY and, if it was generated, VERIFY_TOKEN in every new process. Start `dakghar \
serve`, or `dakghar api` and `dakghar worker`. Let the URL that Meta calls lead there.

Going back:
  Possible until the new installation has sent, accepted or received something: what it has sent would be sent again, \
and what it has received would be missing. Stop all of its processes for good, delete the file MIGRATED, and start \
the old server as before.

Files:
  DATA_DIR/dakghar.sqlite3   the embedded installation
  DATA_DIR/master_key        its master key, if that was generated
  DATA_DIR/verify_token      its verify token, if that was generated
  DATA_DIR/MIGRATED          where it moved to, and how to go back

Exit status:
  0   the copy is complete and verified; with --dry-run: nothing stands in the way
  1   it did not begin or was not finished; standard error says why and what to do
  64  wrong usage or settings

Examples:
  export MONGO_URI='mongodb://mongo-1,mongo-2/dakghar?replicaSet=rs0'
  export REDIS_URL=redis://redis:6379 MASTER_KEY_FILE=./data/master_key
  dakghar migrate --from-embedded ./data --dry-run
  dakghar migrate --from-embedded ./data && dakghar serve";

/// Migrates, and says how it went.
pub async fn run(environment: &Environment, args: &Args) -> ExitCode {
    let folder = &args.from_embedded;
    let config = match Config::load(environment) {
        Ok(config) => config,
        Err(mut problems) => {
            if !environment.is_set(&MASTER_KEY) {
                let generated = generated(folder, MASTER_KEY_FILE).map_or_else(String::new, |file| {
                    format!(
                        "; if it was never set there, the generated one: MASTER_KEY_FILE={}",
                        file.display()
                    )
                });
                problems.push(format!(
                    "MASTER_KEY must be the key that the embedded installation runs with{generated}"
                ));
            }
            return output::usage_error(&problems);
        }
    };
    if matches!(config.backend, Backend::Embedded) {
        return output::usage_error(&[
            "MONGO_URI is not set: it names the database that the installation moves to (and REDIS_URL the queue)"
                .into(),
        ]);
    }
    match migrate(&config, args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
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
    describe(&plan);
    if args.dry_run {
        return dry_run(&ends.migrator, &plan).await.map_err(with_advice);
    }
    let was_finished = matches!(plan, Plan::Finished(_));
    let migration = tokio::select! {
        finished = persist(&ends.migrator, args.start_over) => finished.map_err(with_advice)?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped; the same command goes on from here"),
    };
    report(&migration, &ends, was_finished);
    next_steps(config, args, &ends, was_finished);
    Ok(())
}

/// Runs until it is finished; a target that is away for a while is waited for.
async fn persist(migrator: &Migrator, start_over: bool) -> Result<Migration, MigrateError> {
    let display = Display::new();
    let mut failing_since = None;
    let mut seen = 0;
    loop {
        // Once anything was done, what is in the target is this migration's own.
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

fn describe(plan: &Plan) {
    match plan {
        Plan::Begin => {}
        Plan::Continue(migration) => {
            let copied: u64 = migration.kinds.iter().map(|progress| progress.copied).sum();
            output::line(&format!(
                "goes on with the migration begun {}: {copied} records are copied",
                migration.started_at
            ));
        }
        Plan::StartOver(migration) => output::line(&format!(
            "starts over: erases what the migration of {} begun {} has left in the target",
            migration.origin, migration.started_at
        )),
        Plan::Finished(migration) => {
            let at = migration.finished_at.unwrap_or(migration.started_at);
            output::line(&format!("this migration was finished {at}; nothing is left to do"));
        }
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

fn report(migration: &Migration, ends: &MigrationEnds, was_finished: bool) {
    let rows: Vec<_> = migration
        .kinds
        .iter()
        .map(|progress| {
            vec![
                progress.kind.as_str().to_owned(),
                progress.total.to_string(),
                progress.checksum.map(hex::encode).unwrap_or_default(),
            ]
        })
        .collect();
    output::table(&["KIND", "RECORDS", "SHA-256 OF THE SOURCE AND OF THE COPY"], &rows);
    let verified = match migration.finished_at {
        Some(at) if was_finished => format!("verified {at}: every record was the same in both stores"),
        _ => "verified: every record is in both stores and the same in both".into(),
    };
    output::line(&verified);
    if !ends.mark.exists() {
        output::line(&format!(
            "warning: {} was deleted: a server started on the old folder would send again what the new one sends",
            ends.mark.display()
        ));
    }
}

/// What the operator has to do now.
fn next_steps(config: &Config, args: &Args, ends: &MigrationEnds, was_finished: bool) {
    let folder = &args.from_embedded;
    if !was_finished {
        output::line(&format!(
            "{} keeps a server from starting on the old folder",
            ends.mark.display()
        ));
    }
    output::line("\nnext, in every new process:");
    output::line("  MONGO_URI and REDIS_URL    as in this command");
    match generated(folder, MASTER_KEY_FILE).filter(|_| ends.is_key_in_folder) {
        Some(file) => output::line(&format!(
            "  MASTER_KEY_FILE={}    keep it as safe as the database, and apart from it",
            file.display()
        )),
        None => output::line("  MASTER_KEY    as in this command"),
    }
    if config.verify_token.is_none()
        && let Some(file) = generated(folder, VERIFY_TOKEN_FILE)
    {
        output::line(&format!("  VERIFY_TOKEN_FILE={}", file.display()));
    }
    output::line("then start `dakghar serve`, or `dakghar api` and `dakghar worker`.");
    output::line(&format!(
        "\nGoing back is possible until the new installation has sent, accepted or received something: {} says how.",
        ends.mark.display()
    ));
}

/// A secret that was generated into the folder.
fn generated(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|file| file.is_file())
}

/// What to do about an error.
fn advice(error: &MigrateError, ends: &MigrationEnds) -> String {
    match error {
        MigrateError::WrongKey { .. } => match &ends.key_file {
            Some(file) if ends.does_key_file_open => format!(
                "The key of this installation is in a file: set MASTER_KEY_FILE={} instead of MASTER_KEY. Nothing \
                 was copied.",
                file.display()
            ),
            other => {
                let other = other.as_ref().map_or_else(String::new, |file| {
                    format!(" The one in {} does not open them all either.", file.display())
                });
                format!(
                    "Set MASTER_KEY to the key that the embedded installation runs with.{other} To try a key, without \
                     MONGO_URI: DATA_DIR={} MASTER_KEY=… dakghar doctor. Nothing was copied.",
                    ends.file.parent().unwrap_or(Path::new(".")).display()
                )
            }
        },
        MigrateError::TargetInUse(_) => {
            "Name an empty database in MONGO_URI: mongodb://…/another_name. Nothing was copied.".into()
        }
        MigrateError::OtherUnfinished { .. } => {
            "If it was this installation, which was used again meanwhile: --start-over erases the copy and begins \
             anew. If it was another one: name another database in MONGO_URI."
                .into()
        }
        MigrateError::OtherFinished { .. } => "Name another database in MONGO_URI. Nothing was copied.".into(),
        MigrateError::Retired(_) => format!(
            "In two places it would send every message twice. {} says how to go back.",
            ends.mark.display()
        ),
        MigrateError::Overtaken => "Let that one finish; only one can work at a time.".into(),
        MigrateError::Source(_) | MigrateError::SourceMiscounts { .. } => {
            "The embedded file is as it was. DATA_DIR=… dakghar doctor looks for damage in it.".into()
        }
        MigrateError::Target(StoreError::Corrupt(_)) => {
            "Something else has written into the target. Stop every other process on it, and run the command again \
             with --start-over."
                .into()
        }
        MigrateError::Target(_) => "Nothing is lost: the same command goes on from here.".into(),
        MigrateError::Missing { .. }
        | MigrateError::Different { .. }
        | MigrateError::Surplus { .. }
        | MigrateError::Checksum(_) => {
            "The target must not be used like this, and does not let itself be. The embedded file is as it was. Stop \
             every other process on the target, and run the command again with --start-over."
                .into()
        }
    }
}
