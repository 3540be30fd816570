//! The way in which an installation connects numbers.

use std::sync::Arc;

use url::Url;

use crate::domain::Secret;
use crate::domain::ids::SignupConfigId;
use crate::domain::signup::SignupStep;
use crate::ports::WebhookOverride;

/// A credit line of the operator's at Meta.
#[derive(Clone, Debug)]
pub struct CreditLine {
    /// Meta's id of it.
    pub id: Arc<str>,
    /// The token of the operator's own system user.
    pub token: Secret,
}

/// The page on which customers of tenants connect their numbers by themselves.
#[derive(Clone, Debug)]
pub struct OnboardingPage {
    /// The URL under which browsers reach this server, without a slash at its end.
    pub base: Arc<str>,
    /// Meta's id of the login configuration of the app of the settings, if it has one. Other apps have their own.
    pub config_id: Option<SignupConfigId>,
    /// The JSON object that the dialog gets as `extras`.
    pub extras: Arc<str>,
    /// The version of the Graph API that the SDK is told.
    pub api_version: Arc<str>,
    /// A script in place of Meta's SDK, for development.
    pub other_sdk: Option<OtherSdk>,
}

/// A script that plays Meta's SDK. Messages of its origin are believed like Meta's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSdk {
    /// Where it is.
    pub url: Arc<str>,
    /// The origin of that, as browsers write it.
    pub origin: Arc<str>,
}

impl OtherSdk {
    /// Reads the URL of it; `None` if it is no http(s) URL.
    pub fn parse(url: &str) -> Option<Self> {
        let parsed = Url::parse(url).ok()?;
        let is_web = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
        is_web.then(|| Self {
            url: parsed.as_str().into(),
            origin: parsed.origin().ascii_serialization().into(),
        })
    }
}

impl OnboardingPage {
    /// True if browsers reach the page by HTTPS.
    pub fn is_https(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// The path of every page, as browsers see it: behind a proxy something may stand before ours.
    pub fn path(&self) -> String {
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        let before = rest.find('/').map_or("", |place| &rest[place..]);
        format!("{before}/onboard")
    }
}

/// The way in which numbers are connected.
#[derive(Clone, Debug)]
pub struct SignupSettings {
    /// The URL that gets the webhooks of accounts in place of the app's own.
    pub webhook: Option<WebhookOverride>,
    /// The credit line that is shared with accounts which nobody pays for.
    pub credit: Option<CreditLine>,
    /// The page of Dakghar's own, if it is set up.
    pub page: Option<OnboardingPage>,
    /// The steps that a signup may go on without, if they fail.
    pub optional: Vec<SignupStep>,
}

impl Default for SignupSettings {
    fn default() -> Self {
        Self {
            webhook: None,
            credit: None,
            page: None,
            optional: vec![SignupStep::Facts, SignupStep::Credit],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(base: &str) -> OnboardingPage {
        OnboardingPage {
            base: base.into(),
            config_id: None,
            extras: "{}".into(),
            api_version: "v25.0".into(),
            other_sdk: None,
        }
    }

    #[test]
    fn the_path_is_what_browsers_see() {
        assert_eq!(page("https://gateway.example.com").path(), "/onboard");
        assert_eq!(page("https://example.com/whatsapp/x").path(), "/whatsapp/x/onboard");
        assert!(page("https://example.com").is_https() && !page("http://localhost:3000").is_https());
    }

    #[test]
    fn another_sdk_has_an_origin() {
        let sdk = OtherSdk::parse("http://localhost:4010/_sim/sdk.js").expect("a URL");
        assert_eq!(
            (&*sdk.url, &*sdk.origin),
            ("http://localhost:4010/_sim/sdk.js", "http://localhost:4010")
        );
        assert_eq!(OtherSdk::parse("javascript:1"), None);
        assert_eq!(OtherSdk::parse("sdk.js"), None);
    }
}
