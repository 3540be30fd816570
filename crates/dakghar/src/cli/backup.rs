//! `dakghar backup`: a copy of the embedded store, taken while a server uses it.

mod files;
mod manifest;
mod unfinished;

use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::config::Config;
use crate::secrets::{MASTER_KEY_FILE, generated};
use crate::wiring::backup;
pub(super) use files::STORE;
use files::{SECRETS, copy_private, sync};
pub(super) use manifest::Manifest;
use unfinished::{Unfinished, parent};

const BAR: &str = "copying [{bar:30}] {percent} %  {eta}";

/// Copy the embedded store into a new folder, while a server uses it
///
/// The copy is of one moment, checked page by page, and described by a manifest with its SHA-256. Its secrets are sealed
/// by MASTER_KEY, without which it cannot be used: keep that apart from the backups. `dakghar restore` puts it back.
///
/// An installation on MongoDB is backed up by MongoDB's own tools; Redis needs no backup, because the queue is built
/// again from MongoDB.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The folder to make; nothing may be there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Copy the secrets that were generated into DATA_DIR too: whoever has the backup can then read all tokens
    #[arg(long)]
    with_secrets: bool,
}

const AFTER: &str = "\
Examples:
  dakghar backup /backups/dakghar-$(date +%F)
  dakghar restore /backups/dakghar-2026-11-29

The server's log of changes grows while it is copied, by what is written meanwhile.";

/// Makes a backup, and says what is in it.
pub fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    refuse_distributed(config)?;
    back_up(&config.storage.data_dir, args)
}

/// Fails where the data is in MongoDB.
pub(super) fn refuse_distributed(config: &Config) -> anyhow::Result<()> {
    if config.is_distributed() {
        bail!(
            "MONGO_URI is set, and this command is for the embedded store: back up and restore MongoDB by its own tools \
             (mongodump and mongorestore, or snapshots of its disks), and start the first process with --hold"
        );
    }
    Ok(())
}

fn back_up(data_dir: &Path, args: &Args) -> anyhow::Result<()> {
    let folder = &args.folder;
    if folder.symlink_metadata().is_ok() {
        bail!(
            "{} is there already: a backup makes a folder of its own",
            folder.display()
        );
    }
    refuse_within(data_dir, folder)?;
    let unfinished = Unfinished::begin(folder)?;
    let manifest = match fill(data_dir, unfinished.path(), args.with_secrets) {
        Ok(manifest) => manifest,
        Err(error) => {
            unfinished.discard();
            return Err(error);
        }
    };
    unfinished.finish(folder)?;
    output::line(&format!(
        "{} has the store as it was at {}: {} bytes, schema {}, every page checked.",
        folder.display(),
        manifest.taken_at,
        manifest.bytes,
        manifest.schema
    ));
    manifest.print_rows();
    tell_of_secrets(data_dir, args.with_secrets);
    Ok(())
}

/// Fails where the backup would be lost with the store.
fn refuse_within(data_dir: &Path, folder: &Path) -> anyhow::Result<()> {
    let (Ok(data_dir), Ok(parent)) = (data_dir.canonicalize(), parent(folder).canonicalize()) else {
        return Ok(());
    };
    if parent.starts_with(&data_dir) {
        bail!(
            "{} is in DATA_DIR ({}): whatever destroys the store destroys such a backup too",
            folder.display(),
            data_dir.display()
        );
    }
    Ok(())
}

fn fill(data_dir: &Path, folder: &Path, with_secrets: bool) -> anyhow::Result<Manifest> {
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR).expect("the template is well-formed");
        ProgressBar::new(0).with_style(style.progress_chars("=> "))
    });
    let show = |done, total| {
        if let Some(bar) = &bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    };
    let copied = backup::back_up(data_dir, &folder.join(STORE), &show)?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let mut secrets = Vec::new();
    for name in SECRETS.into_iter().filter(|_| with_secrets) {
        if let Some(file) = generated(data_dir, name) {
            copy_private(&file, &folder.join(name))?;
            secrets.push(name.to_owned());
        }
    }
    let manifest = Manifest::new(copied, secrets);
    manifest.write(folder)?;
    sync(folder).with_context(|| format!("{} cannot be made durable", folder.display()))?;
    Ok(manifest)
}

fn tell_of_secrets(data_dir: &Path, are_copied: bool) {
    let key = generated(data_dir, MASTER_KEY_FILE);
    output::note(&match (key, are_copied) {
        (Some(_), true) => {
            "note  the generated master key is in it: guard this folder as the tokens of all tenants.".into()
        }
        (Some(key), false) => format!(
            "note  the backup cannot be used without the master key: keep a copy of {} in another place.",
            key.display()
        ),
        (None, _) => "note  the backup cannot be used without MASTER_KEY: keep it in another place.".into(),
    });
}
