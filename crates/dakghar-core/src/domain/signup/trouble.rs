//! Why a signup does not go on.

use std::sync::Arc;

use super::step::SignupStep;
use crate::domain::reasons::reasons;
use crate::domain::retry::promises_a_try;
use crate::domain::send_error::SendError;
use crate::domain::time::Timestamp;

/// The advice for a step that stopped after its last try.
const TRIED: &str = "It was tried as often as Dakghar does by itself, and has stopped. Retry it later; if it stays so, read Meta's message and details.";
/// The same for the code, which does not live so long.
const CODE_NOT_TAKEN: &str = "Meta was asked for as long as a code lives. Wait for some minutes, let the customer finish the dialog again, and retry with the new code.";
/// The note of a step that is left out after its last try.
const LEFT_OUT: &str =
    "It was tried as often as Dakghar does by itself, and is left out. Read Meta's message and details.";

reasons! {
    /// Why a signup does not go on. A name never changes its meaning.
    Reason {
        /// Meta refused a call; its code says why.
        Refused = "meta_refused", "Read Meta's message and details, then retry.";
        /// Meta gave no answer that says anything.
        NoAnswer = "no_answer", "Nothing to do: it is tried again by itself, and can be retried by hand once Meta answers.";
        /// The time of the code was over before it was exchanged.
        CodeExpired = "code_expired", "Let the customer finish the dialog again, and retry with the new code within 30 seconds.";
        /// The secret of the app is not known any more.
        AppUnknown = "app_unknown", "Tell Dakghar the app's id and its present secret (APP_ID and APP_SECRET, or dakghar app), then retry.";
        /// The token is of another app.
        TokenOfOtherApp = "token_of_other_app", "The dialog ran with another app than the one of this signup. Use the configuration of this app, and retry with a new code.";
        /// The token does not work.
        TokenInvalid = "token_invalid", "The customer or Meta has taken the permission back. Let the customer finish the dialog again, and retry with the new code.";
        /// The token lacks a permission.
        ScopeMissing = "scope_missing", "Have the app reviewed for whatsapp_business_management and whatsapp_business_messaging, name both in the login configuration; then let the customer finish the dialog again, and retry with the new code.";
        /// The token is for no account, or not for the one that is wished for.
        AccountNotShared = "account_not_shared", "The customer shared another account, or none. Let them choose the right one in the dialog and retry with the new code, or retry with the wabaId that was shared.";
        /// The token is for several accounts.
        ManyAccounts = "many_accounts", "The customer shared several accounts. Retry with the wabaId of the one that is meant.";
        /// The account has no number.
        NoNumber = "no_number", "The account has no number yet. Let the customer add one in WhatsApp Manager, then retry.";
        /// The account has several numbers.
        ManyNumbers = "many_numbers", "The account has several numbers. Retry with the phoneNumberId of the one that is meant.";
        /// The account does not have the number that is wished for.
        NumberNotThere = "number_not_there", "The number is not in the account that was shared. Retry with a phoneNumberId of that account, or with a code for the right one.";
        /// The number is another tenant's.
        NumberTaken = "phone_number_taken", "Another tenant has the number. The operator must remove it there first; then retry.";
        /// The account is another tenant's.
        AccountTaken = "account_taken", "Another tenant has numbers of the account. The operator must remove them there first; then retry.";
        /// The customer left the dialog. The link stays open.
        Abandoned = "abandoned", "The customer left Meta's dialog, at the step that is named, if it said one. The link can still be used: ask them what is missing there, and let them open it again.";
        /// The dialog reported an error. The link stays open.
        DialogError = "dialog_error", "Meta's dialog reported an error. Read its message; the link can still be used, so let the customer open it again.";
        /// The browser did not open the dialog. The link stays open.
        DialogBlocked = "dialog_blocked", "The customer's browser did not open Meta's dialog: it blocks popups, or scripts of Facebook. The link can still be used: let the customer allow both for this page, or open it in another browser.";
        /// Something that is stored cannot be used.
        Internal = "internal", "Something that is stored cannot be used. The operator must look into the log and run dakghar doctor; then retry.";
        /// The tenant was removed.
        TenantGone = "tenant_gone", "The tenant is being removed; there is nothing to do.";
    }
}

/// Why a signup stopped or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// The advice to a person.
    pub advice: Arc<str>,
    /// Meta's words, or those of whoever said so.
    pub error: Option<SendError>,
    /// When.
    pub at: Timestamp,
}

impl Trouble {
    /// A trouble without an answer of Meta's; `words` are what else is known of it.
    pub fn new(reason: Reason, words: Option<&str>, at: Timestamp) -> Self {
        Self {
            reason,
            advice: reason.advice().into(),
            error: words.map(|words| SendError {
                message: crate::domain::send_error::clip(words),
                ..SendError::default()
            }),
            at,
        }
    }

    /// The same after the last try. An advice that promises another one is true no more; any other stays.
    #[must_use]
    pub(super) fn after_the_last_try(mut self, step: SignupStep, is_left_out: bool) -> Self {
        if promises_a_try(&self.advice) {
            let advice = match step {
                _ if is_left_out => LEFT_OUT,
                SignupStep::Exchange => CODE_NOT_TAKEN,
                _ => TRIED,
            };
            self.advice = advice.into();
        }
        self
    }
}
