//! Messages. This file is the port; the other files are the larger steps of it.

mod accepting;
mod lookups;
mod receiving;
mod saving;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use bson::{RawDocument, doc};
use dakghar_core::domain::conversation::ConversationTouch;
use dakghar_core::domain::ids::{IdempotencyKey, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::message::{Direction, Message, Reported};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{
    Acceptance, LOAD_BYTES_MAX, MessageStore, Received, ReceivedMessage, Save, Saved, StatusStore as _, StoreError,
};

use super::MongoStore;
use super::collections::MESSAGES;
use super::documents::{message, timestamp, to_raw};
use super::indexes::{BY_ID, MESSAGE_IDEMPOTENCY_KEY, MESSAGE_PHONE_NUMBER, MESSAGE_WAMIDS};
use super::inserts::Inserted;
use super::reads::Query;

use accepting::vanished;
pub(super) use lookups::key;
use lookups::{sent, tenants};
use receiving::conversations_left;
pub(in crate::mongo) use saving::deliveries;

/// Messages of a number that are looked at for a status: so many of its next, and of its newest.
const STATUS_SAMPLE: u32 = 200;

#[async_trait]
impl MessageStore for MongoStore {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        if let Err(broken) = self.promises.hold() {
            return vec![Err(broken); batch.len()];
        }
        let inserted = self.insert_messages(batch.iter()).await;
        let unsettled: Vec<(&Message, Option<StoreError>)> = inserted
            .iter()
            .zip(&batch)
            .filter_map(|(inserted, message)| match inserted {
                Inserted::Stored | Inserted::Refused(_) => None,
                Inserted::Duplicate => Some((message, None)),
                Inserted::Unknown(error) => Some((message, Some(error.clone()))),
            })
            .collect();
        let looked_up = self.look_up_accepted(&unsettled).await;
        inserted
            .into_iter()
            .zip(&batch)
            .map(|(inserted, message)| match inserted {
                Inserted::Stored => Ok(Acceptance::Stored),
                Inserted::Refused(error) => Err(error),
                Inserted::Duplicate => looked_up.answer(message, || vanished("a duplicate idempotency key")),
                Inserted::Unknown(error) => looked_up.answer(message, || error),
            })
            .collect()
    }

    /// Stores messages and opens new conversations beside them; conversations that exist are moved when it is known
    /// which messages the store has.
    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        let (messages, touches): (Vec<Message>, Vec<Option<ConversationTouch>>) = batch
            .into_iter()
            .map(|received| (received.message, received.touch))
            .unzip();
        if touches.iter().all(Option::is_none) {
            return self.receive_messages(&messages).await;
        }
        let (mut received, opened) = futures_util::join!(
            self.receive_messages(&messages),
            self.open_conversations(touches.iter().flatten())
        );
        let moved = match opened.map(|opened| conversations_left(&touches, &opened, &received)) {
            Ok(left) => self.settle_conversations(&left).await,
            Err(error) => Err(error),
        };
        if let Err(error) = moved {
            for (received, touch) in received.iter_mut().zip(touches) {
                if touch.is_some() && received.is_ok() {
                    *received = Err(error.clone());
                }
            }
        }
        received
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let ids: Vec<_> = keys.iter().map(|key| key.message_id.to_string()).collect();
        let filter =
            doc! { "_id": { "$in": ids }, "tenantId": { "$in": tenants(keys.iter().map(|key| key.tenant_id)) } };
        // Only what a majority has: a change that turns out to be made already is acknowledged without a write of its
        // own.
        let query = Query::new(filter, BY_ID).majority();
        let read = self.fetch_each_within(&self.messages, query, LOAD_BYTES_MAX, key, message::decode);
        let (found, is_all) = match read.await {
            Ok(read) => read,
            Err(error) => return vec![Err(error); keys.len()],
        };
        // Not removed from the map: a key may be asked for twice.
        let answer = |key| match found.get(key) {
            Some(found) => found.clone().map(Some),
            None if is_all => Ok(None),
            None => Err(StoreError::NotReadYet),
        };
        keys.iter().map(answer).collect()
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save_in(batch, saving::deliveries).await
    }

    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save_in(batch, saving::claims).await
    }

    async fn know_by_gateway_id(&self, key: &MessageKey) -> Result<bool, StoreError> {
        // One that is noted matches again: the command may be executed twice.
        let statement = to_raw(&doc! {
            "q": {
                "_id": key.message_id.to_string(),
                "tenantId": key.tenant_id.to_string(),
                "$or": [{ "wamid": null }, { "byGatewayId": true }],
            },
            "u": { "$set": { "byGatewayId": true } },
            "hint": BY_ID,
        })?;
        let reply = self.update_all(MESSAGES, &[statement]).await;
        let mut reply = reply.map_err(|failure| failure.to_store_error())?;
        let refused = reply.refused.pop().map(|refused| refused.error);
        match reply.unconfirmed.or(refused) {
            None => Ok(reply.matched > 0),
            Some(error) => Err(error),
        }
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: HashSet<&str> = refs.iter().map(|(_, wamid)| wamid.as_str()).collect();
        let filter = doc! {
            "wamids": { "$in": wanted.into_iter().collect::<Vec<_>>() },
            "direction": Direction::Outbound.as_str(),
        };
        let query = Query::new(filter, MESSAGE_WAMIDS).fields(doc! { "tenantId": 1, "phoneNumberId": 1, "wamids": 1 });
        let found = self.fetch_readable(&self.messages, query, sent).await?;
        let mut newest: HashMap<(&str, &str), MessageKey> = HashMap::new();
        for sent in &found {
            for wamid in &sent.wamids {
                let known = newest.entry((&sent.phone_number_id, wamid)).or_insert(sent.key);
                if known.message_id < sent.key.message_id {
                    *known = sent.key;
                }
            }
        }
        Ok(refs
            .iter()
            .map(|(number, wamid)| newest.get(&(number.as_str(), wamid.as_str())).copied())
            .collect())
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        let filter = doc! { "tenantId": tenant_id.to_string(), "idempotencyKey": key.as_str() };
        let query = Query::new(filter, MESSAGE_IDEMPOTENCY_KEY).majority();
        self.fetch_one(&self.messages, query, message::decode).await
    }

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        let of_number = doc! { "tenantId": message.tenant_id.to_string(), "phoneNumberId": phone_number_id.as_str() };
        let mut before = of_number.clone();
        before.insert("_id", doc! { "$lt": message.message_id.to_string() });
        let before = Query::new(before, MESSAGE_PHONE_NUMBER).newest_first();
        let mut next = of_number.clone();
        next.insert("_id", doc! { "$gt": message.message_id.to_string() });
        let next = Query::new(next, MESSAGE_PHONE_NUMBER).sort(doc! { "_id": 1 });
        let newest = Query::new(of_number, MESSAGE_PHONE_NUMBER).newest_first();
        for query in [before, next, newest] {
            let query = query
                .limit(STATUS_SAMPLE)
                .fields(doc! { "tenantId": 1, "calledAt": 1, "statusSeenAt": 1 });
            let seen = self.fetch(&self.messages, query, called).await?;
            if self.do_show_statuses(seen, calls).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A message, when it was called last, and when the first status was merged into it.
type Called = (Option<MessageKey>, Option<Timestamp>, Option<Timestamp>);

fn called(raw: &RawDocument) -> Called {
    let time = |field| raw.get_datetime(field).ok().map(timestamp);
    (key(raw), time("calledAt"), time("statusSeenAt"))
}

impl MongoStore {
    async fn do_show_statuses(&self, seen: Vec<Called>, calls: CallSpan) -> Result<bool, StoreError> {
        if seen
            .iter()
            .any(|(_, called_at, seen_at)| calls.is_shown_by(*called_at, *seen_at))
        {
            return Ok(true);
        }
        let in_span = |(key, called_at, _): Called| {
            let called_at = called_at.filter(|at| (calls.from..=calls.until).contains(at))?;
            Some((key?, called_at))
        };
        let (keys, called): (Vec<_>, Vec<_>) = seen.into_iter().filter_map(in_span).unzip();
        let reports = self.reports_of(&keys).await?;
        let shows = |(called_at, reports): (Timestamp, Vec<Reported>)| {
            let first = reports.iter().map(|reported| reported.received_at).min();
            calls.is_shown_by(Some(called_at), first)
        };
        Ok(called.into_iter().zip(reports).any(shows))
    }
}
