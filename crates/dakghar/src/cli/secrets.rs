//! `dakghar secrets …`: the keys that data keys are wrapped under, and moving to another one.

use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use dakghar_core::app::{App, Replacement, WrappedBy, WrappingKeys};
use dakghar_core::domain::audit::Principal;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::{data_keys, output};
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The long help after the commands. A paragraph is one line, because clap wraps it to the width of the terminal.
pub const AFTER_HELP: &str = "\
To change the master key, or to move to a key service or away from it:
  1. Set the new key (MASTER_KEY, or KMS) and the old one beside it (MASTER_KEY_PREVIOUS, or KMS_PREVIOUS), and restart all \
processes one after another. From then on each opens what is under either key.
  2. dakghar secrets rotate, while everything runs. If it is killed, run it again: it goes on where it was.
  3. dakghar secrets status says which keys nothing is under any more. Take those out of the settings, and restart once more.

To make new data keys, such as after somebody may have read some in memory: dakghar secrets rotate --data-keys. It may be \
killed and run again, too.

Exit status:
  0   done
  1   it was not done, or something cannot be moved; standard error says why
  64  wrong usage or settings

Examples:
  dakghar secrets status
  dakghar secrets rotate --dry-run
  dakghar secrets rotate --per-second 20
  dakghar secrets rotate --data-keys";

const BAR: &str = "moving data keys [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta}";

/// The commands on wrapping keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell how many data keys are wrapped under each key, and which keys nothing needs
    Status,
    /// Move all data keys to the present key, while everything runs
    Rotate {
        /// Only say what would be moved.
        #[arg(long)]
        dry_run: bool,
        /// Make new data keys instead, and seal everything anew under them.
        #[arg(long)]
        data_keys: bool,
        /// Leave data keys alone that were made less long ago, in hours: so the same command goes on where it was.
        #[arg(long, requires = "data_keys", default_value_t = 24)]
        older_than_hours: u32,
        /// Let the old data key of a tenant stay for so many seconds: longer than any request takes.
        #[arg(long, requires = "data_keys", default_value_t = 120, value_parser = clap::value_parser!(u32).range(15..=86_400))]
        keep_old_seconds: u32,
        /// Tenants whose data keys are moved in a second, at most, which is also what a key service is asked.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        per_second: u32,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let wired = wire(&config, Purpose::Command, Arc::default()).await?;
    let app = wired.app;
    let names = wired.keys.names();
    match command {
        Command::Status => {
            show(&app.rotating.keys().await?, &names);
            show_old(&app).await?;
        }
        Command::Rotate {
            data_keys: true,
            dry_run,
            per_second,
            older_than_hours,
            keep_old_seconds,
        } => {
            let what = Replacement {
                older_than: Duration::from_secs(u64::from(older_than_hours) * 3_600),
                keep_old: Duration::from_secs(keep_old_seconds.into()),
            };
            if dry_run {
                return data_keys::show(&app, what).await;
            }
            tell(&data_keys::replace(&app, what, per_second).await?, "replaced")?;
        }
        Command::Rotate {
            dry_run, per_second, ..
        } => {
            let keys = app.rotating.keys().await?;
            if dry_run {
                show(&keys, &names);
                output::line(&format!("{} would be moved", keys.left()));
                return Ok(());
            }
            let failed = rotate(&app, &keys, per_second).await?;
            show(&app.rotating.keys().await?, &names);
            tell(&failed, "moved")?;
        }
    }
    Ok(())
}

/// Names what cannot be done, and fails if there is something.
fn tell(failed: &[(String, String)], what: &str) -> anyhow::Result<()> {
    for (owner, reason) in failed {
        output::note(&format!("{owner}: {reason}"));
    }
    if !failed.is_empty() {
        bail!("{} data keys cannot be {what}; all others are", failed.len());
    }
    Ok(())
}

/// Says how many old data keys are kept beside new ones.
async fn show_old(app: &App) -> anyhow::Result<()> {
    let with_old = app.replacing().count(Replacement::default()).await?.with_old;
    if with_old > 0 {
        output::line(&format!(
            "{with_old} tenants have an old data key beside the present one: run dakghar secrets rotate --data-keys again"
        ));
    }
    Ok(())
}

/// Moves page by page, and from the beginning again until a whole pass finds nothing: who registers a tenant meanwhile may
/// still use the old key. Returns what nobody can move.
async fn rotate(app: &App, keys: &WrappingKeys, per_second: u32) -> anyhow::Result<Vec<(String, String)>> {
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR).expect("the template is well-formed");
        ProgressBar::new(keys.left()).with_style(style.progress_chars("=> "))
    });
    let mut all = 0;
    loop {
        let (mut moved, mut failed, mut before) = (0, Vec::new(), None);
        loop {
            let step = app.rotating.step(before, Principal::CLI).await;
            let step = step.context("not everything was moved; the same command goes on where this one ended")?;
            moved += step.moved;
            failed.extend(step.failed);
            if let Some(bar) = &bar {
                bar.inc(step.moved);
            }
            let rest = Duration::from_secs_f64(
                f64::from(u32::try_from(step.moved).unwrap_or(u32::MAX)) / f64::from(per_second),
            );
            sleep(rest).await;
            before = step.next;
            if before.is_none() {
                break;
            }
        }
        all += moved;
        if moved == 0 {
            if let Some(bar) = bar {
                bar.abandon();
            }
            output::line(&format!("{all} data keys were moved"));
            return Ok(failed);
        }
    }
}

fn show(keys: &WrappingKeys, names: &[(String, &'static str)]) {
    let rows: Vec<_> = keys.keys.iter().map(|key| row(key, names)).collect();
    output::table(&["KEY", "SETTING", "TENANTS", "APPS", "INSTALLATION", ""], &rows);
    let unused = names
        .iter()
        .filter(|(id, _)| !keys.keys.iter().any(|key| key.key.to_string() == *id));
    for (_, name) in unused {
        output::line(&format!("nothing is wrapped under {name}: take it out of the settings"));
    }
    if keys.unreadable > 0 {
        output::line(&format!("{} data keys are damaged", keys.unreadable));
    }
}

fn row(key: &WrappedBy, names: &[(String, &'static str)]) -> Vec<String> {
    let id = key.key.to_string();
    let name = names.iter().find(|(known, _)| *known == id);
    let state = match (key.is_present, name) {
        (true, _) => "wraps now",
        (false, Some(_)) => "still needed",
        (false, None) => "still needed, and not in the settings",
    };
    vec![
        id,
        name.map_or("-", |(_, name)| name).to_owned(),
        key.tenants.to_string(),
        key.apps.to_string(),
        if key.has_installation { "yes" } else { "-" }.to_owned(),
        state.to_owned(),
    ]
}
