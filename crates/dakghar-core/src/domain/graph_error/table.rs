//! The table of Meta's codes. The first row that covers a refusal decides, so the most specific rows come first.
//!
//! Meanings and advice are for a tenant's developer who reads a timeline, not for programs.

#![allow(
    clippy::unreadable_literal,
    reason = "codes are written as Meta writes them, so that they can be searched for"
)]

use std::ops::RangeInclusive;
use std::time::Duration;

use super::class::RefusalClass::{Account, Fail, PaceAccount, PaceApp, PaceNumber, PacePair, Token};
use super::class::{RefusalClass, Verdict};

/// One code, or a range of codes with the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Meta's codes.
    pub codes: RangeInclusive<i64>,
    /// The only subcode that the row covers; `None` covers all of them.
    pub subcode: Option<i64>,
    /// The consequence for the message and the number.
    pub class: RefusalClass,
    /// The meaning, for a person.
    pub meaning: &'static str,
    /// The advice to a person.
    pub advice: &'static str,
}

impl Row {
    pub(super) fn covers(&self, code: i64, subcode: Option<i64>) -> bool {
        self.codes.contains(&code) && (self.subcode.is_none() || self.subcode == subcode)
    }

    pub(super) const fn verdict(&self) -> Verdict {
        Verdict {
            class: self.class,
            meaning: self.meaning,
            advice: self.advice,
            is_known: true,
        }
    }
}

const RETRY: RefusalClass = RefusalClass::Retry { after: None };

const fn retry_in_seconds(seconds: u64) -> RefusalClass {
    RefusalClass::Retry {
        after: Some(Duration::from_secs(seconds)),
    }
}

macro_rules! rows {
    (@last $first:literal) => { $first };
    (@last $first:literal $last:literal) => { $last };
    (@subcode) => { None };
    (@subcode $subcode:literal) => { Some($subcode) };
    ($($first:literal $(..= $last:literal)? $(/ $subcode:literal)? => $class:expr, $meaning:literal, $advice:literal;)*) => {
        &[$(Row {
            codes: RangeInclusive::new($first, rows!(@last $first $($last)?)),
            subcode: rows!(@subcode $($subcode)?),
            class: $class,
            meaning: $meaning,
            advice: $advice,
        },)*]
    };
}

/// Every known code. A slash gives the subcode that the row is limited to.
pub const TABLE: &[Row] = rows! {
    // Token and permission.
    0 => Token, "Meta could not tell who is calling: the token has expired or was withdrawn.",
        "Create a new access token and store it for this number.";
    3 => Token, "The app lacks a capability or permission for this call.",
        "Give the app access to WhatsApp messaging, then store a fresh token.";
    10 => Token, "The permission was never granted, or was taken away.",
        "Grant whatsapp_business_messaging for this account and store a fresh token.";
    102 => Token, "The session behind the token is not valid any more.",
        "Create a new access token and store it for this number.";
    104 => Token, "The call carried no usable token, or its proof was wrong.",
        "Store the access token again; if the app demands a proof, check the app secret.";
    190 / 458 => Token, "The business removed the app, and the token with it.",
        "Connect the business to the app again and store the new token.";
    190 / 459 => Token, "Meta wants the owner of the token to pass a security check first.",
        "Have the owner sign in to Facebook, follow the prompts and create a new token.";
    190 / 460 => Token, "The owner of the token changed the password, which ended it.",
        "Create a new access token, best one of a system user.";
    190 / 463 => Token, "The access token has run out.",
        "Create a new access token; one of a system user can be made without an end.";
    190 / 464 => Token, "The owner of the token has not confirmed the Facebook account.",
        "Confirm that account, or use the token of a system user.";
    190 / 467 => Token, "The access token was declared invalid.",
        "Create a new access token and store it for this number.";
    190 / 492 => Token, "The owner of the token has lost access to the business.",
        "Restore that access, or use a token of somebody who has it.";
    190 => Token, "The access token is not valid.",
        "Create a new access token and store it for this number.";
    200 => Token, "The call had no token, or one that may not see this number.",
        "Assign the number's account to the system user behind the token.";
    201..=299 => Token, "A permission for this account is missing.",
        "Assign the number's account to the system user behind the token, with messaging rights.";
    131005 => Token, "Meta denies this token access to the number.",
        "Check the token's permissions and which accounts it was given.";

    // Number and account.
    33 => Account, "Meta does not know this number, or the token cannot see it.",
        "Compare the phone number id with the one in WhatsApp Manager and check the token's account.";
    100 / 33 => Account, "Meta does not know this number, or the token cannot see it.",
        "Compare the phone number id with the one in WhatsApp Manager and check the token's account.";
    803 => Account, "Meta does not know an id that was used in the call.",
        "Compare the phone number id with the one in WhatsApp Manager.";
    368 => Account, "The account is restricted for breaking a policy.",
        "Look at the account's quality page in WhatsApp Manager and appeal there.";
    131031 => Account, "The account is locked, or a wrong PIN was used.",
        "Open the account in WhatsApp Manager; it says what Meta wants to be fixed.";
    131037 => Account, "The number's display name has not been approved.",
        "Have a display name approved before the number sends.";
    131042 => Account, "Meta cannot charge the account: a payment detail is missing or was refused.",
        "Check payment method, credit line, currency and time zone of the account.";
    131044 => Account, "Meta cannot charge the account for calls.",
        "Check the account's payment method.";
    131045 => Account, "The number's registration or certificate is broken.",
        "Register the number again.";
    133010 => Account, "The number is not registered for the Cloud API.",
        "Register the number, then resume it.";
    131048 => Account, "Too many people blocked or reported the number; Meta restricts it.",
        "Send only what people asked for, wait some hours, then resume the number.";
    131064 => Account, "The account is limited because templates were filed under the wrong category.",
        "Correct the categories; the limit ends by itself, then resume the number.";
    134011 => Account, "The terms for payments on WhatsApp were not accepted.",
        "Accept the payments terms in WhatsApp Manager.";
    134102 => Account, "The template is not available for marketing on this account.",
        "Check in WhatsApp Manager that the account is set up for marketing messages.";
    139200 => Account, "The account may not send messages without a template.",
        "Use an approved template, or ask Meta to lift the restriction.";
    130497 => Fail, "The account may not write to people of that country.",
        "Check Meta's country rules for the business; other recipients are not affected.";
    136024 => Fail, "The number has been verified before; nothing needs to be done.",
        "Go on with registering the number.";

    // Rate and availability.
    1 => RETRY, "Meta failed for a reason it does not name.",
        "Nothing to do unless it repeats; then check the request and Meta's status page.";
    2 => RETRY, "Meta's service is down or overloaded.",
        "Nothing to do; see Meta's status page if it lasts.";
    131000 => RETRY, "Something went wrong inside WhatsApp.",
        "Nothing to do unless it repeats; then give Meta's support the trace id.";
    131016 => RETRY, "WhatsApp is not available for the moment.",
        "Nothing to do; see Meta's status page if it lasts.";
    4 => PaceApp, "The app has made too many calls, for all its numbers together.",
        "Nothing to do: sending slows down by itself. Spread large broadcasts.";
    17 => PaceApp, "The owner of the token has made too many calls.",
        "Nothing to do: sending slows down by itself.";
    32 => PaceApp, "Too many calls were made for one page or object.",
        "Nothing to do: sending slows down by itself.";
    341 => PaceApp, "The app has reached a limit for calls.",
        "Nothing to do: sending slows down by itself.";
    613 => PaceApp, "A limit for this kind of call is reached.",
        "Nothing to do: sending slows down by itself.";
    80007 => PaceAccount, "The account has made too many calls.",
        "Nothing to do: all numbers of the account slow down by themselves.";
    130429 => PaceNumber, "The number sends faster than its throughput allows.",
        "Nothing to do: the number slows down by itself.";
    131056 => PacePair, "Too many messages went to this one person in a short time.",
        "Nothing to do: only messages to this person wait.";
    131057 => retry_in_seconds(60), "The number is being maintained, for example while its throughput is raised.",
        "Nothing to do: it is tried again after a minute.";
    2494100 => retry_in_seconds(5 * 60), "The number is being moved and cannot send for some minutes.",
        "Nothing to do: it is tried again after five minutes.";
    133004 => RETRY, "Meta's registration service is not available.",
        "Nothing to do: it is tried again.";

    // The message.
    100 / 2388024 => Fail, "A template with this name and language exists already.",
        "Choose another name, or edit the existing template.";
    100 => Fail, "A field of the request is wrong, misspelt or not allowed here.",
        "Read the details and correct the message.";
    130403 => Fail, "The business has blocked this person.",
        "Unblock the person if the message is wanted.";
    130472 => Fail, "Meta keeps marketing from this person as part of an experiment.",
        "Do not repeat it; reach the person in another way.";
    131008 => Fail, "A required field is missing.",
        "Read the details and complete the message.";
    131009 => Fail, "The value of a field is not valid.",
        "Read the details and correct the message.";
    131020 => Fail, "The group has a single member.",
        "Wait until somebody has joined the group.";
    131021 => Fail, "The number tried to write to itself.",
        "Use another recipient.";
    131026 => Fail, "The person cannot be reached: not on WhatsApp, terms not accepted, or a client that is too old.",
        "Check the number and reach the person in another way.";
    131030 => Fail, "A test number may only write to its few listed recipients, and this is none of them.",
        "Add the recipient in the app dashboard, or use a real number.";
    131041 => Fail, "There is no such group, or the number is not a member.",
        "Check the group id.";
    131047 => Fail, "The person has not written for more than 24 hours, so only templates go out.",
        "Send an approved template instead.";
    131049 => Fail, "Meta withheld it: this person gets enough marketing at present.",
        "Wait 24 hours at least; trying sooner makes the block longer.";
    131050 => Fail, "The person has stopped marketing from this business.",
        "Send no marketing to this person until it is allowed again.";
    131051 => Fail, "WhatsApp does not support this kind of message here.",
        "Send another type.";
    131052 => Fail, "Media that a person sent could not be fetched.",
        "Ask the person to send it again.";
    131053 => Fail, "Meta could not fetch or process the media.",
        "Check that the link is public and its type and size are allowed, or upload the file and use its id.";
    131055 => Fail, "This cannot be sent through the marketing endpoint.",
        "Send it as an ordinary message.";
    131062 => Fail, "This message cannot be addressed by user id.",
        "Use the phone number of the person.";
    131063 => Fail, "The account has switched marketing templates off for the Cloud API.",
        "Use the marketing endpoint, or switch them on in WhatsApp Manager.";
    132000 => Fail, "The number of parameters differs from what the template has.",
        "Give exactly the parameters that the template names.";
    132001 => Fail, "There is no approved template of that name in that language.",
        "Check name, language code and approval of the template.";
    132005 => Fail, "With its parameters filled in, the template is too long.",
        "Use shorter parameters.";
    132007 => Fail, "The template's content breaks a policy.",
        "Edit the template and have it reviewed again.";
    132008 => Fail, "A parameter of the template has an unusable value.",
        "Correct the parameter that the details name.";
    132012 => Fail, "A parameter has another format than the template expects.",
        "Compare the parameters' types with the template.";
    132015 => Fail, "The template is paused because people rated it badly.",
        "Improve the template or wait until Meta ends the pause.";
    132016 => Fail, "The template was paused too often and is disabled for good.",
        "Create a new template with other content.";
    132018 => Fail, "The template message is not valid.",
        "Read the details and correct the components.";
    132068 => Fail, "The flow is blocked.",
        "Repair the flow in WhatsApp Manager.";
    132069 => retry_in_seconds(60 * 60), "The flow is throttled; it may open only a few times an hour.",
        "Repair the flow's endpoint; the message is tried again after an hour.";
    134100 => Fail, "The marketing endpoint only takes marketing templates.",
        "Send this template as an ordinary message.";
    134101 => retry_in_seconds(10 * 60), "The template is new and still being prepared for marketing.",
        "Nothing to do: it is tried again after ten minutes.";
    135000 => Fail, "Meta refused the request without naming a reason.",
        "Compare the message with Meta's format; ask Meta's support with the trace id.";
    137000 => Fail, "The person's identity has changed since it was last confirmed.",
        "Confirm the person's identity, then send with the new hash or without one.";

    // Groups, calls, flows, block list.
    131059 => Fail, "The position in a list of groups is not valid.",
        "Start the list from its beginning.";
    131208 => PaceNumber, "Too many calls were made for groups.",
        "Nothing to do: the number slows down by itself.";
    131215 => Fail, "The number may not use groups.",
        "Check Meta's conditions for groups.";
    131201..=131214 => Fail, "The group cannot do this: its participants, picture, state or limits are in the way.",
        "Read the details and correct the group.";
    138006 => Fail, "The person has not allowed calls from the business.",
        "Ask for permission to call first.";
    138009 => Fail, "The person was asked too often for permission to call.",
        "Wait at least a day before asking again.";
    138012 => Fail, "The limit of calls to this person is reached.",
        "Call again another day.";
    138000..=138018 => Fail, "The call or the request for one is not possible.",
        "Check that calling is switched on for the number and the person can be called.";
    139102 => RETRY, "The block list was being changed by somebody else.",
        "Nothing to do: it is tried again.";
    139103 => RETRY, "Meta failed while it changed the block list.",
        "Nothing to do: it is tried again.";
    139100..=139101 => Fail, "The block list cannot be changed like this.",
        "Read the details: perhaps the person wrote too long ago, or the list is full.";
    139000..=139004 => Fail, "The flow cannot be changed or used like this.",
        "Check the flow in WhatsApp Manager.";

    // Registration, onboarding, templates, history.
    133000 => Fail, "An earlier deregistration was not completed.",
        "Deregister the number again, then register it.";
    133005 => Fail, "The PIN of the number is wrong.",
        "Ask the owner for the PIN, or reset it in WhatsApp Manager.";
    133006 => Fail, "The number must be verified before it is registered.",
        "Request a code and verify the number.";
    133008 => Fail, "The PIN was wrong too often.",
        "Wait as long as the details say.";
    133009 => Fail, "PINs were tried too quickly.",
        "Wait as long as the details say.";
    133015 => retry_in_seconds(5 * 60), "The number was deleted a moment ago.",
        "Wait five minutes before it is registered again.";
    133016 => Fail, "The number was registered and deregistered too often.",
        "Wait 72 hours.";
    147001..=147005 => Fail, "The user name cannot be used: taken, not eligible or tied to another page.",
        "Choose another name, or link the page that owns it.";
    1752041 => Fail, "The business has been invited before; nothing needs to be done.",
        "Wait for the business to accept.";
    2388012 => Fail, "The number belongs to the account already; nothing needs to be done.",
        "Go on with the existing number.";
    2388019 => Fail, "The account cannot have more templates.",
        "Delete templates that are not used.";
    2388024 => Fail, "A template with this name and language exists already.",
        "Choose another name, or edit the existing template.";
    2388039 => Fail, "The template cannot be edited now.",
        "Wait until its review or the daily limit of edits is over.";
    2388040 => Fail, "A part of the template is too long.",
        "Shorten the part that the details name.";
    2388047 => Fail, "The template's header has a wrong format.",
        "Correct the header.";
    2388072 => Fail, "The template's body has a wrong format.",
        "Correct the body.";
    2388073 => Fail, "The template's footer has a wrong format.",
        "Correct the footer.";
    2388293 => Fail, "The template has too many variables for so little text.",
        "Write more text, or use fewer variables.";
    2388299 => Fail, "The template starts or ends with a variable.",
        "Put text before the first and after the last variable.";
    2388091 => Fail, "A condition for moving the number is not met.",
        "Read the details; they name the condition.";
    2388093 => Fail, "A condition for moving the number is not met.",
        "Read the details; they name the condition.";
    2388103 => Fail, "A condition for moving the number is not met.",
        "Read the details; they name the condition.";
    2593107 => Fail, "The history of the phone's app was requested before.",
        "Connect the number again to request it once more.";
    2593108 => Fail, "The history can only be requested within a day of connecting the number.",
        "Connect the number again.";
    2593109 => Fail, "The person did not agree to share the history.",
        "Nothing to do; messages from now on are not affected.";
    2494164..=2494179 => Fail, "The link for signing up inside WhatsApp cannot be used.",
        "Create a new link.";
    2494000..=2494999 => Fail, "A detail that Meta adds to another code.",
        "Read Meta's message and details.";
    200005..=200007 => Fail, "Figures about templates are not available.",
        "Switch template insights on in WhatsApp Manager.";
};
