//! The proof that a call is made by whoever knows the secret of the token's app.
//!
//! Meta checks a proof that is there, and an app may require one. While the secret of an app is being changed ours may be
//! the wrong one for a moment. Meta refuses such a call before it does anything, so it is made again without a proof, and
//! the secret is not used for a while.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::message::SendOutcome;
use dakghar_core::domain::secret::Secret;
use parking_lot::Mutex;

/// The name of the parameter, and the word in Meta's refusals of it.
pub(super) const PARAMETER: &str = "appsecret_proof";
/// The time for which a secret is not used whose proof Meta refused.
const UNFIT_FOR: Duration = Duration::from_mins(10);
/// Secrets that are remembered; with more, the first is forgotten.
const UNFIT_MAX: usize = 64;
/// Meta's code for a wrong parameter.
const WRONG_PARAMETER: i64 = 100;

/// A secret, without itself.
type Fingerprint = [u8; 32];

/// The secrets whose proofs Meta refused, and until when by the machine's uptime.
#[derive(Debug, Default)]
pub(super) struct Unfit(Mutex<Vec<(Fingerprint, Duration)>>);

impl Unfit {
    /// True if the secret may be used at this time.
    pub(super) fn allows(&self, secret: &Secret, uptime: Duration) -> bool {
        let mut unfit = self.0.lock();
        // Nearly always it is empty.
        unfit.retain(|(_, until)| uptime < *until);
        unfit.is_empty() || {
            let this = fingerprint(secret);
            unfit.iter().all(|(known, _)| *known != this)
        }
    }

    /// Notes that Meta refused its proof. Returns true if that is new.
    pub(super) fn note(&self, secret: &Secret, uptime: Duration) -> bool {
        let mut unfit = self.0.lock();
        let this = fingerprint(secret);
        if unfit.iter().any(|(known, _)| *known == this) {
            return false;
        }
        if unfit.len() >= UNFIT_MAX {
            unfit.remove(0);
        }
        unfit.push((this, uptime + UNFIT_FOR));
        true
    }
}

/// The proof for a call with this token: HMAC-SHA256 of the token under the secret, in hex.
pub(super) fn of(token: &Secret, secret: &Secret) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    hex::encode(hmac::sign(&key, token.reveal().as_bytes()))
}

/// True if Meta refused the call for its proof.
pub(super) fn is_refused(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Refused(refusal) if is_why(refusal))
}

/// True if Meta refused something for its proof.
pub(super) fn is_why(refusal: &GraphRefusal) -> bool {
    refusal.code == WRONG_PARAMETER && refusal.message.contains(PARAMETER)
}

fn fingerprint(secret: &Secret) -> Fingerprint {
    let digest = digest::digest(&digest::SHA256, secret.reveal().as_bytes());
    digest.as_ref().try_into().expect("SHA-256 is 32 bytes")
}
