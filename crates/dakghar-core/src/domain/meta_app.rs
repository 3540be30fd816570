//! Apps at Meta: by whose secrets webhooks are signed, and whose verify tokens name this installation.

use std::time::Duration;

use super::ids::{AppId, SignupConfigId};
use super::sealed_secret::{SealedSecret, TooManySecrets};
use super::secret::Secret;
use super::time::Timestamp;

/// The most apps of an installation. A webhook that nobody signed is tried against the secrets of all.
pub const APPS_MAX: usize = 50;
/// The most secrets of an app that are valid at a time.
pub const SECRETS_MAX: usize = 4;
/// The longest that an old secret stays valid: 30 days.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);
/// The time that an old secret stays valid unless another is named: a day.
pub const OVERLAP_DEFAULT: Duration = Duration::from_hours(24);

/// The path at which every app of the installation may post its webhooks. It is that of the app of the settings; below it
/// each app has a path of its own, which takes nothing of another one.
pub const WEBHOOK_PATH: &str = "/whatsapp/webhook";

/// An app at Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaApp {
    /// Meta's id of it.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// The key that seals its secrets, wrapped.
    pub wrapped_data_key: Vec<u8>,
    /// What Meta names when it verifies the webhook URL, sealed.
    pub sealed_verify_token: Vec<u8>,
    /// Its secrets, the present one first.
    pub secrets: Vec<SealedSecret>,
    /// Its login configuration for Embedded Signup, if Dakghar's page may run its dialog.
    pub signup_config_id: Option<SignupConfigId>,
    /// The time it was made.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

impl MetaApp {
    /// The path at which only this app may post its webhooks.
    pub fn webhook_path(&self) -> String {
        format!("{WEBHOOK_PATH}/{}", self.id)
    }

    /// Makes `sealed` the present secret. Those before it stay valid for `overlap` more, or shorter where that was said
    /// before; what is not valid any more is dropped.
    ///
    /// # Errors
    /// There are [`SECRETS_MAX`] valid ones. Nothing has changed then.
    pub fn rotate(&mut self, sealed: Vec<u8>, now: Timestamp, overlap: Duration) -> Result<(), TooManySecrets> {
        self.secrets = SealedSecret::rotated(&self.secrets, sealed, now, overlap, SECRETS_MAX)?;
        self.updated_at = now;
        Ok(())
    }
}

/// The secrets and the token of an app, in clear.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    /// Meta's id of it.
    pub id: AppId,
    /// Its secrets, each with the time from which it is not valid any more.
    pub secrets: Vec<(Secret, Option<Timestamp>)>,
    /// What Meta names when it verifies the webhook URL.
    pub verify_token: Secret,
}

/// The apps that may use a webhook URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressed<'a> {
    /// Every app of the installation.
    AnyApp,
    /// The app of this id alone, as the path names it. It may be no app of ours, and not even an id.
    OneApp(&'a str),
}

impl Addressed<'_> {
    /// True if this app may use the URL.
    pub fn is_for(&self, id: &AppId) -> bool {
        match self {
            Self::AnyApp => true,
            Self::OneApp(named) => id.as_str() == *named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn app() -> MetaApp {
        MetaApp {
            id: AppId::parse("1").expect("digits"),
            name: "App".into(),
            wrapped_data_key: Vec::new(),
            sealed_verify_token: Vec::new(),
            secrets: vec![SealedSecret::present(vec![0], at(0))],
            signup_config_id: None,
            created_at: at(0),
            updated_at: at(0),
            version: 0,
        }
    }

    fn valid(app: &MetaApp, now: i64) -> Vec<u8> {
        let valid = app.secrets.iter().filter(|secret| secret.is_valid(at(now)));
        valid.map(|secret| secret.sealed[0]).collect()
    }

    #[test]
    fn old_and_new_are_valid_until_the_overlap_is_over() {
        let mut app = app();
        assert_eq!(app.rotate(vec![1], at(10), Duration::from_secs(60)), Ok(()));
        assert_eq!(valid(&app, 69), [1, 0]);
        assert_eq!(valid(&app, 70), [1]);
        assert_eq!(app.updated_at, at(10));
    }

    #[test]
    fn a_later_rotation_makes_no_old_secret_valid_for_longer() {
        let mut app = app();
        assert_eq!(app.rotate(vec![1], at(10), Duration::from_secs(60)), Ok(()));
        assert_eq!(app.rotate(vec![2], at(20), Duration::from_secs(600)), Ok(()));
        assert_eq!(valid(&app, 69), [2, 1, 0]);
        assert_eq!(valid(&app, 70), [2, 1]);
        assert_eq!(app.rotate(vec![3], at(30), Duration::ZERO), Ok(()));
        assert_eq!(valid(&app, 30), [3]);
        assert_eq!(app.secrets.len(), 1, "what is not valid is dropped");
    }

    #[test]
    fn more_secrets_than_anybody_needs_are_refused() {
        let mut app = app();
        for n in 1..SECRETS_MAX {
            assert_eq!(
                app.rotate(vec![9], at(i64::try_from(n).expect("few")), OVERLAP_DEFAULT),
                Ok(())
            );
        }
        assert_eq!(app.rotate(vec![9], at(9), OVERLAP_DEFAULT), Err(TooManySecrets));
    }
}
