//! What the deliveries to all endpoints share.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::bodies::CallbackBodies;
use super::opened::Opened;
use super::record_bytes::AllRecordBytes;
use crate::app::endpoints::Endpoints;
use crate::app::failure::Failure;
use crate::app::feed::{FeedReading, JustPlaced};
use crate::app::messages::Messages;
use crate::app::stale::ROUNDS_MAX;
use crate::app::tenants::directory::Directory;
use crate::domain::callback::Advance;
use crate::domain::callback_url::CallbackRules;
use crate::domain::endpoint::{DisabledReason, Endpoint, EndpointState, EndpointTold, expired};
use crate::domain::{ErrorCode, Place, Problem, Secret};
use crate::group_commit::GroupCommit;
use crate::metrics::Metrics;
use crate::ports::receivers::{CallbackCall, Receivers};
use crate::ports::{
    CallbackStore, Clock, EndpointStore, EventStore, FeedNews, FeedStore, IdGenerator, PersonErasureStore, Saved,
    StoreError,
};
use crate::traces::Traces;

/// Saves of how far endpoints are, which share commits.
pub(in crate::app) type Advances = GroupCommit<Advance, Result<Saved, StoreError>>;

pub(super) struct Deps {
    pub(super) store: Arc<dyn CallbackStore>,
    pub(super) endpoints: Arc<dyn EndpointStore>,
    pub(super) credentials: Arc<Endpoints>,
    pub(super) entries: Arc<dyn FeedStore>,
    pub(super) erasures: Arc<dyn PersonErasureStore>,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) news: Arc<dyn FeedNews>,
    pub(super) feed: FeedReading,
    pub(super) just_placed: Arc<JustPlaced>,
    pub(super) messages: Messages,
    pub(super) directory: Arc<Directory>,
    pub(super) advances: Advances,
    pub(super) receivers: Arc<dyn Receivers>,
    pub(super) bodies: Arc<dyn CallbackBodies>,
    pub(super) rules: Arc<CallbackRules>,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdGenerator>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) record_bytes: AllRecordBytes,
    pub(super) traces: Traces,
}

impl Deps {
    /// Opens the secrets of an endpoint.
    pub(super) async fn open(&self, endpoint: &Endpoint) -> Result<Opened, Failure> {
        let Some(tenant) = self.directory.find(&endpoint.tenant_id).await? else {
            return Err(Problem::new(ErrorCode::NotFound, "The tenant of this endpoint is gone.").into());
        };
        Opened::open(&self.credentials, &self.rules, &tenant, endpoint, self.clock.now()).await
    }

    /// Calls an endpoint once, and waits for the answer.
    pub(super) async fn post(&self, opened: &Opened, headers: Vec<(String, Secret)>, body: Vec<u8>) -> Answer {
        let Some(url) = opened.url.clone() else {
            return Answer::BLOCKED;
        };
        let call = CallbackCall {
            url,
            headers,
            body,
            timeout: self.timeout,
        };
        self.receivers.post(call).await.into()
    }

    /// Gives an endpoint up until somebody resumes it, and tells its tenant. Returns false if it has another address by now, of
    /// which nothing is known.
    pub(super) async fn disable(&self, endpoint: &Endpoint, reason: DisabledReason) -> Result<bool, Failure> {
        for _ in 0..ROUNDS_MAX {
            let found = self.endpoints.find_endpoint(&endpoint.tenant_id, &endpoint.id).await?;
            let Some(mut stored) = found else { return Ok(true) };
            if stored.url != endpoint.url {
                return Ok(false);
            }
            if stored.state == EndpointState::Active {
                let now = self.clock.now();
                stored.state = EndpointState::Disabled { reason, at: now };
                stored.updated_at = now;
                if self.endpoints.save_endpoint(&stored).await? == Saved::Stale {
                    continue;
                }
                self.news.tell_endpoints(&endpoint.tenant_id);
                tracing::warn!(
                    endpoint_id = %endpoint.id, tenant_id = %endpoint.tenant_id, reason = reason.as_str(),
                    "an endpoint was disabled; it is called again when it is resumed"
                );
            }
            self.tell_disabled(&stored).await?;
            return Ok(true);
        }
        Err(Failure::KeptChanging("endpoint"))
    }

    /// Tells the tenant that its endpoint is disabled, if it is. Who tells it again adds nothing.
    pub(super) async fn tell_disabled(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        match endpoint.state.disabled() {
            Some((reason, at)) => self.tell(endpoint, EndpointTold::Disabled { reason, at }).await,
            None => Ok(()),
        }
    }

    /// Tells the tenant something of its endpoint. It is durable then.
    pub(super) async fn tell(&self, endpoint: &Endpoint, told: EndpointTold) -> Result<(), Failure> {
        let event = told.event(endpoint, self.ids.event_id(), self.clock.now());
        Ok(self.events.record(&[event]).await?)
    }

    /// Tells the tenant that entries went out of the feed before its endpoint got them. Returns how many.
    pub(super) async fn tell_gap(&self, endpoint: &Endpoint, after: Place, first: Place) -> Result<u64, Failure> {
        self.tell(endpoint, EndpointTold::EventsExpired { after, first })
            .await?;
        let expired = expired(after, first);
        self.metrics.callbacks_expired.inc_by(expired);
        tracing::warn!(
            endpoint_id = %endpoint.id, tenant_id = %endpoint.tenant_id, expired,
            "entries of the feed were erased by their age before an endpoint got them"
        );
        Ok(expired)
    }
}
