//! Meta's Graph API at the far end of the wire: a request may get lost, and so may the answer.

use async_trait::async_trait;
use dakghar_core::domain::message::SendOutcome;
use dakghar_core::ports::{MessagesApi, SendCall};
use futures_util::future::{Either, select};

use super::Near;
use crate::world::meta::Request;
use crate::world::seen::Seen;

#[async_trait]
impl MessagesApi for Near {
    async fn send(&self, call: SendCall<'_>) -> SendOutcome {
        let seen = Seen(call.message.clone());
        self.shared
            .promises
            .call_begins(self.life, &seen, self.shared.look(seen.key()).as_ref());
        let request = Request {
            key: seen.key(),
            number: seen.number().clone(),
            attempt: seen.attempt(),
            opaque: call.opaque.into(),
            token: call.token.reveal().to_owned(),
            app_secret: call.app_secret.map(|secret| secret.reveal().to_owned()),
        };
        let answer = self.shared.meta.answer(&self.shared, self.life, request);
        let patience = self.shared.wire.executor.sleep(call.timeout);
        match select(Box::pin(answer), patience).await {
            Either::Left((outcome, _)) => {
                if let SendOutcome::Accepted { wamid, .. } = &outcome {
                    self.shared.promises.told_sent(self.life, seen.key(), wamid);
                }
                outcome
            }
            Either::Right(_) => SendOutcome::Unknown {
                why: "no answer in time".into(),
            },
        }
    }
}
