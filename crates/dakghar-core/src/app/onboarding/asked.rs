//! Signups as clients ask for them.

use crate::app::tenants::checks::{check, parse_phone_number_id, parse_waba_id};
use crate::domain::signup::PIN_DIGITS;
use crate::domain::{ErrorCode, PhoneNumberId, Problem, Secret, WabaId};

/// The longest code that is taken. Meta's have some 400 characters.
const CODE_BYTES_MAX: usize = 2_048;

/// Meta's name of how the dialog ends for a number of the WhatsApp Business app.
const ON_APP_EVENT: &str = "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING";
/// The longest name of an event that is taken. Meta's longest has some forty characters.
const EVENT_BYTES_MAX: usize = 64;

/// A number that is to be connected, as a client describes it.
#[derive(Clone, Debug)]
pub struct NewNumberSignup {
    /// The code of Meta's dialog.
    pub code: Secret,
    /// The app that the dialog ran with; the first one that is known when absent.
    pub app_id: Option<String>,
    /// The account, if the dialog named it.
    pub waba_id: Option<String>,
    /// The number, if the dialog named it.
    pub phone_number_id: Option<String>,
    /// The PIN of the number, if it has one.
    pub pin: Option<Secret>,
    /// Meta's name of how the dialog ended, if it told that.
    pub event: Option<String>,
}

/// What a person brings with a retry.
#[derive(Clone, Debug, Default)]
pub struct SignupRetry {
    /// Another code of Meta's dialog.
    pub code: Option<Secret>,
    /// The account that is meant.
    pub waba_id: Option<String>,
    /// The number that is meant.
    pub phone_number_id: Option<String>,
    /// The PIN of the number.
    pub pin: Option<Secret>,
    /// Meta's name of how the dialog ended, if it told that.
    pub event: Option<String>,
}

/// The account and the number that are wished for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) account: Option<WabaId>,
    pub(super) number: Option<PhoneNumberId>,
    pub(super) is_on_app: bool,
}

impl NewNumberSignup {
    pub(super) fn check(&self) -> Result<Wishes, Problem> {
        let ids = (self.waba_id.as_deref(), self.phone_number_id.as_deref());
        checked(Some(&self.code), self.pin.as_ref(), ids, self.event.as_deref())
    }
}

impl SignupRetry {
    pub(super) fn check(&self) -> Result<Wishes, Problem> {
        let ids = (self.waba_id.as_deref(), self.phone_number_id.as_deref());
        checked(self.code.as_ref(), self.pin.as_ref(), ids, self.event.as_deref())
    }
}

/// Says everything that is wrong at once.
fn checked(
    code: Option<&Secret>,
    pin: Option<&Secret>,
    (account, number): (Option<&str>, Option<&str>),
    event: Option<&str>,
) -> Result<Wishes, Problem> {
    let account = account.map(parse_waba_id).transpose();
    let number = number.map(parse_phone_number_id).transpose();
    check(&[
        code.and_then(check_code),
        pin.and_then(check_pin),
        event.and_then(check_event),
        account.as_ref().err().cloned(),
        number.as_ref().err().cloned(),
    ])?;
    Ok(Wishes {
        account: account?,
        number: number?,
        is_on_app: event == Some(ON_APP_EVENT),
    })
}

fn check_code(code: &Secret) -> Option<Problem> {
    let text = code.reveal();
    let is_fine = (1..=CODE_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_fine).then(|| {
        let message = format!("must be 1 to {CODE_BYTES_MAX} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidField, "/code", message)
    })
}

/// Meta's names are new each year, so any name is taken.
fn check_event(event: &str) -> Option<Problem> {
    let is_fine = (1..=EVENT_BYTES_MAX).contains(&event.len()) && event.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_fine).then(|| {
        let message = format!("must be 1 to {EVENT_BYTES_MAX} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidField, "/event", message)
    })
}

fn check_pin(pin: &Secret) -> Option<Problem> {
    let text = pin.reveal();
    let is_fine = text.len() == PIN_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    (!is_fine).then(|| Problem::field(ErrorCode::InvalidField, "/pin", format!("must be {PIN_DIGITS} digits")))
}
