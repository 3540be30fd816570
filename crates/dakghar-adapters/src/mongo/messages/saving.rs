//! Saves under optimistic versioning, many in one command.

use std::collections::HashSet;

use bson::oid::ObjectId;
use bson::raw::CStr;
use bson::{RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::message::Message;
use dakghar_core::ports::{Saved, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::collections::MESSAGES;
use crate::mongo::documents::{counter, message};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::{Query, text};
use crate::mongo::updates::chunk_lengths;

impl MongoStore {
    pub(super) async fn save_messages(&self, batch: &[Message]) -> Vec<Result<Saved, StoreError>> {
        // The reply to many updates only counts those that matched; this names them.
        let save_id = ObjectId::new();
        let statements = match batch
            .iter()
            .map(|message| statement(message, save_id))
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(statements) => statements,
            Err(error) => return vec![Err(error); batch.len()],
        };
        let mut answers = Vec::with_capacity(batch.len());
        let (mut batch, mut statements) = (batch, statements.as_slice());
        for length in chunk_lengths(statements) {
            let (messages, messages_left) = batch.split_at(length);
            let (chunk, statements_left) = statements.split_at(length);
            answers.extend(self.save_chunk(messages, chunk, save_id).await);
            (batch, statements) = (messages_left, statements_left);
        }
        answers
    }

    async fn save_chunk(
        &self,
        messages: &[Message],
        statements: &[RawDocumentBuf],
        save_id: ObjectId,
    ) -> Vec<Result<Saved, StoreError>> {
        let reply = match self.update_all(MESSAGES, statements).await {
            Ok(reply) => reply,
            Err(failure) => {
                let error = failure.to_store_error();
                return self.saved_or(messages, save_id, &Err(error)).await;
            }
        };
        if let Some(error) = reply.unconfirmed {
            return self.saved_or(messages, save_id, &Err(error)).await;
        }
        let mut answers = if reply.matched == messages.len() {
            vec![Ok(Saved::Done); messages.len()]
        } else {
            // Also when nothing matched: the command may have been executed twice, and matched the first time.
            self.saved_or(messages, save_id, &Ok(Saved::Stale)).await
        };
        for refused in reply.refused {
            answers[refused.index] = Err(refused.error);
        }
        answers
    }

    /// `Done` for the messages that carry this save, `otherwise` for the rest.
    async fn saved_or(
        &self,
        messages: &[Message],
        save_id: ObjectId,
        otherwise: &Result<Saved, StoreError>,
    ) -> Vec<Result<Saved, StoreError>> {
        let ids: Vec<_> = messages.iter().map(|message| message.id.to_string()).collect();
        let query = Query::new(doc! { "_id": { "$in": ids.clone() }, "saveId": save_id }, BY_ID)
            .fields(doc! { "_id": 1 })
            .majority();
        let reading = self.fetch(&self.messages, query, |raw| text(raw, "message", "_id"));
        let found: HashSet<String> = match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) => found.into_iter().collect(),
            Ok(Err(error)) => return vec![otherwise.clone().and(Err(error)); messages.len()],
            Err(_) => {
                let error = StoreError::Unavailable("what became of a save could not be read in time".to_owned());
                return vec![otherwise.clone().and(Err(error)); messages.len()];
            }
        };
        ids.iter()
            .map(|id| {
                if found.contains(id) {
                    Ok(Saved::Done)
                } else {
                    otherwise.clone()
                }
            })
            .collect()
    }
}

/// One statement of the `update` command: replaces what delivery changed, if the version is still the one read.
fn statement(message: &Message, save_id: ObjectId) -> Result<RawDocumentBuf, StoreError> {
    let set = message::encode_delivery(message, save_id)?;
    let mut unset = RawDocumentBuf::new();
    for field in absent_fields(&set) {
        let field: &CStr = field.try_into().expect("field names have no NUL");
        unset.append(field, "");
    }
    let mut update = rawdoc! { "$set": set };
    if !unset.is_empty() {
        update.append(bson::raw::cstr!("$unset"), unset);
    }
    Ok(rawdoc! {
        "q": {
            "_id": message.id.to_string(),
            "tenantId": message.tenant_id.to_string(),
            "version": counter(message.version),
        },
        "u": update,
        // Without it the planner weighs every index that starts with the tenant.
        "hint": BY_ID,
    })
}

/// The optional fields that `set` does not set.
fn absent_fields(set: &RawDocumentBuf) -> impl Iterator<Item = &'static str> {
    let present: HashSet<&str> = set
        .iter()
        .filter_map(|field| field.ok().map(|(name, _)| name.as_str()))
        .collect();
    message::OPTIONAL_DELIVERY_FIELDS
        .into_iter()
        .filter(move |field| !present.contains(field))
}
