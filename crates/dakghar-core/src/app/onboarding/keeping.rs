//! The ground under the steps: secrets that are opened, signups that are saved, and the way in which one stops.

use super::taken::Halt;
use super::{Onboarding, Sealed};
use crate::app::failure::Failure;
use crate::domain::signup::{Reason, Signup, Trouble};
use crate::domain::{PhoneNumberId, Secret, Tenant, WabaId};
use crate::ports::Saved;

impl Onboarding {
    pub(super) async fn open(
        &self,
        tenant: &Tenant,
        signup: &Signup,
        what: Sealed,
        sealed: &[u8],
    ) -> Result<Secret, Halt> {
        let (key, purpose) = (&tenant.wrapped_data_key, what.purpose(&signup.id));
        Ok(self.vault.open(&tenant.id, key, &purpose, sealed).await?)
    }

    /// Saves it, and raises its version. Returns false if somebody else saved first, or it is gone.
    pub(super) async fn save(&self, signup: &mut Signup) -> Result<bool, Failure> {
        let is_saved = self.store.save_signup(signup).await? == Saved::Done;
        signup.version += u64::from(is_saved);
        Ok(is_saved)
    }

    /// Saves the signup in the middle of a step.
    pub(super) async fn keep(&self, signup: &mut Signup) -> Result<(), Halt> {
        signup.updated_at = self.clock.now();
        signup.keep_for(&self.process, signup.updated_at);
        if self.save(signup).await? {
            Ok(())
        } else {
            Err(Halt::Stale)
        }
    }

    pub(super) fn account_id(&self, signup: &Signup) -> Result<WabaId, Halt> {
        let found = signup.waba_id.clone();
        found.ok_or_else(|| self.stop(Reason::Internal, Some("the account is not known")))
    }

    pub(super) fn number_id(&self, signup: &Signup) -> Result<PhoneNumberId, Halt> {
        let found = signup.number_id().cloned();
        found.ok_or_else(|| self.stop(Reason::Internal, Some("the number is not known")))
    }

    /// It stops until somebody does something.
    pub(super) fn stop(&self, reason: Reason, words: Option<&str>) -> Halt {
        Halt::of(Trouble::new(reason, words, self.clock.now()), None)
    }
}
