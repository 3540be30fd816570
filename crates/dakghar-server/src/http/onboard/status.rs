//! The progress of a signup, as the page shows it to a customer: in coarse steps, and without anything for operators.

use dakghar_core::domain::signup::{Reason, Signup, SignupState, SignupStep};
use serde::Serialize;

/// The steps that a customer sees. The first one is theirs.
static STEPS: [(&str, &[SignupStep]); 5] = [
    ("dialog", &[]),
    ("access", &[SignupStep::Exchange, SignupStep::Token]),
    ("account", &[SignupStep::Account, SignupStep::Subscribe]),
    ("number", &[SignupStep::Register, SignupStep::Facts, SignupStep::Credit]),
    ("finish", &[SignupStep::Tenant]),
];

/// Meta's code for a number whose owner has not shown that it is theirs.
const NOT_VERIFIED: i64 = 133_006;

/// True if Meta says with this code that the customer left out a permission.
const fn lacks_permission(code: i64) -> bool {
    matches!(code, 10 | 131_005 | 200..=299)
}

/// The progress of a signup.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusView {
    /// `invited`, `running`, `waiting`, `stopped`, `done`.
    state: &'static str,
    steps: Vec<StepView>,
    /// Why it does not go on: a word for which the page has a text.
    reason: Option<&'static str>,
    /// The customer's way on: `dialog`, `pin`, `retry`.
    next: Option<&'static str>,
    /// The number, as people write it.
    number: Option<String>,
}

#[derive(Serialize)]
struct StepView {
    name: &'static str,
    /// `done`, `now`, `ahead`.
    state: &'static str,
}

impl From<&Signup> for StatusView {
    fn from(signup: &Signup) -> Self {
        let reason = signup.trouble.as_ref().map(|trouble| trouble.reason);
        let number = signup.number.as_ref().and_then(|number| number.display.as_deref());
        Self {
            state: state_of(signup),
            steps: STEPS
                .iter()
                .map(|&(name, steps)| step_of(signup, name, steps))
                .collect(),
            reason: reason.map(|reason| word_of(signup, reason)),
            next: next_of(signup, reason),
            number: number.map(str::to_owned),
        }
    }
}

fn state_of(signup: &Signup) -> &'static str {
    match signup.state {
        // The number can send; for contacts and history of its app nobody needs to wait.
        SignupState::Running if signup.step.is_of_app() => SignupState::Done.as_str(),
        SignupState::Running if signup.next_at.is_some() => "waiting",
        state => state.as_str(),
    }
}

fn step_of(signup: &Signup, name: &'static str, steps: &[SignupStep]) -> StepView {
    let has_begun = !matches!(
        signup.state,
        SignupState::Invited | SignupState::Expired | SignupState::Cancelled
    );
    let state = if !has_begun {
        if steps.is_empty() { "now" } else { "ahead" }
    } else if signup.state == SignupState::Done || steps.iter().all(|step| *step < signup.step) {
        "done"
    } else if steps.contains(&signup.step) {
        "now"
    } else {
        "ahead"
    };
    StepView { name, state }
}

fn word_of(signup: &Signup, reason: Reason) -> &'static str {
    let error = signup.trouble.as_ref().and_then(|trouble| trouble.error.as_ref());
    let code = error.and_then(|error| error.code);
    match reason {
        Reason::Refused if signup.needs_pin() => "pin",
        Reason::Refused if code == Some(NOT_VERIFIED) => "not_verified",
        Reason::Refused if signup.needs_code() && code.is_some_and(lacks_permission) => Reason::ScopeMissing.as_str(),
        reason => reason.as_str(),
    }
}

fn next_of(signup: &Signup, reason: Option<Reason>) -> Option<&'static str> {
    if signup.state != SignupState::Stopped {
        return None;
    }
    if signup.needs_pin() {
        return Some("pin");
    }
    // In the dialog they can choose again what they share.
    let is_choice = matches!(
        reason,
        Some(
            Reason::TokenOfOtherApp
                | Reason::TokenInvalid
                | Reason::ScopeMissing
                | Reason::AccountNotShared
                | Reason::ManyAccounts
                | Reason::NoNumber
                | Reason::ManyNumbers
                | Reason::NumberNotThere
                | Reason::NumberTaken
                | Reason::AccountTaken
        )
    );
    Some(if signup.needs_code() || is_choice {
        "dialog"
    } else {
        "retry"
    })
}
