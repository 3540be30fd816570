//! Signups of numbers that stay in the WhatsApp Business app: Meta's ids of what it was asked for.

use std::sync::Arc;

use super::{Signup, SignupStep, StepEnd};

impl Signup {
    /// Meta's id of what this step asked for, if that was done before and the id is known.
    pub fn request_of(&self, step: SignupStep) -> Option<Arc<str>> {
        let mut done = self.records.iter().filter(|record| record.end == StepEnd::Done);
        done.find(|record| record.step == step)?.request_id.clone()
    }

    /// Keeps Meta's id of what a step asked for that is behind it.
    pub fn note_request(&mut self, step: SignupStep, id: Arc<str>) {
        if let Some(record) = self.records.iter_mut().find(|record| record.step == step) {
            record.request_id = Some(id);
        }
    }
}
