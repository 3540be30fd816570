//! `dakghar doctor`: looks at everything a server depends on, and says how to mend what is wrong.

use std::io::{ErrorKind, IsTerminal as _, stdout};
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use dakghar_adapters::sqlite::{SqliteOptions, SqliteStore};
use dakghar_core::domain::Secret;

use super::output;
use crate::config::variables::{self, Variable};
use crate::config::{Backend, Config, Environment};
use crate::wiring::{Purpose, wire};

/// How a check went.
enum Finding {
    Good(String),
    Warning(String),
    Bad(String),
}

/// Prints one line per check; fails if anything is wrong.
pub async fn run(environment: &Environment) -> ExitCode {
    output::line("settings (a value that nobody set is the default)");
    for variable in variables::all() {
        if let Some(shown) = show(environment, variable) {
            output::line(&format!("  {:<24} {shown}", variable.name));
        }
    }
    output::line("checks");
    let mut findings = Vec::new();
    match Config::load(environment) {
        Ok(mut config) => {
            findings.push(Finding::Good("settings are valid".into()));
            findings.extend(config.warnings.iter().cloned().map(Finding::Warning));
            check_files(&config, &mut findings);
            check_store(&mut config, &mut findings).await;
        }
        Err(problems) => findings.extend(problems.into_iter().map(Finding::Bad)),
    }
    let is_bad = findings.iter().any(|finding| matches!(finding, Finding::Bad(_)));
    for finding in findings {
        print(&finding);
    }
    if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn print(finding: &Finding) {
    let (sign, color, text) = match finding {
        Finding::Good(text) => ("ok   ", "\x1b[32m", text),
        Finding::Warning(text) => ("warn ", "\x1b[33m", text),
        Finding::Bad(text) => ("FAIL ", "\x1b[31m", text),
    };
    if stdout().is_terminal() {
        output::line(&format!("  {color}{sign}\x1b[0m {text}"));
    } else {
        output::line(&format!("  {sign} {text}"));
    }
}

/// A setting as it may be shown; `None` when it has no value.
fn show(environment: &Environment, variable: &Variable) -> Option<String> {
    let is_set = environment.is_set(variable);
    match environment.get(variable) {
        Ok(Some(_)) if variable.is_secret() => Some("(set)".into()),
        Ok(Some(value)) if is_set => Some(redact(&value)),
        Ok(Some(value)) => Some(format!("{value} (default)")),
        Ok(None) => None,
        Err(problem) => Some(problem),
    }
}

/// A connection string without its password.
fn redact(value: &str) -> String {
    match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}***{}", &value[..scheme + 3], &value[at..]),
        _ => value.to_owned(),
    }
}

fn check_files(config: &Config, findings: &mut Vec<Finding>) {
    let dir = &config.data_dir;
    match std::fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => findings.push(Finding::Good(format!(
            "DATA_DIR {} does not exist yet; it is made when it is needed",
            dir.display()
        ))),
        Err(error) => findings.push(Finding::Bad(format!("DATA_DIR {}: {error}", dir.display()))),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => findings.push(Finding::Warning(format!(
            "DATA_DIR {0} is readable by others: chmod 700 {0}",
            dir.display()
        ))),
        Ok(_) => findings.push(Finding::Good(format!("DATA_DIR {} is private", dir.display()))),
    }
}

/// Makes no `DATA_DIR` where there is none.
async fn check_store(config: &mut Config, findings: &mut Vec<Finding>) {
    if !config.data_dir.exists() {
        if !config.is_distributed() {
            findings.push(Finding::Good("there is no store to look into yet".into()));
            return;
        }
        // The only secret that may be missing beside MongoDB; the checks do not use it, but it would be generated.
        config.verify_token.get_or_insert_with(|| Secret::new("not used"));
    }
    if matches!(config.backend, Backend::Embedded) {
        check_sqlite(config, findings).await;
    }
    match wire(config, Purpose::Command).await {
        Err(error) => findings.push(Finding::Bad(format!("{error:#}"))),
        Ok(wired) => {
            findings.push(Finding::Good(format!("backend: {}", wired.backend)));
            findings.push(Finding::Good("the master key opens what is sealed in the store".into()));
            for (name, state) in wired.app.readiness().await {
                findings.push(match state {
                    Ok(()) => Finding::Good(format!("{name} is ready")),
                    Err(problem) => Finding::Bad(format!("{name}: {problem}")),
                });
            }
            findings.push(check_clock(wired.app.now().as_millis()));
        }
    }
}

/// The store's clock judges leases and slots; this machine's clock stands in log lines and webhooks.
fn check_clock(store_ms: i64) -> Finding {
    const SKEW_MS_MAX: i64 = 2_000;
    let skew_ms = (jiff::Timestamp::now().as_millisecond() - store_ms).abs();
    if skew_ms > SKEW_MS_MAX {
        Finding::Warning(format!(
            "this machine's clock differs from the store's by {skew_ms} ms: check NTP on both"
        ))
    } else {
        Finding::Good(format!("clock agrees with the store's within {skew_ms} ms"))
    }
}

async fn check_sqlite(config: &Config, findings: &mut Vec<Finding>) {
    let options = SqliteOptions {
        lock_exclusive: false,
        ..SqliteOptions::default()
    };
    match SqliteStore::open(&config.data_dir, &options) {
        Err(error) => findings.push(Finding::Bad(error.to_string())),
        Ok(store) => match store.integrity_check().await {
            Ok(problems) if problems.is_empty() => findings.push(Finding::Good("the SQLite file is whole".into())),
            Ok(problems) => findings.extend(problems.into_iter().map(Finding::Bad)),
            Err(error) => findings.push(Finding::Bad(error.to_string())),
        },
    }
}
