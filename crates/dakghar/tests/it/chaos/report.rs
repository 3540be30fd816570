//! The line that each row prints, and the file in which the lines of a run are collected.

use std::fs::File;
use std::io::Write as _;

use super::audit::Verdict;

/// One row of the table.
pub struct Row {
    id: &'static str,
    title: &'static str,
}

impl Row {
    pub fn new(id: &'static str, title: &'static str) -> Self {
        Self { id, title }
    }

    /// Prints what the auditor counted and the row's own figure, and fails if a promise was broken.
    pub fn finish(&self, verdict: &Verdict, figure: &str) {
        self.print(&format!("{}  {figure}", verdict.columns()));
        verdict.demand();
    }

    /// Says why this machine cannot make the fault. Where everything should be there, that is a failure.
    pub fn cannot(&self, reason: &str) {
        self.print(&format!("not done: {reason}"));
        #[expect(clippy::disallowed_methods, reason = "a variable of the test run")]
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{} {} cannot be done: {reason}", self.id, self.title);
    }

    fn print(&self, columns: &str) {
        let line = format!("{:<4} {:<40} {columns}", self.id, self.title);
        println!("{line}");
        #[expect(clippy::disallowed_methods, reason = "where `make chaos` collects the lines")]
        let Some(path) = std::env::var_os("CHAOS_REPORT") else {
            return;
        };
        let file = File::options().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.expect("the report can be written");
    }
}
