//! The text that a migration prints: its plan, its result and the next steps.

use std::path::Path;

use dakghar_core::app::migrating::Plan;
use dakghar_core::domain::migration::Migration;

use crate::cli::output;
use crate::config::Config;
use crate::secrets::{MASTER_KEY_FILE, VERIFY_TOKEN_FILE, generated};
use crate::wiring::MigrationEnds;

/// Prints the plan.
pub(super) fn plan(plan: &Plan) {
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

/// A migration that is complete and verified.
pub(super) struct Finished<'a> {
    /// The migration as it ended.
    pub(super) migration: &'a Migration,
    /// Both ends of it.
    pub(super) ends: &'a MigrationEnds,
    /// True if an earlier run had finished it.
    pub(super) was_finished: bool,
}

impl Finished<'_> {
    /// Prints counts and checksums.
    pub(super) fn print_totals(&self) {
        let rows: Vec<_> = self
            .migration
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
        let verified = match self.migration.finished_at {
            Some(at) if self.was_finished => format!("verified {at}: every record was the same in both stores"),
            _ => "verified: every record is in both stores and the same in both".into(),
        };
        output::line(&verified);
        if !self.ends.mark.exists() {
            output::line(&format!(
                "warning: {} was deleted: a server started on the old folder would send again what the new one sends",
                self.ends.mark.display()
            ));
        }
    }

    /// Prints the steps that are left to the operator. The folder is that of the embedded installation.
    pub(super) fn print_next_steps(&self, config: &Config, folder: &Path) {
        if !self.was_finished {
            output::line(&format!(
                "{} keeps a server from starting on the old folder",
                self.ends.mark.display()
            ));
        }
        output::line("\nnext, in every new process:");
        output::line("  MONGO_URI and REDIS_URL    as in this command");
        match generated(folder, MASTER_KEY_FILE).filter(|_| self.ends.is_key_in_folder) {
            Some(file) => output::line(&format!(
                "  MASTER_KEY_FILE={}    keep it as safe as the database, and apart from it",
                file.display()
            )),
            None => output::line("  MASTER_KEY    as in this command"),
        }
        if config.meta.verify_token.is_none()
            && let Some(file) = generated(folder, VERIFY_TOKEN_FILE)
        {
            output::line(&format!("  VERIFY_TOKEN_FILE={}", file.display()));
        }
        output::line("then start `dakghar serve`, or `dakghar api` and `dakghar worker`.");
        output::line(&format!(
            "\nGoing back is possible until the new installation has sent, accepted or received something: {} says how.",
            self.ends.mark.display()
        ));
    }
}
