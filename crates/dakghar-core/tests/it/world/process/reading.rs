//! What clients read.

use std::sync::Arc;

use dakghar_core::app::{
    CallbackBodies, Callbacks, EndpointStatus, Endpoints, FeedPage, FeedSubscription, KnownConversation, Page,
    PageRequest, Replacing,
};
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::{AmendedMessage, Endpoint, EntryFilter, Person, Place, Problem, TenantId};
use futures_util::FutureExt as _;

use super::Process;

const FIRST_PAGE: PageRequest = PageRequest {
    limit: 100,
    cursor: None,
};

impl Process {
    /// A message with what was done to it.
    pub async fn amended(&self, tenant: &TenantId, id: &str) -> Result<AmendedMessage, Problem> {
        Ok(self.app.reading.message(tenant, id).await?.0)
    }

    /// The first page of messages.
    pub async fn list(&self, tenant: &TenantId, query: MessageQuery) -> Result<Vec<AmendedMessage>, Problem> {
        Ok(self.app.reading.messages(tenant, query, &FIRST_PAGE).await?.items)
    }

    /// A page of messages.
    pub async fn messages(
        &self,
        tenant: &TenantId,
        query: MessageQuery,
        page: &PageRequest,
    ) -> Result<Page<AmendedMessage>, Problem> {
        Ok(self.app.reading.messages(tenant, query, page).await?)
    }

    /// The endpoints of tenants.
    pub fn endpoints(&self) -> Arc<Endpoints> {
        self.app.endpoints.clone()
    }

    /// The use case that replaces data keys.
    pub fn replacing(&self) -> Replacing {
        self.app.replacing()
    }

    /// How far an endpoint is.
    pub async fn endpoint_status(&self, endpoint: &Endpoint) -> Result<EndpointStatus, Problem> {
        Ok(self.app.reading.endpoint_status(endpoint).await?)
    }

    /// The deliveries to endpoints.
    pub fn callbacks(&self, bodies: Arc<dyn CallbackBodies>) -> Arc<Callbacks> {
        Arc::new(self.app.callbacks(bodies))
    }

    /// A page of the feed.
    pub async fn feed(&self, tenant: &TenantId, after: Option<&str>, limit: u32) -> Result<FeedPage, Problem> {
        Ok(self.app.reading.feed(tenant, after, limit).await?)
    }

    /// A page of what a filter leaves of the feed.
    pub async fn feed_page(
        &self,
        tenant: &TenantId,
        after: Place,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Problem> {
        Ok(self.app.reading.feed_page(tenant, Some(after), limit, filter).await?)
    }

    /// Begins to listen for entries.
    pub fn subscribe(&self, tenant: &TenantId) -> FeedSubscription {
        self.app.watching.subscribe(tenant)
    }

    /// Looks how far feeds go, as it is done now and then.
    pub async fn look_at_feeds(&self) -> Result<(), Problem> {
        Ok(self.app.watching.look().await?)
    }

    /// Passes on that entries have arrived, if they have, and returns whether who gives places has heard of it.
    pub fn hears_of_arrivals(&self) -> bool {
        let _ = self.app.sequencing.tell_arrivals().now_or_never();
        self.app.sequencing.arrived().now_or_never().is_some()
    }

    /// One step of giving places. Returns how many were given.
    pub async fn sequence(&self) -> u64 {
        self.app.sequencing.step().await.map_or(0, |done| done.placed)
    }

    /// Says that it gives no more places.
    pub async fn leave(&self) -> Result<(), Problem> {
        Ok(self.app.sequencing.leave().await?)
    }

    pub async fn people(&self, tenant: &TenantId) -> Result<Vec<Person>, Problem> {
        Ok(self.app.reading.people(tenant, &FIRST_PAGE).await?.items)
    }

    pub async fn person(&self, tenant: &TenantId, id: &str) -> Result<Person, Problem> {
        Ok(self.app.reading.person(tenant, id).await?)
    }

    pub async fn conversations(&self, tenant: &TenantId) -> Result<Vec<KnownConversation>, Problem> {
        Ok(self.app.reading.conversations(tenant, &FIRST_PAGE).await?.items)
    }

    /// A conversation and its messages.
    pub async fn conversation(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<(KnownConversation, Vec<AmendedMessage>), Problem> {
        let reading = &self.app.reading;
        let known = reading.conversation(tenant, id).await?;
        let query = MessageQuery::default();
        let messages = reading
            .conversation_messages(tenant, &known, query, &FIRST_PAGE)
            .await?;
        Ok((known, messages.items))
    }
}
