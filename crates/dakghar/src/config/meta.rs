//! The settings of Meta: its webhook and the Graph API.

use dakghar_adapters::meta::{VersionStatus, version_status};
use dakghar_core::app::DefaultApp;
use dakghar_core::domain::{AppId, Secret};

use super::reader::Reader;
use super::server::Server;
use super::variable::{Kind, Variable, table};

table! {
    "Meta" {
        APP_SECRET: Kind::Secret, "", "The Meta app's secret: checks the signature of every webhook. Unset: signatures are not checked, with a warning, and beyond loopback every webhook is refused.";
        APP_SECRET_PREVIOUS: Kind::Secret, "", "The app secret before the present one, still accepted while it is being rotated.";
        APP_ID: Kind::Text, "", "Meta's id of that app. With it Dakghar asks Meta about access tokens, and proves the secret with each call. Further apps are added with dakghar app or POST /apps.";
        VERIFY_TOKEN: Kind::Secret, "", "What Meta sends when it verifies the webhook URL. Unset: generated into DATA_DIR.";
        WHATSAPP_API_VERSION: Kind::Text, "v25.0", "The Graph API version that is called.";
        GRAPH_BASE_URL: Kind::Text, "https://graph.facebook.com", "Where the Graph API is; dakghar graph-sim offers a simulated one.";
    }
}

/// Meta's webhook and the Graph API.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Present and previous app secret.
    pub app_secrets: Vec<Secret>,
    /// Meta's id of the app that they are of, if it is set.
    pub app_id: Option<String>,
    /// The token of Meta's verification of the webhook URL; generated when absent.
    pub verify_token: Option<Secret>,
    /// The Graph API version, such as `v25.0`.
    pub api_version: String,
    /// The http(s) URL of the Graph API.
    pub graph_base_url: String,
}

impl Meta {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut app_secrets: Vec<Secret> = reader.secret(&APP_SECRET).into_iter().collect();
        if !app_secrets.is_empty() {
            app_secrets.extend(reader.secret(&APP_SECRET_PREVIOUS));
        }
        Self {
            app_secrets,
            app_id: reader.text(&APP_ID),
            verify_token: reader.secret(&VERIFY_TOKEN),
            api_version: reader.text(&WHATSAPP_API_VERSION).unwrap_or_default(),
            graph_base_url: reader.text(&GRAPH_BASE_URL).unwrap_or_default(),
        }
    }

    /// Requires the settings that must be set.
    pub(super) fn require(&self, is_production: bool, reader: &mut Reader<'_>) {
        reader.require(
            !is_production || !self.app_secrets.is_empty(),
            "APP_SECRET is required in production",
        );
        reader.require(
            !is_production || self.verify_token.is_some(),
            "VERIFY_TOKEN is required in production",
        );
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        reader.require(
            is_version(&self.api_version),
            "WHATSAPP_API_VERSION must look like v25.0",
        );
        let is_app_id = |id: &String| AppId::parse(id).is_ok();
        reader.require(
            self.app_id.as_ref().is_none_or(is_app_id),
            "APP_ID must be 1 to 32 digits",
        );
        let is_url = self.graph_base_url.starts_with("https://") || self.graph_base_url.starts_with("http://");
        reader.require(is_url, "GRAPH_BASE_URL must be an http(s) URL");
    }

    /// The app of the settings.
    pub fn default_app(&self) -> DefaultApp {
        DefaultApp {
            id: self.app_id.as_deref().and_then(|id| AppId::parse(id).ok()),
            secrets: self.app_secrets.len(),
            secret: self.app_secrets.first().cloned(),
        }
    }

    /// Adds the warnings about the webhook.
    pub(super) fn warn_about_webhook(&self, server: &Server, warnings: &mut Vec<String>) {
        if !self.app_secrets.is_empty() {
            return;
        }
        let addr = server.bind_addr;
        warnings.push(if !addr.is_loopback() {
            format!("APP_SECRET is not set, and {addr} is not this machine alone: every webhook is refused.")
        } else if server.admin_api_key.is_some() {
            "APP_SECRET is not set: webhook signatures are not checked, so only this machine is listened to, although \
             ADMIN_API_KEY is set."
                .into()
        } else {
            "APP_SECRET is not set: webhook signatures are not checked. Never run so in production.".into()
        });
    }

    /// Adds the warnings about the Graph API.
    pub(super) fn warn_about_graph(&self, is_production: bool, warnings: &mut Vec<String>) {
        let version = &self.api_version;
        match version_status(version, today()) {
            VersionStatus::Current | VersionStatus::Unknown => {}
            VersionStatus::ExpiresSoon(date) => warnings.push(format!(
                "Graph API {version} expires on {date}: set WHATSAPP_API_VERSION to a newer one."
            )),
            VersionStatus::Expired(date) => warnings.push(format!(
                "Graph API {version} expired on {date}; Meta may serve another version instead. Set WHATSAPP_API_VERSION to v25.0 or newer."
            )),
        }
        if self.graph_base_url.starts_with("http://") && is_production {
            warnings.push("GRAPH_BASE_URL is not https: access tokens travel in clear text.".into());
        }
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    text.strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// The calendar day, UTC.
#[expect(clippy::disallowed_methods, reason = "a calendar day for a warning")]
fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
