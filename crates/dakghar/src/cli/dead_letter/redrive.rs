//! `dakghar dead-letter redrive`: one message, or by filter with a look before and progress until it is done.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use dakghar_core::app::App;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::message::{DeadReason, RedriveOptions, Status};
use dakghar_core::domain::redrive::{
    NewRedrive, REDRIVE_PER_SECOND_DEFAULT, REDRIVE_PER_SECOND_MAX, Redrive, RedriveFilter, RedrivePreview,
    RedriveStatus,
};
use dakghar_core::domain::{Actor, PhoneNumberId, TenantId, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};

use super::super::output;
use crate::cli::arguments::parse_tenant;

/// The wait between two looks at a redrive.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks between two lines where there is no terminal: about ten seconds.
const LOOKS_BETWEEN_LINES: u32 = 40;
const BAR: &str = "sending again [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta}{msg}";

/// The long help after the options. A paragraph is one line, because clap wraps it to the width of the terminal.
pub(super) const AFTER_HELP: &str = "\
Two forms:
  With a tenant and a message it sends that one again, and ends.

  With options, or with nothing, it sends many again. It first says how many dead letters match, how they ended, of \
which numbers they are, and how many would be left out because they may have been delivered or because their time \
is over; then it asks. What \
begins then is a redrive: a job in the store, which the running server (or worker) carries on, a batch every quarter \
of a second. This command shows its progress until it is done. Ctrl-C ends the command and not the redrive.

What a redrive does:
  It looks at every dead letter once that ended before it was begun, so a message that dies again is not sent again by \
the same redrive. Each message is sent again once, whatever is killed meanwhile, and its timeline names the redrive. \
Sending keeps the pace of each number besides. One owner (a tenant, or the operator) may have eight redrives running \
or paused.

  It goes on after a restart. Without a running server it waits for one.

See also:
  dakghar dead-letter redrives      the redrives, and how far they have come
  dakghar dead-letter watch ID      the progress of one, until it is done
  dakghar dead-letter pause ID      stop one until it is resumed; resume ID, cancel ID

Exit status:
  0   done; with --dry-run: the look; or there is nothing to send again
  1   it was not begun, was cancelled, or was not waited for; standard error says why
  64  wrong usage or settings

Examples:
  dakghar dead-letter redrive --dry-run
  dakghar dead-letter redrive --number 111111111111111 --code 131016 --from 2026-11-22T00:00:00Z
  dakghar dead-letter redrive --tenant ten_… --status expired --ignore-expiry --per-second 10 --yes
  dakghar dead-letter redrive ten_… msg_…";

/// What to send again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One message: the tenant's id, ten_….
    #[arg(requires = "message_id")]
    tenant_id: Option<String>,
    /// One message: its id, msg_….
    #[arg(conflicts_with_all = [
        "tenant", "number", "code", "reason", "status", "from", "to", "per_second", "dry_run", "yes"
    ])]
    message_id: Option<String>,
    /// Only dead letters of this tenant; without it, of all.
    #[arg(long)]
    tenant: Option<String>,
    /// Only of this number, by Meta's id of it.
    #[arg(long)]
    number: Option<String>,
    /// Only with this code of Meta's.
    #[arg(long, allow_negative_numbers = true)]
    code: Option<i64>,
    /// Only given up for this reason.
    #[arg(long, value_parser = DeadReason::ALL.map(DeadReason::as_str))]
    reason: Option<String>,
    /// Only with this status.
    #[arg(long, value_parser = [Status::Dead, Status::Failed, Status::Expired].map(Status::as_str))]
    status: Option<String>,
    /// Only those that ended at or after this time, such as 2026-11-22T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only those that ended before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Messages that go back into the queue in a second.
    #[arg(
        long,
        default_value_t = REDRIVE_PER_SECOND_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(REDRIVE_PER_SECOND_MAX)),
    )]
    per_second: u32,
    #[command(flatten)]
    also: Also,
    /// Only say what would be sent again.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// What is sent again besides.
#[derive(Debug, clap::Args)]
struct Also {
    /// Accept that messages may arrive twice: needed for those of which nobody knows whether they were delivered.
    #[arg(long)]
    confirm_duplicate_risk: bool,
    /// Also send messages whose time is over: those that ended as expired, and those whose expiresAt has come since.
    #[arg(long)]
    ignore_expiry: bool,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: Args) -> anyhow::Result<()> {
    if let (Some(tenant_id), Some(message_id)) = (&args.tenant_id, &args.message_id) {
        let options = RedriveOptions {
            confirm_duplicate_risk: args.also.confirm_duplicate_risk,
            ignore_expiry: args.also.ignore_expiry,
        };
        return redrive_one(app, tenant_id, message_id, options).await;
    }
    let tenant_id = args.tenant.as_deref().map(parse).transpose()?;
    if let Some(tenant_id) = &tenant_id {
        app.tenants.stored(tenant_id).await?;
    }
    let asked = asked(&args)?;
    let preview = app.redriving.preview(tenant_id, &asked).await?;
    show(&preview);
    if args.dry_run || (preview.redrivable == 0 && preview.is_complete) {
        return Ok(());
    }
    if !args.yes {
        confirm(&preview)?;
    }
    let redrive = app.redriving.begin(tenant_id, &asked, Principal::CLI).await?;
    output::line(&format!("{} has begun", redrive.id));
    watch(app, redrive).await
}

async fn redrive_one(app: &App, tenant_id: &str, message_id: &str, options: RedriveOptions) -> anyhow::Result<()> {
    let tenant_id = parse_tenant(tenant_id)?;
    let changing = &app.changing;
    let message = changing
        .redrive(&tenant_id, message_id, options, None, Principal::CLI)
        .await?;
    let status = message.delivery.status.as_str();
    output::line(&format!("{} is {status} again", message.accepted.id));
    Ok(())
}

fn asked(args: &Args) -> anyhow::Result<NewRedrive> {
    let time = |name, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let time = Timestamp::parse_rfc3339(text);
        let wrong = || anyhow!("--{name} {text} is not a time such as 2026-11-22T10:00:00Z");
        time.ok_or_else(wrong).map(Some)
    };
    let number = args.number.as_deref().map(PhoneNumberId::parse).transpose();
    let filter = RedriveFilter {
        phone_number_id: number.map_err(|_| anyhow!("--number must be 1 to 20 digits, as Meta shows it"))?,
        code: args.code,
        reason: args.reason.as_deref().and_then(DeadReason::parse),
        status: args.status.as_deref().and_then(Status::parse),
        from: time("from", &args.from)?,
        to: time("to", &args.to)?,
    };
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        bail!("--to must be after --from");
    }
    Ok(NewRedrive {
        filter,
        confirm_duplicate_risk: args.also.confirm_duplicate_risk,
        ignore_expiry: args.also.ignore_expiry,
        per_second: args.per_second,
        by: Actor::Operator,
        automatic: None,
    })
}

fn show(preview: &RedrivePreview) {
    let at_least = if preview.is_complete { "" } else { "at least " };
    output::line(&format!("{at_least}{} would be sent again", preview.redrivable));
    if preview.number_removed() > 0 {
        output::line(&format!(
            "of them {at_least}{} are of numbers that are removed, and would end as dead (number_removed) again",
            preview.number_removed()
        ));
    }
    if preview.left_out > 0 {
        output::line(&format!(
            "{at_least}{} would be left out, because they may have been delivered (--confirm-duplicate-risk)",
            preview.left_out
        ));
    }
    if preview.expired > 0 {
        output::line(&format!(
            "{at_least}{} would be left out, because their time is over (--ignore-expiry)",
            preview.expired
        ));
    }
    if preview.redrivable == 0 {
        return;
    }
    let causes = preview.by_cause();
    let causes = causes.iter().map(|cause| {
        vec![
            cause.count.to_string(),
            cause.status.as_str().to_owned(),
            output::or_dash(cause.code),
            output::or_dash(cause.reason.map(DeadReason::as_str)),
        ]
    });
    output::line("");
    output::table(&["COUNT", "STATUS", "CODE", "REASON"], &causes.collect::<Vec<_>>());
    let numbers = preview.by_number();
    let numbers = numbers.iter().map(|number| {
        vec![
            number.count.to_string(),
            number.phone_number_id.to_string(),
            number.tenant_id.to_string(),
        ]
    });
    output::line("");
    output::table(&["COUNT", "NUMBER", "TENANT"], &numbers.collect::<Vec<_>>());
    let examples = preview.examples.iter().map(|letter| {
        vec![
            letter.key.message_id.to_string(),
            letter.status.as_str().to_owned(),
            output::or_dash(letter.code),
            letter.ended_at.to_string(),
        ]
    });
    output::line("");
    output::table(
        &["FOR EXAMPLE", "STATUS", "CODE", "ENDED"],
        &examples.collect::<Vec<_>>(),
    );
}

fn confirm(preview: &RedrivePreview) -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("nobody can be asked here; give --yes to send them again");
    }
    let _ = write!(stderr(), "\nSend {} messages again? [y/N] ", preview.redrivable);
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("the answer cannot be read")?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was sent again");
    }
    Ok(())
}

/// Shows the progress of a redrive until it is over.
pub(super) async fn watch(app: &App, redrive: Redrive) -> anyhow::Result<()> {
    let id = redrive.id;
    tokio::select! {
        ended = follow(app, redrive) => ended,
        _ = tokio::signal::ctrl_c() => bail!(
            "{id} goes on without this command; see `dakghar dead-letter watch {id}`, or `dakghar dead-letter pause {id}`"
        ),
    }
}

async fn follow(app: &App, mut redrive: Redrive) -> anyhow::Result<()> {
    let bar = stderr().is_terminal().then(|| bar(redrive.total)).transpose()?;
    let (id, begun) = (redrive.id.to_string(), redrive.version);
    for look in 1.. {
        let settled = redrive.settled;
        let done = settled.redriven + settled.skipped + settled.failed;
        if let Some(bar) = &bar {
            bar.set_length(redrive.total.max(done));
            bar.set_position(done);
            if redrive.status == RedriveStatus::Paused {
                bar.set_message("  paused");
            }
        }
        if !redrive.needs_work() && !redrive.status.is_open() {
            if let Some(bar) = &bar {
                bar.abandon();
            }
            return end(&redrive);
        }
        if look % LOOKS_BETWEEN_LINES == 0 {
            let nobody = redrive.status == RedriveStatus::Running && redrive.version == begun;
            let line = if nobody {
                "no process works on it yet; it goes on when `dakghar serve` or `dakghar worker` runs".to_owned()
            } else {
                format!("{}: {done} of {}", redrive.status.as_str(), redrive.total)
            };
            match &bar {
                Some(bar) if nobody => bar.println(line),
                Some(_) => {}
                None => _ = writeln!(stderr(), "{line}"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        redrive = app.redriving.find(None, &id).await?;
    }
    Ok(())
}

fn bar(total: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(BAR)?.progress_chars("=> ");
    Ok(ProgressBar::new(total).with_style(style))
}

fn end(redrive: &Redrive) -> anyhow::Result<()> {
    let settled = redrive.settled;
    let text = format!(
        "{} is {}: {} sent again, {} skipped, {} not readable",
        redrive.id,
        redrive.status.as_str(),
        settled.redriven,
        settled.skipped,
        settled.failed
    );
    if redrive.status == RedriveStatus::Cancelled {
        bail!(text);
    }
    output::line(&text);
    Ok(())
}

/// A row of the list of redrives.
pub(super) fn row(redrive: &Redrive) -> Vec<String> {
    let settled = redrive.settled;
    let at_least = if redrive.total_is_exact { "" } else { "+" };
    vec![
        redrive.id.to_string(),
        redrive
            .tenant_id
            .map_or("(all)".to_owned(), |id: TenantId| id.to_string()),
        redrive.status.as_str().to_owned(),
        format!("{} of {}{at_least}", settled.redriven, redrive.total),
        settled.skipped.to_string(),
        settled.failed.to_string(),
        filter(&redrive.asked.filter),
        redrive.created_at.to_string(),
    ]
}

/// The filter, in the words of the options.
fn filter(filter: &RedriveFilter) -> String {
    let parts = [
        ("number", filter.phone_number_id.as_ref().map(ToString::to_string)),
        ("code", filter.code.map(|code| code.to_string())),
        ("reason", filter.reason.map(|reason| reason.as_str().to_owned())),
        ("status", filter.status.map(|status| status.as_str().to_owned())),
        ("from", filter.from.map(|from| from.to_string())),
        ("to", filter.to.map(|to| to.to_string())),
    ];
    let given = parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    let given: Vec<String> = given.collect();
    if given.is_empty() {
        "-".to_owned()
    } else {
        given.join(" ")
    }
}
