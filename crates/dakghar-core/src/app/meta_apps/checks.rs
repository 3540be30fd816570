//! Checks of apps, as clients describe them.

use std::time::Duration;

use super::new::NewMetaApp;
use crate::app::tenants::checks::{check, check_name};
use crate::domain::ids::AppId;
use crate::domain::meta_app::OVERLAP_MAX;
use crate::domain::{ErrorCode, Problem, Secret};

const SECRET_BYTES_MAX: usize = 256;
/// Short secrets are guessed.
const SECRET_BYTES_MIN: usize = 8;

/// Returns the id, if nothing is wrong.
pub(super) fn check_new(new: &NewMetaApp) -> Result<AppId, Problem> {
    let id = AppId::parse(&new.id).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidField,
            "/appId",
            "must be 1 to 32 digits, as Meta shows it",
        )
    });
    let token = new.verify_token.as_ref();
    check(&[
        id.as_ref().err().cloned(),
        check_name(&new.name),
        check_secret(&new.secret, "/secret"),
        token.and_then(|token| check_secret(token, "/verifyToken")),
    ])?;
    id
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
