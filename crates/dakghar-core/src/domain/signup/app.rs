//! Signups of numbers that stay in the WhatsApp Business app: Meta's word on that, and its ids of what it was asked for.

use std::sync::Arc;

use super::{NumberFacts, Signup, SignupStep, StepEnd};

impl Signup {
    /// Meta's last word on the use of this number with the WhatsApp Business app. An answer that lacks it takes nothing back.
    pub fn word_on_app(&self, number: &NumberFacts) -> Option<bool> {
        let known = self.number.as_ref().filter(|known| known.id == number.id);
        number.is_on_app.or(known.and_then(|known| known.is_on_app))
    }

    /// Keeps what Meta says of the number.
    pub fn learn(&mut self, number: NumberFacts) {
        let is_on_app = self.word_on_app(&number);
        self.number = Some(NumberFacts { is_on_app, ..number });
    }

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
