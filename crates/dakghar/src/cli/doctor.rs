//! `dakghar doctor`: looks at everything a server depends on, and says how to mend what is wrong.

mod numbers;

use std::io::{ErrorKind, IsTerminal as _, stdout};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dakghar_core::domain::Secret;

use super::output;
use crate::config::variables::{self, Variable};
use crate::config::{Config, Environment};
use crate::https;
use crate::wiring::{KeyRing, Purpose, Wired, integrity_check, wire};
use numbers::Line;

/// The result of a check.
enum Finding {
    Good(String),
    Warning(String),
    Bad(String),
}

/// The results so far, in the order of the checks.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, text: impl Into<String>) {
        self.0.push(Finding::Good(text.into()));
    }

    fn warning(&mut self, text: impl Into<String>) {
        self.0.push(Finding::Warning(text.into()));
    }

    fn bad(&mut self, text: impl Into<String>) {
        self.0.push(Finding::Bad(text.into()));
    }

    fn are_bad(&self) -> bool {
        self.0.iter().any(|finding| matches!(finding, Finding::Bad(_)))
    }
}

/// Looks at more than the installation itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look also at the numbers of this tenant at Meta, ten_…: what has changed, and what to do.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

/// Prints one line per check; fails if anything is wrong.
pub async fn run(environment: &Environment, args: &Args) -> ExitCode {
    output::line("settings (a value that nobody set is the default)");
    for variable in variables::all() {
        if let Some(shown) = show(environment, variable) {
            output::line(&format!("  {:<24} {shown}", variable.name));
        }
    }
    output::line("checks");
    let findings = Box::pin(check(environment, args)).await;
    findings.0.iter().for_each(print);
    if findings.are_bad() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

async fn check(environment: &Environment, args: &Args) -> Findings {
    let mut findings = Findings::default();
    match Config::load(environment) {
        Ok(mut config) => {
            findings.good("settings are valid");
            for warning in config.warnings() {
                findings.warning(warning);
            }
            check_files(&config, &mut findings);
            check_certificate(&config, &mut findings).await;
            check_store(&mut config, args, &mut findings).await;
        }
        Err(problems) => {
            for problem in problems {
                findings.bad(problem);
            }
        }
    }
    findings
}

fn print(finding: &Finding) {
    let (sign, color, text) = match finding {
        Finding::Good(text) => ("ok   ", "\x1b[32m", text),
        Finding::Warning(text) => ("warn ", "\x1b[33m", text),
        Finding::Bad(text) => ("FAIL ", "\x1b[31m", text),
    };
    if stdout().is_terminal() {
        // The colour is ours, and the text may have a stranger's words in it.
        let _ = output::try_line(&format!("  {color}{sign}\x1b[0m {}", output::harmless(text)));
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

fn check_files(config: &Config, findings: &mut Findings) {
    let dir = &config.storage.data_dir;
    match std::fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => findings.good(format!(
            "DATA_DIR {} does not exist yet; it is made when it is needed",
            dir.display()
        )),
        Err(error) => findings.bad(format!("DATA_DIR {}: {error}", dir.display())),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => findings.warning(format!(
            "DATA_DIR {0} is readable by others: chmod 700 {0}",
            dir.display()
        )),
        Ok(_) => findings.good(format!("DATA_DIR {} is private", dir.display())),
    }
    if config.is_distributed() && dir.is_dir() {
        check_spool(dir, findings);
    }
}

async fn check_certificate(config: &Config, findings: &mut Findings) {
    let Some(files) = &config.https.files else {
        return;
    };
    match https::check(files).await {
        Ok(Some(expires_at)) => findings.good(format!("the certificate and its key are usable until {expires_at}")),
        Ok(None) => findings.good("the certificate and its key are usable"),
        Err(why) => findings.bad(why),
    }
}

/// Beside MongoDB the folder keeps what Meta answers while that is away.
fn check_spool(dir: &Path, findings: &mut Findings) {
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, "x");
    let _ = std::fs::remove_file(&probe);
    match written {
        Ok(()) => findings.good("DATA_DIR can keep what Meta answers while MongoDB is away"),
        Err(error) => findings.bad(format!(
            "DATA_DIR {} cannot be written to ({error}): a worker that dies while MongoDB is away loses what Meta \
             answered",
            dir.display()
        )),
    }
}

/// Checks the store and the queue. It makes no `DATA_DIR` where there is none.
async fn check_store(config: &mut Config, args: &Args, findings: &mut Findings) {
    if !config.storage.data_dir.exists() {
        if !config.is_distributed() {
            findings.good("there is no store to look into yet");
            return;
        }
        // Beside MongoDB this is the only secret that may be missing. The checks do not use it, but wiring would
        // generate it.
        config.meta.verify_token.get_or_insert_with(|| Secret::new("not used"));
    }
    if !config.is_distributed() && !check_sqlite(config, findings).await {
        return;
    }
    match wire(config, Purpose::Command, Arc::default()).await {
        Err(error) => findings.bad(format!("{error:#}")),
        Ok(wired) => {
            check_wired(&wired, findings).await;
            check_numbers(&wired, args, findings).await;
        }
    }
}

async fn check_wired(wired: &Wired, findings: &mut Findings) {
    findings.good(format!("backend: {}", wired.backend));
    findings.good("the keys open what is sealed in the store");
    check_keys(&wired.keys, findings).await;
    check_app_keys(&wired.keys, findings).await;
    let health = &wired.app.health;
    for (name, state) in [
        ("store", health.check_store().await),
        ("queue", health.check_queue().await),
    ] {
        match state {
            Ok(()) => findings.good(format!("{name} is ready")),
            Err(problem) => findings.bad(format!("{name}: {problem}")),
        }
    }
    match wired.app.holding.hold().await {
        Ok(Some(hold)) => findings.warning(format!(
            "all sending is held since {}: `dakghar hold --show` tells what waits, `dakghar release` sends it",
            hold.since
        )),
        Ok(None) => findings.good("sending is not held"),
        Err(error) => findings.bad(format!("whether sending is held cannot be read: {error}")),
    }
    match wired.app.apps.check().await {
        Ok(0) => findings.good("no apps beside the one of the settings"),
        Ok(count) => findings.good(format!(
            "apps beside the one of the settings: {count}, and their secrets open"
        )),
        Err(failure) => findings.bad(format!(
            "the secrets of an app cannot be read, so what it signs is not taken: {failure}"
        )),
    }
    check_audit(wired, findings).await;
    check_clock(wired.app.wall().as_millis(), findings);
}

/// Looks at the numbers of a tenant, if somebody wants that.
async fn check_numbers(wired: &Wired, args: &Args, findings: &mut Findings) {
    let Some(tenant) = &args.tenant else { return };
    for line in numbers::look(&wired.app, tenant).await {
        match line {
            Line::Good(text) => findings.good(text),
            Line::Warning(text) => findings.warning(text),
            Line::Bad(text) => findings.bad(text),
        }
    }
}

/// Checks the chain of the audit log.
async fn check_audit(wired: &Wired, findings: &mut Findings) {
    match wired.app.auditing.check().await {
        Ok((checked, Ok(chain))) => findings.good(format!(
            "the audit log is whole: {checked} records, up to number {}",
            chain.head.number
        )),
        Ok((_, Err(fault))) => findings.bad(format!(
            "the audit log is not whole: {fault}; docs/operating/audit.md says what to do"
        )),
        Err(failure) => findings.bad(format!("the audit log cannot be checked: {failure}")),
    }
}

/// Checks under which master key the data keys of apps are wrapped.
async fn check_app_keys(keys: &KeyRing, findings: &mut Findings) {
    match keys.apps_under_previous().await {
        Ok((_, 0)) => {}
        Ok((checked, under_previous)) => findings.warning(format!(
            "{under_previous} of {checked} apps are still wrapped under MASTER_KEY_PREVIOUS"
        )),
        Err(error) => findings.bad(format!("the data keys of the apps cannot be checked: {error:#}")),
    }
}

/// Checks that the data keys of the tenants unwrap, and under which master key.
async fn check_keys(keys: &KeyRing, findings: &mut Findings) {
    if let Some(check) = keys.check() {
        findings.good(format!("the master key has the check {check}, wherever it is set"));
    }
    match keys.installation_is_under_previous().await {
        Ok(false) => findings.good("the secrets of the installation are under the present key"),
        Ok(true) => findings.warning(
            "the secrets of the installation are still wrapped under a previous key: `dakghar secrets rotate` moves them",
        ),
        Err(error) => findings.bad(format!("the secrets of the installation cannot be checked: {error:#}")),
    }
    let found = match keys.data_keys().await {
        Ok(found) => found,
        Err(error) => return findings.bad(format!("the data keys of the tenants cannot be checked: {error:#}")),
    };
    if found.under_previous > 0 {
        let under = match keys.previous_check() {
            Some(check) => format!("still wrapped under MASTER_KEY_PREVIOUS, which has the check {check}"),
            None => "not wrapped under the present key yet".to_owned(),
        };
        findings.warning(format!(
            "{} of {} tenants are {under}: `dakghar secrets rotate` moves them",
            found.under_previous, found.checked
        ));
    }
    if let Some(first) = found.first_unreadable {
        findings.bad(format!(
            "{} of {} data keys of tenants cannot be unwrapped; the first is that of {first}",
            found.unreadable, found.checked
        ));
    }
}

/// The store's clock judges leases and slots; this machine's clock stands in log lines and webhooks.
fn check_clock(store_ms: i64, findings: &mut Findings) {
    const SKEW_MS_MAX: i64 = 2_000;
    #[expect(clippy::disallowed_methods, reason = "the clock that is checked")]
    let skew_ms = (jiff::Timestamp::now().as_millisecond() - store_ms).abs();
    if skew_ms > SKEW_MS_MAX {
        findings.warning(format!(
            "this machine's clock differs from the store's by {skew_ms} ms: check NTP on both"
        ));
    } else {
        findings.good(format!("clock agrees with the store's within {skew_ms} ms"));
    }
}

/// Returns whether the file can be opened.
async fn check_sqlite(config: &Config, findings: &mut Findings) -> bool {
    match integrity_check(config).await {
        Ok(problems) if problems.is_empty() => findings.good("the SQLite file is whole"),
        Ok(problems) => {
            for problem in problems {
                findings.bad(problem);
            }
        }
        Err(error) => {
            findings.bad(error.to_string());
            return false;
        }
    }
    true
}
