//! The way out of each error of a migration.

use std::path::Path;

use dakghar_core::app::migrating::MigrateError;
use dakghar_core::ports::StoreError;

use crate::wiring::MigrationEnds;

/// Returns the step that mends an error.
pub(super) fn advice(error: &MigrateError, ends: &MigrationEnds) -> String {
    match error {
        MigrateError::WrongKey { .. } | MigrateError::WrongKeyOfApp { .. } | MigrateError::WrongKeyOfInstallation(_) => key_advice(ends),
        MigrateError::TargetInUse(_) => {
            "Name an empty database in MONGO_URI: mongodb://…/another_name. Nothing was copied.".into()
        }
        MigrateError::OpenRedrives(_) => {
            "Serve the embedded installation until they are done, or end them: `dakghar dead-letter redrives` lists them, \
             `dakghar dead-letter cancel ID` ends one. What they have not sent again can be sent again from the new \
             installation. Nothing was copied."
                .into()
        }
        MigrateError::OpenErasures(_) => {
            "Serve the embedded installation until they are done: `dakghar erase list` shows them. Nothing was copied."
                .into()
        }
        MigrateError::OpenSignups(_) => {
            "Serve the embedded installation until they are done or have stopped: `dakghar signup list` shows them. \
             Nothing was copied."
                .into()
        }
        MigrateError::OpenDepartures(_) => {
            "Serve the embedded installation until they are over, or call them off: `dakghar departure list` shows them. \
             Nothing was copied."
                .into()
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
        MigrateError::Target(StoreError::Corrupt(_) | StoreError::Unreadable(_)) => {
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

/// Returns the way to the right master key.
fn key_advice(ends: &MigrationEnds) -> String {
    match &ends.key_file {
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
    }
}
