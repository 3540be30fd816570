//! Claims on a number by several signups, of one tenant or of two: whoever comes too late changes nothing.
//!
//! A process works on one signup of a number at a time. Between two processes a moment is left, of which `docs/onboarding.md` tells.

use super::Onboarding;
use super::taken::Halt;
use crate::app::failure::Failure;
use crate::domain::page::PageLimit;
use crate::domain::signup::{Reason, Signup};
use crate::domain::{PhoneNumberId, Tenant};

/// Signups that are read at a time.
const PAGE: u32 = 200;

impl Onboarding {
    /// Fails if another tenant has the number by now, or if a newer signup of this one has connected it.
    pub(super) async fn check_claim(&self, signup: &Signup, tenant: &Tenant) -> Result<(), Halt> {
        let Some(number) = signup.number_id() else {
            return Ok(());
        };
        if self.is_taken(&tenant.id, number).await? {
            return Err(self.stop(Reason::NumberTaken, Some(number.as_str())));
        }
        // One that the tenant does not have, or has given up since, is free.
        if tenant.number(Some(number)).is_some() && self.is_overtaken(signup, number).await? {
            return Err(self.stop(Reason::Overtaken, Some(number.as_str())));
        }
        Ok(())
    }

    /// True if a signup with a newer token has connected the number.
    async fn is_overtaken(&self, signup: &Signup, number: &PhoneNumberId) -> Result<bool, Failure> {
        let own = signup.exchanged_at();
        let is_newer = |other: &Signup| other.has_connected(number) && other.exchanged_at() > own;
        let mut before = None;
        loop {
            let page = self
                .store
                .list_signups(&signup.tenant_id, before, PageLimit::items(PAGE))
                .await?;
            if page.items.iter().any(is_newer) {
                return Ok(true);
            }
            before = page.next;
            if before.is_none() {
                return Ok(false);
            }
        }
    }
}
