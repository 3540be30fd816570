//! `dakghar secrets rotate --data-keys`: new data keys, and everything sealed anew under them.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use anyhow::Context as _;
use dakghar_core::app::{App, Replacement, Replacing, ReplacingStep};
use dakghar_core::domain::audit::Principal;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::output;

const BAR: &str = "replacing data keys [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta}";

/// Says how many would be replaced.
pub async fn show(app: &App, what: Replacement) -> anyhow::Result<()> {
    let count = app.replacing().count(what).await?;
    output::line(&format!(
        "{} data keys would be replaced; {} tenants still have an old one",
        count.due, count.with_old
    ));
    Ok(())
}

/// Replaces page by page, and from the beginning again until nothing is left to do and no old data key is kept. Returns what
/// cannot be done.
pub async fn replace(app: &App, what: Replacement, per_second: u32) -> anyhow::Result<Vec<(String, String)>> {
    let replacing = app.replacing();
    let count = replacing.count(what).await?;
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR).expect("the template is well-formed");
        // Each tenant is come to twice: for the new data key, and to let the old one go.
        ProgressBar::new(2 * count.due + count.with_old).with_style(style.progress_chars("=> "))
    });
    let (mut replaced, mut dropped, mut is_told) = (0, 0, false);
    loop {
        let pass = pass(&replacing, what, per_second, bar.as_ref()).await;
        let pass = pass.context("not everything was replaced; the same command goes on where this one ended")?;
        replaced += pass.replaced;
        dropped += pass.dropped;
        if pass.replaced + pass.dropped + pass.kept == 0 {
            if let Some(bar) = bar {
                bar.abandon();
            }
            output::line(&format!(
                "{replaced} data keys were replaced, and {dropped} old ones let go"
            ));
            return Ok(pass.failed);
        }
        if pass.replaced + pass.dropped == 0 {
            if !is_told {
                output::note(&format!(
                    "{} old data keys stay for {} seconds, for requests that are under way",
                    pass.kept,
                    what.keep_old.as_secs()
                ));
            }
            is_told = true;
            sleep(what.keep_old / 3).await;
        }
    }
}

/// Comes to every tenant once.
async fn pass(
    replacing: &Replacing,
    what: Replacement,
    per_second: u32,
    bar: Option<&ProgressBar>,
) -> anyhow::Result<ReplacingStep> {
    let mut all = ReplacingStep::default();
    let mut before = None;
    loop {
        let step = replacing.step(what, before, Principal::CLI).await?;
        let done = step.replaced + step.dropped;
        all.replaced += step.replaced;
        all.dropped += step.dropped;
        all.kept += step.kept;
        all.failed.extend(step.failed);
        if let Some(bar) = bar {
            bar.inc(done);
        }
        let done = f64::from(u32::try_from(done).unwrap_or(u32::MAX));
        sleep(Duration::from_secs_f64(done / f64::from(per_second))).await;
        before = step.next;
        if before.is_none() {
            return Ok(all);
        }
    }
}
