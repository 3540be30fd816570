//! The progress of a migration: a bar on a terminal, a line now and then elsewhere.

use std::fmt;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dakghar_core::app::migrating::{Phase, Progress};
use dakghar_core::domain::migration::Kind;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// The time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const BAR: &str = "{msg:<24} [{bar:30}] {human_pos}/{human_len}  {rate}  {eta}";

/// Shows progress on standard error.
pub(super) struct Display {
    is_terminal: bool,
    reports: AtomicU64,
    current: Mutex<Option<Current>>,
}

/// The step that is under way.
struct Current {
    of: (Phase, Kind),
    bar: Option<ProgressBar>,
    began: Instant,
    began_at: u64,
    told: Instant,
    is_told: bool,
}

impl Display {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: stderr().is_terminal(),
            reports: AtomicU64::new(0),
            current: Mutex::new(None),
        }
    }

    /// The number of reports so far.
    pub(super) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    pub(super) fn show(&self, progress: Progress) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        // An empty step has no progress to show.
        if progress.total == 0 {
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let of = (progress.phase, progress.kind);
        if current.as_ref().is_none_or(|current| current.of != of) {
            end(current.take());
            *current = Some(Current::begin(progress, self.is_terminal));
        }
        if let Some(current) = current.as_mut() {
            current.show(progress);
        }
    }

    /// Prints a line between the progress.
    pub(super) fn note(&self, text: &str) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.as_ref().and_then(|current| current.bar.as_ref()) {
            Some(bar) => bar.println(text),
            None => line(text),
        }
    }

    /// Ends the bar, and leaves it on the terminal.
    pub(super) fn end(&self) {
        end(self.current.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn end(current: Option<Current>) {
    if let Some(bar) = current.and_then(|current| current.bar) {
        bar.abandon();
    }
}

impl Current {
    #[expect(clippy::disallowed_methods, reason = "measures speed")]
    fn begin(progress: Progress, is_terminal: bool) -> Self {
        let bar = is_terminal.then(|| {
            let style = ProgressStyle::with_template(BAR)
                .expect("the template is well-formed")
                .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                    let _ = write!(out, "{:.0}/s", state.per_sec());
                })
                .progress_chars("=> ");
            let bar = ProgressBar::new(progress.total)
                .with_style(style)
                .with_message(title(progress));
            bar.set_position(progress.done);
            bar.reset_eta();
            bar
        });
        Self {
            of: (progress.phase, progress.kind),
            bar,
            began: Instant::now(),
            began_at: progress.done,
            told: Instant::now(),
            is_told: false,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "measures speed")]
    fn show(&mut self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_position(progress.done);
            return;
        }
        let is_done = progress.done >= progress.total;
        let is_due = is_done || self.told.elapsed() >= LINE_EVERY;
        if is_due && !self.is_told {
            line(&self.text(progress));
            self.told = Instant::now();
            self.is_told = is_done;
        }
    }

    fn text(&self, Progress { done, total, .. }: Progress) -> String {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let per_second = (done - self.began_at.min(done)) * 1_000 / elapsed_ms.max(1);
        let percent = done * 100 / total.max(1);
        let title = title(Progress {
            phase: self.of.0,
            kind: self.of.1,
            done,
            total,
        });
        format!("{title}: {done} of {total} ({percent} %), {per_second} a second")
    }
}

fn title(progress: Progress) -> String {
    let verb = match progress.phase {
        Phase::Clearing => "erasing",
        Phase::Copying => "copying",
        Phase::Comparing => "comparing",
    };
    format!("{verb} {}", progress.kind.as_str())
}

fn line(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "measures speed")]
    fn a_line_says_what_how_far_and_how_fast() {
        let mut progress = Progress {
            phase: Phase::Copying,
            kind: Kind::Messages,
            done: 50_000,
            total: 200_000,
        };
        let mut current = Current::begin(progress, false);
        current.began = Instant::now().checked_sub(Duration::from_secs(1_000)).expect("a time");
        progress.done = 150_000;
        // Records that an earlier run has copied do not make this one faster.
        assert_eq!(
            current.text(progress),
            "copying messages: 150000 of 200000 (75 %), 100 a second"
        );
    }
}
