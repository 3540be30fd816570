//! `dakghar restore`: a backup in the place of the embedded store.

use std::path::PathBuf;

use super::backup::{Manifest, STORE, refuse_distributed};
use super::output;
use crate::config::Config;
use crate::secrets::{MASTER_KEY_FILE, generated, make_data_dir};
use crate::wiring::backup;

/// Put a backup in the place of the embedded store, with all sending held
///
/// Compares the backup with its manifest, and puts it into DATA_DIR. No server may use the store. What was there is kept
/// beside it. It can be killed at any moment: until it has ended no server starts, and the same command goes on.
///
/// What was waiting when the backup was made may have been sent since, and would be sent again: so all sending is held
/// until `dakghar release`, and `dakghar hold --show` tells what waits.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The folder that `dakghar backup` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Put it in the place of a store that is there, which is kept under another name
    #[arg(long)]
    replace: bool,
    /// Compare the backup with its manifest; change nothing
    #[arg(long)]
    check: bool,
}

const AFTER: &str = "\
After a restore:
  dakghar doctor        are the keys the right ones, is everything readable
  dakghar serve         accepts and receives; nothing is sent
  dakghar hold --show   what would be sent
  dakghar release       send it";

/// Restores a backup, or only looks at it.
pub fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    refuse_distributed(config)?;
    restore(config, args)
}

fn restore(config: &Config, args: &Args) -> anyhow::Result<()> {
    let manifest = Manifest::of(&args.folder)?;
    output::line(&format!(
        "{} was made at {} by dakghar {}, schema {}, and is as it was then.",
        args.folder.display(),
        manifest.taken_at,
        manifest.release,
        manifest.schema
    ));
    manifest.print_rows();
    if args.check {
        return Ok(());
    }
    let data_dir = &config.storage.data_dir;
    make_data_dir(data_dir)?;
    let store = args.folder.join(STORE);
    let kept = backup::restore(&store, data_dir, args.replace)?;
    let others = manifest.restore_secrets(&args.folder, data_dir)?;
    output::line(&format!(
        "\nIt is in {} now, and all sending is held.",
        data_dir.display()
    ));
    if let Some(kept) = kept {
        output::line(&format!("What was there is kept as {}.", kept.display()));
    }
    for name in others {
        output::note(&format!(
            "note  {} is another one than in the backup, and was left as it is.",
            data_dir.join(name).display()
        ));
    }
    if config.keys.master_key.is_none() && generated(data_dir, MASTER_KEY_FILE).is_none() {
        output::note(
            "note  there is no master key: set MASTER_KEY to the one that the backup was made with, or its secrets \
             cannot be opened.",
        );
    }
    output::line("Next: `dakghar doctor`, `dakghar serve`, `dakghar hold --show`, and then `dakghar release`.");
    Ok(())
}
