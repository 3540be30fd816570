//! Reading: tenants, messages, conversations, dead letters and events, page by page.

mod callbacks;
mod cursor;
mod people;

use super::amended::amended;
use super::failure::Failure;
use super::feed::{FeedItem, FeedPage, FeedReading, posted_body};
use super::messages::{Messages, merge_read, merge_reports};
use crate::domain::amendment::{AMENDMENTS_MAX, AmendedMessage};
use crate::domain::departure::Departure;
use crate::domain::feed::{EntryFilter, Place};
use crate::domain::ids::{DepartureId, ErasureId, EventId, MessageId, MessageKey, RedriveId, SignupId};
use crate::domain::message::{Message, StatusRecord};
use crate::domain::opt_out::{OptOut, OptOutKey};
use crate::domain::page::{Listed, MessageQuery, PAGE_ITEMS_MAX, PageFill, PageLimit, Paged};
use crate::domain::redrive::Redrive;
use crate::domain::signup::Signup;
use crate::domain::webhook::WebhookEvent;
use crate::domain::{ErrorCode, PersonErasure, Problem, Tenant, TenantId};
use crate::ports::{Ports, StoreError};
pub use callbacks::EndpointStatus;
pub use cursor::CursorSigner;
pub use people::KnownConversation;

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items. There may be fewer than asked for, or none, though more follow: a page also ends at
    /// [`PAGE_BYTES_MAX`](crate::domain::page::PAGE_BYTES_MAX) and after
    /// [`PAGE_TIME_MAX`](crate::domain::page::PAGE_TIME_MAX).
    pub items: Vec<T>,
    /// The start of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A request for one page of a list.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The most items to return, checked by the caller.
    pub limit: u32,
    /// The end of the previous page; `None` for the first page.
    pub cursor: Option<String>,
}

/// Reads a place of a feed, as a client wrote it.
pub fn feed_place(text: &str) -> Result<Place, Problem> {
    let detail = "after must be a place of this feed, such as the nextCursor of a page.";
    Place::parse(text).ok_or_else(|| Problem::new(ErrorCode::FeedPlaceUnknown, detail))
}

/// Reads what is stored, for people and programs.
pub struct Reading {
    ports: Ports,
    messages: Messages,
    feed: FeedReading,
    cursors: CursorSigner,
}

impl Reading {
    /// Makes the flow. The secret (32 bytes) signs cursors.
    pub(super) fn new(ports: Ports, messages: Messages, cursor_secret: &[u8; 32]) -> Self {
        Self {
            feed: FeedReading::new(ports.clone(), messages.clone()),
            ports,
            messages,
            cursors: CursorSigner::new(cursor_secret),
        }
    }

    /// Returns tenants, newest first.
    pub async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>, Failure> {
        let before = self.position(page, "tenants", |text| TenantId::parse(text).ok())?;
        let listed = self.ports.tenants.list(before, PageLimit::items(page.limit)).await?;
        let mut page = self.page("tenants", listed, ToString::to_string);
        page.items.retain(|tenant| tenant.removed_at.is_none());
        Ok(page)
    }

    /// Returns one message of the tenant, with all that was done to it later, and what Meta reported on it, oldest first: the
    /// latest 200 reports at most. Its state and these reports are of one read, unless there are more.
    pub async fn message(
        &self,
        tenant_id: &TenantId,
        id: &str,
    ) -> Result<(AmendedMessage, Vec<StatusRecord>), Failure> {
        let key = message_key(tenant_id, id)?;
        let mut found = vec![self.messages.load(&key).await?.ok_or_else(no_such_message)?];
        let limit = PageLimit::items(PAGE_ITEMS_MAX);
        let listed = self.ports.statuses.statuses_of(&key, limit).await?;
        if listed.next.is_some() {
            merge_reports(&*self.ports.statuses, &mut found).await?;
        } else {
            for message in &mut found {
                merge_read(message, &listed.items);
            }
        }
        let mut amended = self.amended(tenant_id, found, AMENDMENTS_MAX).await?;
        let mut reports = listed.items;
        reports.reverse();
        Ok((amended.pop().ok_or_else(no_such_message)?, reports))
    }

    /// As [`amended`].
    async fn amended(
        &self,
        tenant_id: &TenantId,
        messages: Vec<Message>,
        each: u32,
    ) -> Result<Vec<AmendedMessage>, StoreError> {
        amended(&*self.ports.events, tenant_id, messages, each).await
    }

    /// Returns the tenant's messages that match the query. Its `before` and `limit` are set from the page.
    pub async fn messages(
        &self,
        tenant_id: &TenantId,
        mut query: MessageQuery,
        page: &PageRequest,
    ) -> Result<Page<AmendedMessage>, Failure> {
        (query.before, query.limit) = (None, PageLimit::default());
        let list = format!("messages/{tenant_id}?{query:?}");
        query.before = self.position(page, &list, |text| MessageId::parse(text).ok())?;
        query.limit = PageLimit::items(page.limit);
        let listed = self.matching(tenant_id, query).await?;
        let Page { items, next_cursor } = self.page(&list, listed, ToString::to_string);
        let items = self.amended(tenant_id, items, 1).await?;
        Ok(Page { items, next_cursor })
    }

    /// Returns the dead letters of a tenant, or of all.
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
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.lists.dead_letters(tenant_id, before, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the events of a tenant; with `None`, those that belong to no tenant.
    pub async fn events(
        &self,
        tenant_id: Option<&TenantId>,
        page: &PageRequest,
    ) -> Result<Page<WebhookEvent>, Failure> {
        let list = format!("events/{}", tenant_id.map(ToString::to_string).unwrap_or_default());
        let before = self.position(page, &list, |text| EventId::parse(text).ok())?;
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.events.list(tenant_id, before, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the body that Meta would have posted to a tenant that is alone at its app, for these entries of its feed: one
    /// envelope with an entry for each, in their order. `None` if Meta tells of none of them.
    pub async fn meta_body(&self, tenant_id: &TenantId, items: &[FeedItem]) -> Result<Option<String>, Failure> {
        posted_body(&self.messages, tenant_id, items).await
    }

    /// Returns the entries of a tenant's feed behind a place, or from the earliest on; the earliest first.
    pub async fn feed(&self, tenant_id: &TenantId, after: Option<&str>, limit: u32) -> Result<FeedPage, Failure> {
        let after = after.map(feed_place).transpose()?;
        self.feed_page(tenant_id, after, limit, &EntryFilter::default()).await
    }

    /// Returns entries of a tenant's feed that the filter wants, behind a place or from the earliest on; the earliest first.
    /// It may return none though more follow.
    pub async fn feed_page(
        &self,
        tenant_id: &TenantId,
        after: Option<Place>,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Failure> {
        self.feed.page(tenant_id, after, limit, filter).await
    }

    /// Returns the last place of a tenant's feed.
    pub async fn feed_end(&self, tenant_id: &TenantId) -> Result<Place, Failure> {
        Ok(self.ports.feed.bounds(tenant_id).await?.last)
    }

    /// Returns the redrives of a tenant, or of all.
    pub async fn redrives(&self, tenant_id: Option<&TenantId>, page: &PageRequest) -> Result<Page<Redrive>, Failure> {
        let list = format!("redrives/{}", tenant_id.map(ToString::to_string).unwrap_or_default());
        let before = self.position(page, &list, |text| RedriveId::parse(text).ok())?;
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.redrives.list_redrives(tenant_id, before, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the erasures of people of a tenant.
    pub async fn erasures(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<PersonErasure>, Failure> {
        let list = format!("erasures/{tenant_id}");
        let before = self.position(page, &list, |text| ErasureId::parse(text).ok())?;
        let limit = PageLimit::items(page.limit);
        let listed = self
            .ports
            .person_erasures
            .list_erasures(tenant_id, before, limit)
            .await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the opt-outs of a tenant that were not taken back.
    pub async fn opt_outs(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<OptOut>, Failure> {
        let list = format!("opt-outs/{tenant_id}");
        let before = self.position(page, &list, OptOutKey::parse)?;
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.opt_outs.list_opt_outs(tenant_id, before, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the signups of a tenant.
    pub async fn signups(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<Signup>, Failure> {
        let list = format!("signups/{tenant_id}");
        let before = self.position(page, &list, |text| SignupId::parse(text).ok())?;
        let limit = PageLimit::items(page.limit);
        let mut listed = self.ports.signups.list_signups(tenant_id, before, limit).await?;
        let now = self.ports.clock.now();
        listed.items = listed.items.into_iter().map(|signup| signup.as_of(now)).collect();
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Returns the departures of a tenant, also of one that has left.
    pub async fn departures(&self, tenant_id: &TenantId, page: &PageRequest) -> Result<Page<Departure>, Failure> {
        let list = format!("departures/{tenant_id}");
        let before = self.position(page, &list, |text| DepartureId::parse(text).ok())?;
        let limit = PageLimit::items(page.limit);
        let listed = self.ports.departures.list_departures(tenant_id, before, limit).await?;
        Ok(self.page(&list, listed, ToString::to_string))
    }

    /// Looks through what the store finds until a page is full: what is stored as sent may be read meanwhile.
    async fn matching(&self, tenant_id: &TenantId, mut query: MessageQuery) -> Result<Listed<Message>, StoreError> {
        let ends_at = self.ports.clock.uptime() + query.limit.time;
        let mut page = PageFill::new(query.limit);
        loop {
            let mut found = self.ports.lists.messages(tenant_id, &query).await?;
            merge_reports(&*self.ports.statuses, &mut found.items).await?;
            for message in found.items {
                if page.is_full() {
                    return Ok(page.more());
                }
                let place = message.position();
                if query.status.is_none_or(|wanted| wanted == message.delivery.status) {
                    page.push(message);
                } else {
                    page.pass(place);
                }
            }
            let Some(next) = found.next else { return Ok(page.end()) };
            page.pass(next);
            if page.is_full() || self.ports.clock.uptime() >= ends_at {
                return Ok(page.more());
            }
            query.before = Some(next);
            query.limit.time = ends_at.saturating_sub(self.ports.clock.uptime());
        }
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

    fn page<T: Paged>(&self, list: &str, listed: Listed<T>, written: impl Fn(&T::Position) -> String) -> Page<T> {
        let next_cursor = listed.next.map(|next| self.cursors.sign(list, &written(&next)));
        Page {
            items: listed.items,
            next_cursor,
        }
    }
}

/// Returns the key of a message under the id that the client wrote.
pub(super) fn message_key(tenant_id: &TenantId, id: &str) -> Result<MessageKey, Problem> {
    let message_id = MessageId::parse_either(id).map_err(|_| no_such_message())?;
    Ok(MessageKey {
        tenant_id: *tenant_id,
        message_id,
    })
}

pub(super) fn no_such_message() -> Problem {
    Problem::new(ErrorCode::MessageNotFound, "The tenant has no message with this id.")
}
