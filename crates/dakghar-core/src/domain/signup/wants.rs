//! The needs of a signup that does not go on, and what the tenant has by it already.

use super::{Next, Signup, SignupState, SignupStep};
use crate::domain::ids::PhoneNumberId;

impl Signup {
    /// True if it cannot go on without another code.
    pub fn needs_code(&self) -> bool {
        self.state.is_under_way() && self.sealed_token.is_none() && self.sealed_code.is_none()
    }

    /// True if it goes on with the number's own PIN.
    pub fn needs_pin(&self) -> bool {
        let is_at_pin = self.state == SignupState::Stopped && self.step == SignupStep::Register;
        is_at_pin
            && self
                .trouble
                .as_ref()
                .is_some_and(|trouble| trouble.leads_to(Next::NewPin))
    }

    /// True if it has given the tenant this number.
    pub fn has_connected(&self, number: &PhoneNumberId) -> bool {
        let is_connected = self.state == SignupState::Done || self.step > SignupStep::Tenant;
        is_connected && self.number_id() == Some(number)
    }
}
