//! Apps at Meta. No secret has a field here.

use dakghar_core::app::{AddedApp, DefaultApp, OnboardingPage};
use dakghar_core::domain::AppId;
use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::meta_app::{MetaApp, WEBHOOK_PATH};
use dakghar_core::domain::sealed_secret::SealedSecret;
use serde::Serialize;
use utoipa::ToSchema;

/// An app at Meta, whose webhooks are taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = App)]
pub(in crate::http) struct AppView {
    /// Meta's id of it; `null` for that of the settings while `APP_ID` is not set.
    #[schema(example = "670843887433847")]
    app_id: Option<String>,
    /// What people call it.
    name: String,
    /// True for the app of the settings, which only they change.
    is_default: bool,
    /// The path of its webhook: behind the URL of this server it is the callback URL that Meta must be told.
    #[schema(example = "/whatsapp/webhook/670843887433847")]
    webhook_path: String,
    /// Meta's id of its login configuration for Embedded Signup; `null` if the onboarding page cannot run its dialog.
    #[schema(example = "1122334455667788")]
    signup_config_id: Option<String>,
    /// Its secrets, the present one first. They are never shown.
    secrets: Vec<AppSecretView>,
    /// When it was added; `null` for the app of the settings.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// When it was changed last; `null` for the app of the settings.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// A secret of an app.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppSecret)]
struct AppSecretView {
    /// True for the present one.
    is_present: bool,
    /// When it was added; `null` for one of the settings.
    #[schema(format = DateTime)]
    added_at: Option<String>,
    /// From when on what it signs is refused; `null` for the present one, and for one of the settings.
    #[schema(format = DateTime)]
    valid_until: Option<String>,
}

impl From<&MetaApp> for AppView {
    fn from(app: &MetaApp) -> Self {
        let secret = |(place, secret): (usize, &SealedSecret)| AppSecretView {
            is_present: place == 0,
            added_at: Some(secret.added_at.to_string()),
            valid_until: secret.valid_until.map(|until| until.to_string()),
        };
        Self {
            app_id: Some(app.id.to_string()),
            name: app.name.clone(),
            is_default: false,
            webhook_path: app.webhook_path(),
            signup_config_id: app.signup_config_id.as_ref().map(SignupConfigId::to_string),
            secrets: app.secrets.iter().enumerate().map(secret).collect(),
            created_at: Some(app.created_at.to_string()),
            updated_at: Some(app.updated_at.to_string()),
        }
    }
}

impl AppView {
    /// The app of the settings. Its login configuration stands with those of the page.
    pub(in crate::http) fn of_settings(app: &DefaultApp, page: Option<&OnboardingPage>) -> Self {
        let config = page.and_then(|page| page.config_id.as_ref());
        let secret = |place| AppSecretView {
            is_present: place == 0,
            added_at: None,
            valid_until: None,
        };
        Self {
            app_id: app.id.as_ref().map(AppId::to_string),
            name: "default".to_owned(),
            is_default: true,
            webhook_path: WEBHOOK_PATH.to_owned(),
            signup_config_id: config.map(SignupConfigId::to_string),
            secrets: (0..app.secrets).map(secret).collect(),
            created_at: None,
            updated_at: None,
        }
    }
}

/// An app that was added.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AddedApp)]
pub(in crate::http) struct AddedAppView {
    #[serde(flatten)]
    app: AppView,
    /// What Meta must be told to name when it verifies the webhook URL, if none was given. It is shown only now.
    verify_token: Option<String>,
}

impl From<&AddedApp> for AddedAppView {
    fn from(added: &AddedApp) -> Self {
        Self {
            app: AppView::from(&added.app),
            verify_token: added.verify_token.as_ref().map(|token| token.reveal().to_owned()),
        }
    }
}
