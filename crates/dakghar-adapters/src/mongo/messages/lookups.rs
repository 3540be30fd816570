//! The fields that identify a message, as they lie in its document.

use std::collections::HashSet;

use bson::RawDocument;
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId};

use crate::mongo::documents::Unreadable;
use crate::mongo::reads::text;

/// An outbound message as the search by wamid sees it.
pub(super) struct Sent {
    pub(super) key: MessageKey,
    pub(super) phone_number_id: String,
    pub(super) wamids: Vec<String>,
}

pub(super) fn tenants(ids: impl Iterator<Item = TenantId>) -> Vec<String> {
    let distinct: HashSet<TenantId> = ids.collect();
    distinct.iter().map(TenantId::to_string).collect()
}

/// Whose message it is, as far as that can be read.
pub(in crate::mongo) fn key(raw: &RawDocument) -> Option<MessageKey> {
    Some(MessageKey {
        tenant_id: TenantId::parse(raw.get_str("tenantId").ok()?).ok()?,
        message_id: MessageId::parse(raw.get_str("_id").ok()?).ok()?,
    })
}

pub(super) fn sent(raw: &RawDocument) -> Result<Sent, Unreadable> {
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
