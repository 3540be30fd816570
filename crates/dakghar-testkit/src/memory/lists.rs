//! Lists of messages.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, MessageQuery, PageFill, PageLimit};
use dakghar_core::domain::{Message, MessageId, TenantId};
use dakghar_core::ports::{ListStore, StoreError};

use super::{MemoryStore, first, page_of};

/// Messages that a search looks at, at least, however little time it has.
const LOOKED_AT_MIN: usize = 256;

/// True when every filter that is set matches.
fn matches(message: &Message, query: &MessageQuery) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
        wanted.is_none() || wanted == actual
    }
    is(query.direction.as_ref(), Some(&message.accepted.direction))
        && query
            .status
            .is_none_or(|status| status.stored_as().contains(&message.delivery.status))
        && is(query.kind.as_ref(), Some(&message.accepted.content.kind))
        && is(query.peer_id.as_ref(), message.accepted.peer_id.as_ref())
        && is(query.phone_number_id.as_ref(), Some(&message.accepted.phone_number_id))
        && is(
            query.conversation_id.as_ref(),
            message.delivery.conversation_id.as_ref(),
        )
        && query.since.is_none_or(|since| message.accepted.created_at >= since)
        && query.until.is_none_or(|until| message.accepted.created_at < until)
}

#[async_trait]
impl ListStore for MemoryStore {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError> {
        self.with(|state| {
            let mut page = PageFill::new(query.limit);
            let newest_first = state.of_tenant(tenant_id).rev();
            let older = newest_first.filter(|message| query.before.is_none_or(|before| message.accepted.id < before));
            for (looked_at, message) in older.enumerate() {
                // Looking takes no time here.
                let is_over = looked_at == LOOKED_AT_MIN && query.limit.time.is_zero();
                if is_over || (matches(message, query) && page.is_full()) {
                    return page.more();
                }
                if matches(message, query) {
                    page.push(message.clone());
                } else {
                    page.pass(message.accepted.id);
                }
            }
            page.end()
        })
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        self.with(|state| {
            let found = state
                .messages
                .values()
                .rev()
                .filter(|message| message.delivery.status.is_dead_letter())
                .filter(|message| tenant_id.is_none_or(|tenant_id| message.accepted.tenant_id == *tenant_id))
                .filter(|message| before.is_none_or(|before| message.accepted.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError> {
        self.with(|state| {
            let count = |(tenant_id, limit): &(TenantId, u32)| {
                let unsettled = state
                    .of_tenant(tenant_id)
                    .filter(|message| message.delivery.status.is_unsettled());
                u32::try_from(first(unsettled, *limit).len()).unwrap_or(*limit)
            };
            tenants.iter().map(count).collect()
        })
    }
}
