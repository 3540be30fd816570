//! `dakghar signup …`: signups of tenants, for the operator's shell.

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use dakghar_core::app::{NewLink, ShownSignup, SignupRetry};
use dakghar_core::domain::Secret;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::signup::{LINK_LIFE_MAX, LINK_LIFE_MIN, Language, Signup, SignupState};
use dakghar_core::domain::standing::HistoryImport;

use super::arguments::Owner;
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

pub(super) const AFTER_HELP: &str = "\
A signup begins with POST /tenants/{tenantId}/signups, because the code of Meta's dialog lives for 30 seconds, or on the page that \
a link of invite leads to. The running server (or worker) carries it on.

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar signup list --tenant ten_…
  dakghar signup show --tenant ten_… sgn_…
  PIN=123456 dakghar signup retry --tenant ten_… sgn_…
  dakghar signup invite --tenant ten_… --language bn
  dakghar signup cancel --tenant ten_… sgn_…";

/// Signups that a list shows: the newest.
const LISTED_MAX: u32 = 100;

/// The life of a link in seconds.
const LIFE_MIN: u64 = LINK_LIFE_MIN.as_secs();
const LIFE_MAX: u64 = LINK_LIFE_MAX.as_secs();

/// The commands on signups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest signups of a tenant
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Show where a signup is, and why it does not go on
    Show {
        #[command(flatten)]
        owner: Owner,
        /// Its id, sgn_….
        id: String,
    },
    /// Let a signup go on that has stopped or waits
    Retry {
        #[command(flatten)]
        owner: Owner,
        /// Its id, sgn_….
        id: String,
        /// Another code of Meta's dialog, if it needs one.
        #[arg(long, env = "CODE", hide_env_values = true)]
        code: Option<String>,
        /// The PIN of the number.
        #[arg(long, env = "PIN", hide_env_values = true)]
        pin: Option<String>,
        /// The account that is meant.
        #[arg(long)]
        waba_id: Option<String>,
        /// The number that is meant.
        #[arg(long)]
        phone_number_id: Option<String>,
    },
    /// Make a link: whoever opens it connects a number of theirs
    Invite {
        #[command(flatten)]
        owner: Owner,
        /// How long it can be used; 7 days when absent.
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(LIFE_MIN..=LIFE_MAX))]
        expires_in: Option<u64>,
        /// Where the page leads back to: an https URL.
        #[arg(long, value_name = "URL")]
        return_url: Option<String>,
        /// The language of the page; that of the browser when absent.
        #[arg(long, value_parser = Language::ALL.map(Language::as_str))]
        language: Option<String>,
        /// The app that the dialog runs with, which must have a login configuration. When absent that of the settings, if it
        /// has one, or else the only app that has.
        #[arg(long)]
        app_id: Option<String>,
    },
    /// Take a link back that nobody has used
    Cancel {
        #[command(flatten)]
        owner: Owner,
        /// The id of its signup, sgn_….
        id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::List { owner } => {
            let signups = app.onboarding.newest(&owner.id()?, LISTED_MAX).await?.items;
            let rows: Vec<Vec<String>> = signups.iter().map(row).collect();
            output::list(
                &["SIGNUP", "STATE", "STEP", "NUMBER", "BEGAN", "ENDED"],
                &rows,
                "no signups",
            );
        }
        Command::Show { owner, id } => {
            let signup = app.onboarding.find(&owner.id()?, &id).await?;
            show(&app.onboarding.shown_one(signup).await?);
        }
        Command::Retry {
            owner,
            id,
            code,
            pin,
            waba_id,
            phone_number_id,
        } => {
            let with = SignupRetry {
                code: code.map(Secret::new),
                pin: pin.map(Secret::new),
                waba_id,
                phone_number_id,
                event: None,
            };
            let retried = app.onboarding.retry(&owner.id()?, &id, with, Principal::CLI).await?;
            tell(&retried);
        }
        Command::Invite {
            owner,
            expires_in,
            return_url,
            language,
            app_id,
        } => {
            let new = NewLink {
                expires_in: expires_in.map(Duration::from_secs),
                return_url,
                language: language.as_deref().and_then(Language::parse),
                app_id,
            };
            let (signup, url) = app.onboarding.invite(&owner.id()?, new, Principal::CLI).await?;
            output::line(&format!("signup     {}", signup.id));
            let expires = output::or_dash(signup.link.map(|link| link.expires_at));
            output::line(&format!("expires    {expires}"));
            output::line(&format!("link       {}", url.reveal()));
        }
        Command::Cancel { owner, id } => {
            let cancelled = app.onboarding.cancel(&owner.id()?, &id, Principal::CLI).await?;
            output::line(&format!("{} is {}", cancelled.id, state(&cancelled)));
        }
    }
    Ok(())
}

fn tell(signup: &Signup) {
    let (id, step) = (signup.id, signup.step.as_str());
    output::line(&format!("{id} is {} at {step}", state(signup)));
}

const fn state(signup: &Signup) -> &'static str {
    match signup.state {
        SignupState::Running if signup.next_at.is_some() => "waiting",
        state => state.as_str(),
    }
}

fn show(shown: &ShownSignup) {
    let ShownSignup { signup, history } = shown;
    let number = signup.number_id().map_or("-", |id| id.as_str());
    let account = signup.waba_id.as_ref().map_or("-", |id| id.as_str());
    for (name, value) in [
        ("signup", signup.id.to_string()),
        ("state", state(signup).to_owned()),
        ("step", signup.step.as_str().to_owned()),
        ("account", account.to_owned()),
        ("number", number.to_owned()),
        ("next try", output::or_dash(signup.next_at)),
        (
            "link until",
            output::or_dash(signup.link.as_ref().map(|link| link.expires_at)),
        ),
    ] {
        output::line(&format!("{name:<10} {value}"));
    }
    for record in &signup.records {
        let note = output::one_line(record.note.as_deref().unwrap_or_default());
        output::line(&format!("{:<10} {} {note}", record.step.as_str(), record.end.as_str()));
    }
    if let Some(history) = history {
        output::line(&format!("history    {}", progress(history)));
    }
    if let Some(trouble) = &signup.trouble {
        output::line(&format!("reason     {}", trouble.reason.as_str()));
        if let Some(error) = &trouble.error {
            let code = error.code.map(|code| format!("({code}) ")).unwrap_or_default();
            output::line(&format!("meta       {code}{}", output::one_line(&error.message)));
        }
        output::line(&format!("advice     {}", trouble.advice));
    }
}

fn progress(history: &HistoryImport) -> String {
    let HistoryImport {
        phase,
        progress,
        messages,
        ..
    } = history;
    match (history.declined_at, history.finished_at) {
        (Some(at), _) => format!("not shared by its owner, {at}"),
        (None, Some(at)) => format!("{messages} messages, whole since {at}"),
        (None, None) => format!("{messages} messages, phase {phase}, {progress} %"),
    }
}

fn row(signup: &Signup) -> Vec<String> {
    vec![
        signup.id.to_string(),
        state(signup).to_owned(),
        signup.step.as_str().to_owned(),
        signup.number_id().map_or("-", |id| id.as_str()).to_owned(),
        signup.created_at.to_string(),
        output::or_dash(signup.ended_at),
    ]
}
