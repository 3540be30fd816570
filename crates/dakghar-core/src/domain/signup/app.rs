//! Signups of numbers that stay in the WhatsApp Business app: Meta is asked for what the app has, for a day.

use std::sync::Arc;
use std::time::Duration;

use super::{Signup, SignupStep, StepEnd, TRIES_MAX};
use crate::domain::time::Timestamp;

/// The time in which Meta takes a request for the contacts or the history of the app, from the dialog on.
pub const APP_SYNC_LIFE: Duration = Duration::from_hours(24);

impl Signup {
    /// True if Meta says that the number is used with the WhatsApp Business app.
    pub fn is_on_app(&self) -> bool {
        self.number.as_ref().is_some_and(|number| number.is_on_app)
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

    /// True if the present step may be tried again at this time: as long as Meta takes a request of an app, or a few times.
    pub(super) fn may_try_again(&self, at: Timestamp) -> bool {
        if !self.step.is_of_app() {
            return self.tries + 1 < TRIES_MAX;
        }
        let mut records = self.records.iter();
        let exchanged = records.find(|record| record.step == SignupStep::Exchange);
        let from = exchanged.map_or(self.created_at, |record| record.at);
        at < from + APP_SYNC_LIFE
    }
}
