//! Calls to Meta by which a number is connected. Each is made once, and whoever calls decides about the next try.

use std::sync::Arc;

use async_trait::async_trait;

use super::numbers::NumberCallFailure;
use super::tokens::AppAccess;
use crate::domain::ids::{PhoneNumberId, WabaId};
use crate::domain::secret::Secret;
use crate::domain::signup::{AccountFacts, NumberFacts, Subscription};
use crate::domain::standing::SeenNumber;

/// The numbers of an account that are read, at most.
pub const ACCOUNT_NUMBERS_MAX: usize = 2_000;

/// As whom Meta is asked.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    /// The token.
    pub token: &'a Secret,
    /// The secret of the app that the token is of: it proves that the call is ours.
    pub app_secret: Option<&'a Secret>,
}

/// The URL that gets the webhooks of an account in place of the app's own.
#[derive(Clone, Debug)]
pub struct WebhookOverride {
    /// The URL.
    pub url: Arc<str>,
    /// The token that Meta names when it verifies the URL.
    pub verify_token: Secret,
}

/// A credit line that is shared.
#[derive(Clone, Copy, Debug)]
pub struct CreditShare<'a> {
    /// Meta's id of the line.
    pub line: &'a str,
    /// The account that gets it.
    pub account: &'a WabaId,
    /// The currency that the account is charged in.
    pub currency: &'a str,
}

/// A part of the WhatsApp Business app that Meta is asked to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppSync {
    /// The contacts.
    Contacts,
    /// The messages of the last months.
    History,
}

/// Meta's endpoints for connecting numbers.
#[async_trait]
pub trait OnboardingApi: Send + Sync {
    /// Exchanges a code of the dialog for a token. Meta takes a code once.
    async fn exchange(&self, app: AppAccess<'_>, code: &Secret) -> Result<Secret, NumberCallFailure>;

    /// Reads an account.
    async fn account(&self, as_: Bearer<'_>, id: &WabaId) -> Result<AccountFacts, NumberCallFailure>;

    /// Reads the numbers of an account, at most [`ACCOUNT_NUMBERS_MAX`].
    async fn numbers(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<NumberFacts>, NumberCallFailure>;

    /// Reads a number.
    async fn number(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<NumberFacts, NumberCallFailure>;

    /// Reads what may change of a number without anybody here. A field that Meta does not know is left out.
    async fn standing(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<SeenNumber, NumberCallFailure>;

    /// Reads what people see of the business: Meta's JSON object.
    async fn profile(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<Arc<str>, NumberCallFailure>;

    /// Reads which apps get the webhooks of an account.
    async fn subscriptions(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<Subscription>, NumberCallFailure>;

    /// Subscribes the app of the token to the webhooks of an account, at this URL or at the app's own. Doing it again does no
    /// harm.
    async fn subscribe(
        &self,
        as_: Bearer<'_>,
        id: &WabaId,
        at: Option<&WebhookOverride>,
    ) -> Result<(), NumberCallFailure>;

    /// Takes the webhooks of an account from the app of the token. Doing it again does no harm.
    async fn unsubscribe(&self, as_: Bearer<'_>, id: &WabaId) -> Result<(), NumberCallFailure>;

    /// Takes back what the token was permitted, so that it does not work any more.
    async fn revoke(&self, as_: Bearer<'_>) -> Result<(), NumberCallFailure>;

    /// Registers a number for the Cloud API, and sets its PIN if it has none. Meta allows it ten times in 72 hours.
    async fn register(&self, as_: Bearer<'_>, id: &PhoneNumberId, pin: &Secret) -> Result<(), NumberCallFailure>;

    /// Takes the registration back. It counts like one.
    async fn deregister(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<(), NumberCallFailure>;

    /// Asks for what the WhatsApp Business app has; webhooks bring it. Returns Meta's id of the request, if it gave one. Meta
    /// takes each once for each time that the number is connected, and for 24 hours.
    async fn sync_app(
        &self,
        as_: Bearer<'_>,
        id: &PhoneNumberId,
        what: AppSync,
    ) -> Result<Option<Arc<str>>, NumberCallFailure>;

    /// Shares a credit line with an account, as whom the line belongs to. An account that has one must not get it again.
    async fn share_credit(&self, as_: Bearer<'_>, share: CreditShare<'_>) -> Result<(), NumberCallFailure>;
}
