//! Meta's webhooks: checks their signatures and takes them apart.

use crate::domain::meta_app::{Addressed, AppCredentials};
use crate::domain::webhook::WebhookPart;

/// The verdict on a webhook's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Signed by Meta with a valid secret of an app of ours that may use the URL.
    Valid,
    /// Missing, malformed or wrong.
    Invalid,
    /// There is no app secret, so nothing was checked. Never the verdict on what was posted to the URL of one app.
    Skipped,
}

/// Reads Meta's webhooks.
pub trait WebhookCodec: Send + Sync {
    /// Checks the signature over the raw bytes. `signatures` are the values of all `X-Hub-Signature-256` headers.
    /// Only secrets of the addressed apps count.
    fn check_signature(&self, addressed: Addressed<'_>, body: &[u8], signatures: &[&[u8]]) -> SignatureCheck;

    /// Verifies by these apps from now on, and by the one of the settings as ever.
    fn use_apps(&self, apps: Vec<AppCredentials>);

    /// True if this is a token that Meta was told to verify us with, for an addressed app. Takes the same time for every
    /// wrong token.
    fn is_verify_token(&self, addressed: Addressed<'_>, token: &str) -> bool;

    /// Takes a body apart. Never fails: parts that cannot be understood come out as [`WebhookPart::Other`].
    fn parse(&self, body: &[u8]) -> Vec<WebhookPart>;
}
