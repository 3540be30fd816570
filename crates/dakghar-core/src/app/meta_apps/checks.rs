//! Checks of apps, as clients describe them.

use std::time::Duration;

use super::new::{MetaAppChanges, NewMetaApp};
use crate::app::tenants::checks::{check, check_name};
use crate::domain::ids::{AppId, SignupConfigId};
use crate::domain::meta_app::{MetaApp, OVERLAP_MAX};
use crate::domain::{ErrorCode, Problem, Secret};

const SECRET_BYTES_MAX: usize = 256;
/// Short secrets are guessed.
const SECRET_BYTES_MIN: usize = 8;

/// Returns the id and the configuration, if nothing is wrong.
pub(super) fn check_new(new: &NewMetaApp) -> Result<(AppId, Option<SignupConfigId>), Problem> {
    let id = AppId::parse(&new.id).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidField,
            "/appId",
            "must be 1 to 32 digits, as Meta shows it",
        )
    });
    let token = new.verify_token.as_ref();
    let config = new.signup_config_id.as_deref().map(parse_config).transpose();
    check(&[
        id.as_ref().err().cloned(),
        check_name(&new.name),
        check_secret(&new.secret, "/secret"),
        token.and_then(|token| check_secret(token, "/verifyToken")),
        config.as_ref().err().cloned(),
    ])?;
    Ok((id?, config?))
}

/// Changes that were found to be right.
pub(super) struct Checked {
    name: Option<String>,
    changes_config: bool,
    config: Option<SignupConfigId>,
}

impl Checked {
    pub(super) fn apply(&self, app: &mut MetaApp) {
        if let Some(name) = &self.name {
            app.name.clone_from(name);
        }
        if self.changes_config {
            app.signup_config_id.clone_from(&self.config);
        }
    }
}

pub(super) fn check_changes(changes: &MetaAppChanges) -> Result<Checked, Problem> {
    let name = changes.name.as_deref();
    let config = changes.signup_config_id.as_ref().and_then(Option::as_deref);
    let config = config.map(parse_config).transpose();
    check(&[name.and_then(check_name), config.as_ref().err().cloned()])?;
    Ok(Checked {
        name: name.map(|name| name.trim().to_owned()),
        changes_config: changes.signup_config_id.is_some(),
        config: config?,
    })
}

fn parse_config(text: &str) -> Result<SignupConfigId, Problem> {
    SignupConfigId::parse(text).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidField,
            "/signupConfigId",
            "must be 1 to 32 digits, as Meta shows it",
        )
    })
}

pub(super) fn check_rotation(secret: &Secret, overlap: Option<Duration>) -> Result<(), Problem> {
    let is_long = overlap.is_some_and(|overlap| overlap > OVERLAP_MAX);
    let too_long = is_long.then(|| {
        let message = format!("must be 0 to {}", OVERLAP_MAX.as_secs());
        Problem::field(ErrorCode::InvalidField, "/overlapSeconds", message)
    });
    check(&[check_secret(secret, "/secret"), too_long])
}

fn check_secret(secret: &Secret, pointer: &str) -> Option<Problem> {
    let text = secret.reveal();
    let is_usable =
        (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_usable).then(|| {
        let message =
            format!("must be {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidField, pointer, message)
    })
}
