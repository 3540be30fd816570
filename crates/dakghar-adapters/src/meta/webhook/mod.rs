//! Meta's webhooks: who signed a body, and what is in it.
//!
//! The signature is judged over the raw bytes before anything is read. Upper-case hexadecimal is accepted. A body that
//! cannot be understood is still a webhook: it comes out as other parts, whole, so that nothing Meta sent is lost.
//! Nothing here knows tenants or stores.

mod around;
mod frame;
mod history;
mod news;
mod parse;
mod parts;
mod reader;
mod signals;
mod value;

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::ids::AppId;
use dakghar_core::domain::meta_app::{Addressed, AppCredentials};
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::ports::{Clock, SignatureCheck, WebhookCodec};
use parking_lot::RwLock;

const SIGNATURE_PREFIX: &[u8] = b"sha256=";
const SIGNATURE_BYTES: usize = 32;

/// Another app than that of the settings.
struct App {
    id: AppId,
    /// Each key with the time from which it is not valid any more.
    keys: Vec<(hmac::Key, Option<Timestamp>)>,
    verify_token_digest: digest::Digest,
}

impl From<AppCredentials> for App {
    fn from(app: AppCredentials) -> Self {
        let keys = app.secrets.iter().map(|(secret, until)| (key_of(secret), *until));
        Self {
            keys: keys.collect(),
            verify_token_digest: digest_of(app.verify_token.reveal()),
            id: app.id,
        }
    }
}

/// Reads the webhooks of Meta's apps: of the one of the settings, and of those that are given to it later.
pub struct MetaWebhooks {
    /// The id of the app of the settings, if they name it.
    app_id: Option<AppId>,
    app_keys: Vec<hmac::Key>,
    verify_token_digest: Option<digest::Digest>,
    apps: RwLock<Arc<Vec<App>>>,
    clock: Arc<dyn Clock>,
    takes_unsigned: bool,
}

impl MetaWebhooks {
    /// `app_secrets`: of the app of the settings, the present one and, while it is being changed, the previous one; with
    /// none, and no other app, signatures are not checked. `verify_token`: what Meta's verification request must name;
    /// with none, and no other app, every such request fails.
    /// `clock` tells which times in a body cannot be.
    pub fn new(app_secrets: &[Secret], verify_token: Option<&Secret>, clock: Arc<dyn Clock>) -> Self {
        Self {
            app_id: None,
            app_keys: app_secrets.iter().map(key_of).collect(),
            verify_token_digest: verify_token.map(|token| digest_of(token.reveal())),
            apps: RwLock::default(),
            clock,
            takes_unsigned: true,
        }
    }

    /// Names the app of the settings: its own webhook URL then takes what it signed.
    #[must_use]
    pub fn of_app(mut self, id: Option<AppId>) -> Self {
        self.app_id = id;
        self
    }

    /// Refuses every webhook while there is no app secret, because others than Meta can reach the server.
    #[must_use]
    pub const fn refusing_unsigned(mut self) -> Self {
        self.takes_unsigned = false;
        self
    }

    /// True if the app of the settings may use the URL.
    fn is_for_settings(&self, addressed: Addressed<'_>) -> bool {
        match &self.app_id {
            Some(id) => addressed.is_for(id),
            None => addressed == Addressed::AnyApp,
        }
    }

    /// True if there is no app secret, and a webhook is taken all the same.
    fn skips(&self, addressed: Addressed<'_>, apps: &[App]) -> bool {
        let is_keyless = self.app_keys.is_empty() && apps.iter().all(|app| app.keys.is_empty());
        is_keyless && self.takes_unsigned && addressed == Addressed::AnyApp
    }
}

impl WebhookCodec for MetaWebhooks {
    fn check_signature(&self, addressed: Addressed<'_>, body: &[u8], signatures: &[&[u8]]) -> SignatureCheck {
        let apps = self.apps.read().clone();
        if self.skips(addressed, &apps) {
            return SignatureCheck::Skipped;
        }
        // Two headers could mean one thing to us and another to a proxy in front of us.
        let [signature] = signatures else {
            return SignatureCheck::Invalid;
        };
        let Some(tag) = decode_signature(signature) else {
            return SignatureCheck::Invalid;
        };
        let now = self.clock.now();
        let is_valid = |until: &Option<Timestamp>| until.is_none_or(|until| now < until);
        let own = self.app_keys.iter().filter(|_| self.is_for_settings(addressed));
        let others = apps.iter().filter(|app| addressed.is_for(&app.id));
        let others = others.flat_map(|app| &app.keys).filter(|(_, until)| is_valid(until));
        // Each comparison takes the same time for every wrong signature; which app it is of is no secret.
        let is_ours = |key| hmac::verify(key, body, &tag).is_ok();
        if own.chain(others.map(|(key, _)| key)).any(is_ours) {
            SignatureCheck::Valid
        } else {
            SignatureCheck::Invalid
        }
    }

    fn use_apps(&self, apps: Vec<AppCredentials>) {
        *self.apps.write() = Arc::new(apps.into_iter().map(App::from).collect());
    }

    fn is_verify_token(&self, addressed: Addressed<'_>, token: &str) -> bool {
        // Digests have one length, so neither length nor content of the right token shows in the time taken; and all that
        // may be meant are compared, so neither does whose it is.
        let given = digest_of(token);
        let apps = self.apps.read().clone();
        let own = self
            .verify_token_digest
            .iter()
            .filter(|_| self.is_for_settings(addressed));
        let others = apps.iter().filter(|app| addressed.is_for(&app.id));
        let known = own.chain(others.map(|app| &app.verify_token_digest));
        known.fold(false, |is_known, expected| {
            is_known | constant_time::verify_slices_are_equal(given.as_ref(), expected.as_ref()).is_ok()
        })
    }

    fn parse(&self, body: &[u8]) -> Vec<WebhookPart> {
        parse::parse(body, self.clock.wall().as_millis().div_euclid(1000))
    }
}

fn key_of(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes())
}

fn digest_of(token: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, token.as_bytes())
}

fn decode_signature(header: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut tag = [0; SIGNATURE_BYTES];
    hex::decode_to_slice(header.strip_prefix(SIGNATURE_PREFIX)?, &mut tag).ok()?;
    Some(tag)
}

#[cfg(test)]
mod tests;
