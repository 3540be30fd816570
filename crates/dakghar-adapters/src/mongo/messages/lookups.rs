//! Single messages, by what identifies them.

use std::collections::{HashMap, HashSet};

use bson::{RawDocument, doc};
use dakghar_core::domain::ids::{IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::message::{Direction, Message};
use dakghar_core::ports::StoreError;

use crate::mongo::MongoStore;
use crate::mongo::documents::{Unreadable, message};
use crate::mongo::indexes::{BY_ID, MESSAGE_IDEMPOTENCY_KEY, MESSAGE_WAMIDS};
use crate::mongo::reads::{Query, text};

/// An outbound message as the search by wamid sees it.
struct Sent {
    key: MessageKey,
    phone_number_id: String,
    wamids: Vec<String>,
}

impl MongoStore {
    pub(super) async fn load_messages(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let ids: Vec<_> = keys.iter().map(|key| key.message_id.to_string()).collect();
        let filter =
            doc! { "_id": { "$in": ids }, "tenantId": { "$in": tenants(keys.iter().map(|key| key.tenant_id)) } };
        // Only what a majority has: a change that turns out to be made already is acknowledged without a write of its own.
        let query = Query::new(filter, BY_ID).majority();
        let found = match self.fetch_each(&self.messages, query, key, message::decode).await {
            Ok(found) => found,
            Err(error) => return vec![Err(error); keys.len()],
        };
        // Not removed from the map: a key may be asked for twice.
        keys.iter().map(|key| found.get(key).cloned().transpose()).collect()
    }

    pub(super) async fn keys_by_wamid(
        &self,
        refs: &[(TenantId, PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: HashSet<&str> = refs.iter().map(|(_, _, wamid)| wamid.as_str()).collect();
        let filter = doc! {
            "wamids": { "$in": wanted.into_iter().collect::<Vec<_>>() },
            "tenantId": { "$in": tenants(refs.iter().map(|(tenant_id, _, _)| *tenant_id)) },
            "direction": Direction::Outbound.as_str(),
        };
        let query = Query::new(filter, MESSAGE_WAMIDS).fields(doc! { "tenantId": 1, "phoneNumberId": 1, "wamids": 1 });
        let found = self.fetch_readable(&self.messages, query, sent).await?;
        let by_wamid: HashMap<(TenantId, &str, &str), MessageKey> = found
            .iter()
            .flat_map(|sent| {
                let owner = (sent.key.tenant_id, sent.phone_number_id.as_str());
                sent.wamids
                    .iter()
                    .map(move |wamid| ((owner.0, owner.1, wamid.as_str()), sent.key))
            })
            .collect();
        Ok(refs
            .iter()
            .map(|(tenant_id, number, wamid)| by_wamid.get(&(*tenant_id, number.as_str(), wamid.as_str())).copied())
            .collect())
    }

    pub(super) async fn message_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        let filter = doc! { "tenantId": tenant_id.to_string(), "idempotencyKey": key.as_str() };
        let query = Query::new(filter, MESSAGE_IDEMPOTENCY_KEY).limit(1).majority();
        Ok(self.fetch(&self.messages, query, message::decode).await?.pop())
    }
}

fn tenants(ids: impl Iterator<Item = TenantId>) -> Vec<String> {
    let distinct: HashSet<TenantId> = ids.collect();
    distinct.iter().map(TenantId::to_string).collect()
}

/// Whose message it is, as far as that can be read.
fn key(raw: &RawDocument) -> Option<MessageKey> {
    Some(MessageKey {
        tenant_id: TenantId::parse(raw.get_str("tenantId").ok()?).ok()?,
        message_id: MessageId::parse(raw.get_str("_id").ok()?).ok()?,
    })
}

fn sent(raw: &RawDocument) -> Result<Sent, Unreadable> {
    let id = text(raw, "message", "_id")?;
    let wrong = |field| Unreadable::field("message", &id, field);
    let wamids = raw.get_array("wamids").map_err(|_| wrong("wamids"))?;
    Ok(Sent {
        key: MessageKey {
            tenant_id: TenantId::parse(&text(raw, "message", "tenantId")?).map_err(|_| wrong("tenantId"))?,
            message_id: MessageId::parse(&id).map_err(|_| wrong("_id"))?,
        },
        phone_number_id: text(raw, "message", "phoneNumberId")?,
        wamids: wamids
            .into_iter()
            .map(|wamid| wamid.ok().and_then(|wamid| wamid.as_str().map(str::to_owned)))
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("wamids"))?,
    })
}
