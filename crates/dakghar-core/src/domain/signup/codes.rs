//! What Meta's refusals mean for a signup. A code that is not in this table means what it means for a message.
//!
//! The first row that covers a refusal decides, so the most specific rows come first.

#![allow(
    clippy::unreadable_literal,
    reason = "codes are written as Meta writes them, so that they can be searched for"
)]

use std::ops::RangeInclusive;
use std::time::Duration;

use super::step::SignupStep;
use crate::domain::graph_error::{GraphRefusal, RefusalClass, classify};

/// The way a signup goes on after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is done already: the step counts as done.
    Pass,
    /// The same once more, after the waits of a step that had no answer.
    Again,
    /// The same once more, after this time, or the one that Meta names if that is longer.
    Wait(Duration),
    /// Meta wants the number to be deregistered before it is registered.
    Deregister,
    /// The PIN is not the number's. It stops, and what was made up here is forgotten.
    NewPin,
    /// The code or the token is over. It stops, and needs another code.
    NewCode,
    /// It stops until somebody has done what the advice says.
    Stop,
}

/// One code, or a range of codes with the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// Meta's codes.
    pub codes: RangeInclusive<i64>,
    /// The only subcode that the row covers; `None` covers all of them.
    pub subcode: Option<i64>,
    /// The way a signup goes on.
    pub next: Next,
    /// The advice to a person.
    pub advice: &'static str,
}

/// The verdict on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The way the signup goes on.
    pub next: Next,
    /// The advice to a person.
    pub advice: &'static str,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

const fn wait(seconds: u64) -> Next {
    Next::Wait(Duration::from_secs(seconds))
}

macro_rules! rows {
    (@last $first:literal) => { $first };
    (@last $first:literal $last:literal) => { $last };
    (@subcode) => { None };
    (@subcode $subcode:literal) => { Some($subcode) };
    ($($first:literal $(..= $last:literal)? $(/ $subcode:literal)? => $next:expr, $advice:literal;)*) => {
        &[$(CodeRow {
            codes: $first..=rows!(@last $first $($last)?),
            subcode: rows!(@subcode $($subcode)?),
            next: $next,
            advice: $advice,
        }),*]
    };
}

/// The codes of registering and onboarding, of templates and of the history.
pub const CODES: &[CodeRow] = rows! {
    // The code of the dialog.
    100 / 36007 => Next::NewCode,
        "The code is over: Meta takes one for 30 seconds. Let the customer finish the dialog again, and retry with the new code.";
    100 / 36009 => Next::NewCode,
        "The code was used before, perhaps by a process that ended before it could keep the token. Let the customer finish the dialog again, and retry with the new code.";
    100 / 36008 => Next::NewCode,
        "The dialog ran with a redirect address that the app does not name. Add it to the app's login settings, and retry with a new code.";

    // Registering.
    133_000 => Next::Deregister,
        "Nothing to do: the number is deregistered and registered again by itself.";
    133_005 => Next::NewPin,
        "The number has a PIN of its own. Ask the tenant for it, or have it reset in WhatsApp Manager, and retry with pin.";
    133_006 => Next::Stop,
        "The number is not verified. Request a code for it and enter it in WhatsApp Manager (request_code, verify_code), then retry.";
    133_008 => wait(HOUR),
        "Too many wrong PINs. Wait as long as the details say and have the right PIN ready; it is tried again after an hour.";
    133_009 => wait(5 * MINUTE),
        "PINs were tried too quickly. Nothing to do: it is tried again after five minutes, or as long as the details say.";
    133_015 => wait(5 * MINUTE),
        "The number was deleted a moment ago. Nothing to do: it is tried again after five minutes.";
    133_016 => wait(72 * HOUR),
        "The number was registered and deregistered ten times in 72 hours. Nothing to do but wait: it is tried again then.";
    133_004 => Next::Again,
        "Meta's registration service is not available. Nothing to do: it is tried again.";
    136_024 => Next::Pass,
        "The number has been verified before; nothing needs to be done.";
    2_388_012 => Next::Pass,
        "The number belongs to the account already; nothing needs to be done.";
    1_752_041 => Next::Pass,
        "The business has been invited before; nothing needs to be done.";
    2_388_091 => Next::Stop,
        "A condition for moving the number is not met: read the details, have the owner settle it at the former provider, then retry.";
    2_388_093 => Next::Stop,
        "A condition for moving the number is not met: read the details, have two-step verification switched off at the former provider, then retry.";
    2_388_103 => Next::Stop,
        "A condition for moving the number is not met: read the details, bring the account and its business in order, then retry.";
    131_031 => Next::Stop,
        "The account is locked, or the PIN is wrong. Open the account in WhatsApp Manager, which says what Meta wants; then retry, with pin if that was it.";
    131_042 => Next::Stop,
        "Meta cannot charge the account. Let the customer add a means of payment in WhatsApp Manager, then retry.";

    // The account's name and its app on a phone.
    147_001 => Next::Stop,
        "The user name is taken. Choose another one, then retry.";
    147_002 => Next::Stop,
        "The business may not have a user name yet. Go on without one, or have it verified, then retry.";
    147_003 => Next::Stop,
        "The user name belongs to a page on Facebook that is not linked. Link the page, then retry.";
    147_004 => Next::Stop,
        "The user name belongs to an account on Instagram that is not linked. Link the account, then retry.";
    147_005 => Next::Stop,
        "The user name must be transferred from another number first. Transfer it in WhatsApp Manager, then retry.";
    2_593_107 => Next::Pass,
        "Meta was asked for it before, and takes that once for each time that the number is connected. Nothing to do, unless it never came: then let the customer disconnect the number in the app and connect it again.";
    2_593_108 => Next::Stop,
        "Contacts and history can only be asked for within 24 hours of connecting. The number can send without them; to have them, let the customer disconnect the number in the app and connect it again.";
    2_593_109 => Next::Pass,
        "The owner of the number did not agree to share the history. Nothing to do: messages from now on are not affected.";
    2494164..=2_494_179 => Next::Stop,
        "The link for signing up inside WhatsApp cannot be used. Make a new link.";

    // Templates.
    100 / 2_388_024 => Next::Stop,
        "A template with this name and language exists. Choose another name, or edit the one that is there.";
    2_388_024 => Next::Stop,
        "A template with this name and language exists. Choose another name, or edit the one that is there.";
    2_388_019 => Next::Stop,
        "The account cannot have more templates. Delete some that are not used, then retry.";
    2_388_039 => Next::Stop,
        "The template cannot be edited now. Wait for its review or the end of the day, then retry.";
    2_388_040 => Next::Stop,
        "A part of the template is too long. Shorten what the details name, then retry.";
    2_388_047 => Next::Stop,
        "The header of the template has a wrong format. Correct it, then retry.";
    2_388_072 => Next::Stop,
        "The body of the template has a wrong format. Correct it, then retry.";
    2_388_073 => Next::Stop,
        "The footer of the template has a wrong format. Correct it, then retry.";
    2_388_293 => Next::Stop,
        "The template has too many variables for its text. Write more text or use fewer, then retry.";
    2_388_299 => Next::Stop,
        "The template begins or ends with a variable. Put text around it, then retry.";
    200005..=200_007 => Next::Stop,
        "Figures about templates are not available. Switch template insights on in WhatsApp Manager, then retry.";

    // Rights.
    0 => Next::NewCode,
        "Meta could not tell who was calling: the token has ended. Let the customer finish the dialog again, and retry with the new code.";
    102 => Next::NewCode,
        "The session behind the token is over. Let the customer finish the dialog again, and retry with the new code.";
    104 => Next::Stop,
        "Meta did not take the proof that came with the token. Check the app's secret (APP_SECRET, or dakghar app), then retry.";
    131_005 => Next::NewCode,
        "Meta denies the token access to the account. Let the customer finish the dialog again with all permissions, and retry with the new code.";
    3 => Next::Stop,
        "The app lacks a capability. Have it reviewed for advanced access to whatsapp_business_management and whatsapp_business_messaging, then retry.";
    10 => Next::NewCode,
        "The token lacks a permission for the account. Let the customer finish the dialog again with all permissions, and retry with the new code.";
    190 => Next::NewCode,
        "The token does not work any more. Let the customer finish the dialog again, and retry with the new code.";
    200..=299 => Next::NewCode,
        "The token lacks a permission for the account. Let the customer finish the dialog again with all permissions, and retry with the new code.";
    2_494_100 => wait(5 * MINUTE),
        "The number is being moved. Nothing to do: it is tried again after five minutes.";
    2494000..=2_494_999 => Next::Stop,
        "Read Meta's message and details, then retry.";
};

/// The advice for a credit line that its token may not share: that token is the operator's, not the customer's.
const CREDIT_TOKEN: &str = "Meta does not let the token of the credit line share it, or the customer's token does not work any more. Check SIGNUP_CREDIT_TOKEN and its permissions, then retry; if that does not help, let the customer finish the dialog again.";

/// The advice for a code that Meta does not take, and says nothing of the code itself.
const NOT_EXCHANGED: &str = "Meta did not exchange the code. Read its message; if it is about the app, check the app's id and secret (APP_ID and APP_SECRET, or dakghar app). Then let the customer finish the dialog again, and retry with the new code.";
/// The advice for a code that came while a limit was reached.
const NOT_EXCHANGED_NOW: &str = "Meta takes no more calls for the moment, and the code does not live that long. Wait for some minutes, let the customer finish the dialog again, and retry with the new code.";
/// The advice where a limit of calls is reached.
const LIMITED: &str = "Meta takes no more calls for the moment. Nothing to do: it is tried again.";
/// The advice where Meta's words say more than its code.
const READ_IT: &str = "Read Meta's message and details, then retry.";

/// The codes by which Meta says, when a code is exchanged, that it does not take the app for what it says to be. The last one
/// says many things, but hardly another one here.
const OF_APP: [i64; 3] = [190, 101, UNKNOWN];
/// Meta's code for a failure of its own, with which it also refuses a wrong secret.
const UNKNOWN: i64 = 1;
/// The advice then: no other code of the dialog helps while the app is wrong.
const OF_APP_ADVICE: &str = "Meta does not take the app at its word. Its id and its secret (APP_ID and APP_SECRET, or those of dakghar app) must belong together, and the login configuration to that app. Correct that first; then let the customer finish the dialog again, and retry with the new code.";

/// True if Meta complains of the secret of the app, whatever the code.
fn names_app_secret(refusal: &GraphRefusal) -> bool {
    let says = |text: &str| text.to_ascii_lowercase().contains("client secret");
    says(&refusal.message) || refusal.details.as_deref().is_some_and(says)
}

impl CodeRow {
    fn covers(&self, code: i64, subcode: Option<i64>) -> bool {
        self.codes.contains(&code) && (self.subcode.is_none() || self.subcode == subcode)
    }
}

/// True if the table leads this way from a refusal with this code.
pub(super) fn leads_to(next: Next, code: i64, subcode: Option<i64>) -> bool {
    let row = CODES.iter().find(|row| row.covers(code, subcode));
    row.is_some_and(|row| row.next == next)
}

/// Says how a signup goes on after a refusal of this step.
pub fn judge(step: SignupStep, refusal: &GraphRefusal) -> Verdict {
    let row = CODES.iter().find(|row| row.covers(refusal.code, refusal.subcode));
    let mut verdict = match row {
        Some(row) => Verdict {
            next: row.next,
            advice: row.advice,
        },
        None => as_for_messages(refusal),
    };
    if let (Next::Wait(ours), Some(asked)) = (verdict.next, refusal.retry_after) {
        verdict.next = Next::Wait(ours.max(asked));
    }
    if step == SignupStep::Exchange {
        let is_of_code = row.is_some_and(|row| row.next == Next::NewCode && row.subcode.is_some());
        verdict = at_exchange(verdict, refusal, is_of_code);
    }
    // Another code of the customer's would not change whose credit line it is.
    if step == SignupStep::Credit && verdict.next == Next::NewCode {
        verdict = Verdict {
            next: Next::Stop,
            advice: CREDIT_TOKEN,
        };
    }
    verdict
}

/// At the exchange no token is at stake yet, so what Meta refuses is the code or the app.
fn at_exchange(verdict: Verdict, refusal: &GraphRefusal, is_of_code: bool) -> Verdict {
    let is_of_app = names_app_secret(refusal) || OF_APP.contains(&refusal.code);
    let advice = match verdict.next {
        _ if is_of_app => OF_APP_ADVICE,
        Next::Wait(_) => NOT_EXCHANGED_NOW,
        Next::Again => verdict.advice,
        _ if is_of_code => verdict.advice,
        _ => NOT_EXCHANGED,
    };
    // A code that Meta refuses is of no use, whatever the reason; and nobody can wait with one.
    let next = match verdict.next {
        Next::Again if !is_of_app || (refusal.code == UNKNOWN && !names_app_secret(refusal)) => Next::Again,
        _ => Next::NewCode,
    };
    Verdict { next, advice }
}

fn as_for_messages(refusal: &GraphRefusal) -> Verdict {
    let known = classify(refusal);
    let next = match known.class {
        RefusalClass::Retry { after: Some(after) } => Next::Wait(after),
        RefusalClass::Retry { after: None } => Next::Again,
        RefusalClass::PaceNumber | RefusalClass::PacePair | RefusalClass::PaceAccount | RefusalClass::PaceApp => {
            wait(MINUTE)
        }
        RefusalClass::Token => Next::NewCode,
        RefusalClass::Account | RefusalClass::Fail => Next::Stop,
    };
    // The rest is said of messages, and there is none here.
    let advice = match known.class {
        RefusalClass::PaceNumber | RefusalClass::PacePair | RefusalClass::PaceAccount | RefusalClass::PaceApp => {
            LIMITED
        }
        RefusalClass::Fail => READ_IT,
        RefusalClass::Retry { .. } | RefusalClass::Token | RefusalClass::Account => known.advice,
    };
    Verdict { next, advice }
}
