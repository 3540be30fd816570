//! The contacts and the history of the WhatsApp Business app: Meta is asked for each once, after the tenant has the number,
//! so that the webhooks which bring them find it.

use super::Onboarding;
use super::calls::after;
use super::taken::{Halt, Taken};
use crate::domain::Tenant;
use crate::domain::signup::Signup;
use crate::ports::{AppSync, Bearer};

impl Onboarding {
    /// Asks Meta to send what the app has.
    pub(super) async fn ask_app(
        &self,
        signup: &mut Signup,
        tenant: &Tenant,
        as_: Bearer<'_>,
        what: AppSync,
    ) -> Result<Taken, Halt> {
        // A retry that begins at an earlier step comes by here again.
        if let Some(known) = signup.request_of(signup.step) {
            return Ok(Taken::asked(Some(known), Some("Meta was asked before")));
        }
        let Some(id) = signup.number_id().cloned() else {
            return Ok(Taken::skipped("nobody knows which number it is"));
        };
        if tenant.is_leaving(&id) {
            return Ok(Taken::skipped("the number is leaving"));
        }
        match self.api.sync_app(as_, &id, what).await {
            Ok(request_id) => Ok(Taken::asked(request_id, None)),
            Err(failure) => after(signup, failure, self.clock.now()),
        }
    }
}
