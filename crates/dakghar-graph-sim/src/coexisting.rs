//! The doings of the WhatsApp Business app of a number, as Meta tells of them.

use std::time::Duration;

use crate::biz_app::AppData;
use crate::registration::Registration;
use crate::state::{State, now_seconds};
use crate::traffic::{Told, contacts, echo, history, partner_event};
use crate::wamid::Direction;
use crate::webhook::WebhookError;

impl State {
    /// Describes a number; one of the WhatsApp Business app is connected from now on. Returns false if there is no room.
    pub(crate) fn describe_number(&self, number: Registration) -> bool {
        let id = number.phone_number_id.clone();
        let has_room = self.onboarding.put_number(number);
        if has_room {
            self.biz_apps.connect(&id);
        }
        has_room
    }

    /// Sends what the app of a number has.
    pub(crate) fn send_app_data(&self, phone_number_id: &str, what: AppData) -> Result<(), WebhookError> {
        let (number, plan) = (self.numbers.get(phone_number_id), self.biz_apps.plan());
        self.tell_of_app(match what {
            AppData::Contacts => contacts(&number, plan, now_seconds()),
            AppData::History => history(&number, plan, now_seconds()),
        })
    }

    /// The business typed a message in its app. Gives the id of it.
    pub(crate) fn type_in_app(&self, phone_number_id: &str, to: &str, text: &str) -> Result<String, WebhookError> {
        let number = self.numbers.get(phone_number_id);
        let id = self.wamids.next(Direction::Outbound, to);
        self.tell_of_app(vec![echo(&number, to, text, &id, now_seconds())])?;
        Ok(id)
    }

    /// The business disconnects its app, or connects it again, of which Meta tells with this event.
    pub(crate) fn change_app(&self, phone_number_id: &str, event: &str) -> Result<(), WebhookError> {
        let is_there = event == "ACCOUNT_RECONNECTED";
        let known = self.onboarding.number(phone_number_id);
        self.onboarding.put_number(Registration {
            is_registered: is_there,
            is_on_biz_app: is_there,
            ..known
        });
        let number = self.numbers.get(phone_number_id);
        self.tell_of_app(vec![partner_event(&number, event, now_seconds())])
    }

    fn tell_of_app(&self, told: Vec<Told>) -> Result<(), WebhookError> {
        let planned = told.into_iter().map(|(body, updates)| (Duration::ZERO, body, updates));
        self.webhooks.push_bodies(planned.collect())
    }
}
