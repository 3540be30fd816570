//! The meaning of Meta's refusals for a departure. A code that is not in this table means what it means for a message.
//!
//! The first row that covers a refusal decides, so the most specific rows come first.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::step::DepartureStep;
use crate::domain::graph_error::{GraphRefusal, RefusalClass, classify};

/// The way a departure goes on after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is undone already: the step counts as done.
    Pass,
    /// The same once more, after the waits of a step that had no answer.
    Again,
    /// The same once more, after this time or the one that Meta names.
    Wait(Duration),
    /// It is refused for good.
    Fail,
}

/// The verdict on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The way the departure goes on.
    pub next: Next,
    /// The advice to a person.
    pub advice: &'static str,
}

struct CodeRow {
    codes: RangeInclusive<i64>,
    /// The only subcode that the row covers; `None` covers all of them.
    subcode: Option<i64>,
    /// The only step that the row is about; `None` is all of them.
    step: Option<DepartureStep>,
    next: Next,
    advice: &'static str,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

const fn wait(seconds: u64) -> Next {
    Next::Wait(Duration::from_secs(seconds))
}

const fn row(code: i64, next: Next, advice: &'static str) -> CodeRow {
    CodeRow {
        codes: code..=code,
        subcode: None,
        step: None,
        next,
        advice,
    }
}

const fn of(step: DepartureStep, row: CodeRow) -> CodeRow {
    CodeRow {
        step: Some(step),
        ..row
    }
}

const NO_RIGHT: &str = "The token may not do this any more. Let the owner of the account remove the app in Meta's business settings, or \
    give the number a token that may (PUT /tenants/{tenantId}/access-token), then retry.";
const NOT_THERE: &str = "The account or number does not exist any more, or the token cannot see it. Let its owner look in WhatsApp Manager.";

const CODES: &[CodeRow] = &[
    of(
        DepartureStep::Revoke,
        row(190, Next::Pass, "the token did not work any more"),
    ),
    row(190, Next::Fail, NO_RIGHT),
    of(
        DepartureStep::Deregister,
        row(133_010, Next::Pass, "the number was not registered"),
    ),
    row(
        133_000,
        Next::Again,
        "An earlier deregistration is not complete. Nothing to do: it is tried again.",
    ),
    row(
        133_004,
        Next::Again,
        "Meta's registration service is not available. Nothing to do: it is tried again.",
    ),
    row(
        133_015,
        wait(5 * MINUTE),
        "The number was deleted a moment ago. Nothing to do: it is tried again after five minutes.",
    ),
    row(
        133_016,
        wait(72 * HOUR),
        "The number was registered and deregistered ten times in 72 hours. Wait until they are over, then deregister it in WhatsApp \
         Manager; a required step waits by itself.",
    ),
    row(
        131_031,
        Next::Fail,
        "The account is locked. Open it in WhatsApp Manager, which says what Meta wants; then retry.",
    ),
    CodeRow {
        subcode: Some(33),
        ..row(100, Next::Fail, NOT_THERE)
    },
    row(33, Next::Fail, NOT_THERE),
    row(803, Next::Fail, NOT_THERE),
    row(3, Next::Fail, NO_RIGHT),
    row(10, Next::Fail, NO_RIGHT),
    CodeRow {
        codes: 200..=299,
        ..row(200, Next::Fail, NO_RIGHT)
    },
];

impl CodeRow {
    fn covers(&self, step: DepartureStep, refusal: &GraphRefusal) -> bool {
        self.codes.contains(&refusal.code)
            && (self.subcode.is_none() || self.subcode == refusal.subcode)
            && self.step.is_none_or(|only| only == step)
    }
}

/// Says how a departure goes on after a refusal of this step.
pub fn judge(step: DepartureStep, refusal: &GraphRefusal) -> Verdict {
    let mut verdict = match CODES.iter().find(|row| row.covers(step, refusal)) {
        Some(row) => Verdict {
            next: row.next,
            advice: row.advice,
        },
        None => as_for_messages(refusal),
    };
    if let (Next::Wait(_), Some(asked)) = (verdict.next, refusal.retry_after) {
        verdict.next = Next::Wait(asked);
    }
    verdict
}

fn as_for_messages(refusal: &GraphRefusal) -> Verdict {
    let known = classify(refusal);
    let next = match known.class {
        RefusalClass::Retry { after: Some(after) } => Next::Wait(after),
        RefusalClass::Retry { after: None } => Next::Again,
        RefusalClass::PaceNumber | RefusalClass::PacePair | RefusalClass::PaceAccount | RefusalClass::PaceApp => {
            wait(MINUTE)
        }
        RefusalClass::Token | RefusalClass::Account | RefusalClass::Fail => Next::Fail,
    };
    Verdict {
        next,
        advice: known.advice,
    }
}
