//! Reading: tenants, messages, conversations, dead letters and events, page by page.

mod cursor;

use super::failure::Failure;
use super::messages::Messages;
use crate::domain::conversation::Conversation;
use crate::domain::ids::{ConversationId, EventId, MessageId, MessageKey};
use crate::domain::message::Message;
use crate::domain::page::MessageQuery;
use crate::domain::webhook::WebhookEvent;
use crate::domain::{ErrorCode, Problem, Tenant, TenantId, Timestamp};
use crate::ports::Ports;
use cursor::CursorSigner;

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Items at most, checked by the caller.
    pub limit: u32,
    /// Where the previous page ended.
    pub cursor: Option<String>,
}

/// Reads what is stored, for people and programs.
pub struct Reading {
    ports: Ports,
    messages: Messages,
    cursors: CursorSigner,
}

impl Reading {
    /// Reading, with the secret (32 bytes) that signs cursors.
    pub(super) fn new(ports: Ports, messages: Messages, cursor_secret: &[u8; 32]) -> Self {
        Self {
            ports,
            messages,
            cursors: CursorSigner::new(cursor_secret),
        }
    }

    /// The tenants.
    pub async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>, Failure> {
        let before = self.position(page, "tenants", |text| TenantId::parse(text).ok())?;
        let items = self.ports.tenants.list(before, page.limit + 1).await?;
        let mut page = self.page("tenants", page, items, |tenant| tenant.id.to_string());
        page.items.retain(|tenant| tenant.removed_at.is_none());
        Ok(page)
    }

    /// One message of the tenant.
    pub async fn message(&self, tenant_id: &TenantId, id: &str) -> Result<Message, Failure> {
        let key = message_key(tenant_id, id)?;
        Ok(self.messages.load(&key).await?.ok_or_else(no_such_message)?)
    }

    /// The tenant's messages that match the query; its `before` and `limit` are set from the page.
    pub async fn messages(
        &self,
        tenant_id: &TenantId,
        mut query: MessageQuery,
        page: &PageRequest,
    ) -> Result<Page<Message>, Failure> {
        (query.before, query.limit) = (None, 0);
        let list = format!("messages/{tenant_id}?{query:?}");
        query.before = self.position(page, &list, |text| MessageId::parse(text).ok())?;
        query.limit = page.limit + 1;
        let items = self.ports.lists.messages(tenant_id, &query).await?;
        Ok(self.page(&list, page, items, |message| message.accepted.id.to_string()))
    }

    /// The tenant's conversations, the one with the newest message first.
    pub async fn conversations(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<Conversation>, Failure> {
        let list = format!("conversations/{tenant_id}");
        let before = self.position(page, &list, |text| {
            let (at, id) = text.split_once(' ')?;
            Some((
                Timestamp::from_millis(at.parse().ok()?),
                ConversationId::parse(id).ok()?,
            ))
        })?;
        let items = self.ports.conversations.list(tenant_id, before, page.limit + 1).await?;
        Ok(self.page(&list, page, items, |conversation| {
            format!("{} {}", conversation.last_message_at.as_millis(), conversation.id)
        }))
    }

    /// One conversation of the tenant.
    pub async fn conversation(&self, tenant_id: &TenantId, id: &str) -> Result<Conversation, Failure> {
        let missing = || {
            Problem::new(
                ErrorCode::ConversationNotFound,
                "The tenant has no conversation with this id.",
            )
        };
        let id = ConversationId::parse(id).map_err(|_| missing())?;
        let found = self.ports.conversations.find(tenant_id, &id).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// The dead letters of a tenant, or of all.
    pub async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        page: &PageRequest,
    ) -> Result<Page<Message>, Failure> {
        let list = format!(
            "dead-letters/{}",
            tenant_id.map(ToString::to_string).unwrap_or_default()
        );
        let before = self.position(page, &list, |text| MessageId::parse(text).ok())?;
        let items = self.ports.lists.dead_letters(tenant_id, before, page.limit + 1).await?;
        Ok(self.page(&list, page, items, |message| message.accepted.id.to_string()))
    }

    /// The events of a tenant, or with `None` those nobody could be found for.
    pub async fn events(
        &self,
        tenant_id: Option<&TenantId>,
        page: &PageRequest,
    ) -> Result<Page<WebhookEvent>, Failure> {
        let list = format!("events/{}", tenant_id.map(ToString::to_string).unwrap_or_default());
        let before = self.position(page, &list, |text| EventId::parse(text).ok())?;
        let items = self.ports.events.list(tenant_id, before, page.limit + 1).await?;
        Ok(self.page(&list, page, items, |event| event.id.to_string()))
    }

    fn position<P>(
        &self,
        page: &PageRequest,
        list: &str,
        parse: impl Fn(&str) -> Option<P>,
    ) -> Result<Option<P>, Problem> {
        let Some(cursor) = &page.cursor else { return Ok(None) };
        let position = self.cursors.open(list, cursor)?;
        parse(&position)
            .map(Some)
            .ok_or_else(|| Problem::new(ErrorCode::InvalidCursor, "Start again without a cursor."))
    }

    /// Cuts the item that was asked for beyond the limit, which only tells that there is another page.
    fn page<T>(&self, list: &str, page: &PageRequest, mut items: Vec<T>, position: impl Fn(&T) -> String) -> Page<T> {
        let limit = page.limit as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items
            .last()
            .filter(|_| has_more)
            .map(|last| self.cursors.sign(list, &position(last)));
        Page { items, next_cursor }
    }
}

/// The message under this id, as the client wrote it.
pub(super) fn message_key(tenant_id: &TenantId, id: &str) -> Result<MessageKey, Problem> {
    let message_id = MessageId::parse(id).map_err(|_| no_such_message())?;
    Ok(MessageKey {
        tenant_id: *tenant_id,
        message_id,
    })
}

pub(super) fn no_such_message() -> Problem {
    Problem::new(ErrorCode::MessageNotFound, "The tenant has no message with this id.")
}
