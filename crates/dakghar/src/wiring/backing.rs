//! A backend behind the ports, and the ports that every backend shares.

use std::sync::Arc;

use dakghar_adapters::callbacks::{CallbackConfig, HttpReceivers, SystemLookup};
use dakghar_adapters::local::{RandomIds, RuntimeSleeper, SystemClock};
use dakghar_adapters::measured::MeasuredStore;
use dakghar_adapters::meta::{
    GraphConfig, GraphHttp, MetaMessages, MetaNumbers, MetaOnboarding, MetaTokens, MetaWebhooks,
};
use dakghar_core::app::Installation;
use dakghar_core::domain::{AppId, Secret};
use dakghar_core::metrics::Metrics;
use dakghar_core::ports::{
    AppStore, ArrivalStore, AuditStore, CallbackStore, Clock, ConversationStore, DepartureStore, EndpointStore,
    Erasure, EventStore, FeedNews, FeedStore, HoldStore, InstallationStore, ListStore, ListenerStore, MessageStore,
    OperatorStore, OptOutStore, Pacer, PersonErasureStore, Ports, Queue, RedriveStore, SignupStore, StatusStore,
    StoreHealth, TenantQuota, TenantStore, TimerStore,
};
use dakghar_core::traces::Traces;
use dakghar_core::vault::{InstallationSecrets, Vault};

use super::keys::{self, KnownKeys, NamedVault};
use super::purpose::Purpose;
use crate::config::Config;
use crate::secrets::{self, MASTER_KEY_FILE, VERIFY_TOKEN_FILE};

/// A backend that is open, behind the ports.
pub(super) struct Backing {
    pub(super) ports: Ports,
    /// The store and the queue, for people.
    pub(super) name: String,
    /// Commits of one kind under way at a time.
    pub(super) commits_max: usize,
}

/// A store of everything.
pub(super) trait Store:
    MessageStore
    + StatusStore
    + TimerStore
    + ConversationStore
    + ListStore
    + TenantStore
    + EventStore
    + FeedStore
    + ListenerStore
    + AppStore
    + AuditStore
    + OperatorStore
    + OptOutStore
    + InstallationStore
    + EndpointStore
    + CallbackStore
    + RedriveStore
    + PersonErasureStore
    + SignupStore
    + DepartureStore
    + HoldStore
    + StoreHealth
    + Erasure
    + 'static
{
}

impl<S> Store for S where
    S: MessageStore
        + StatusStore
        + TimerStore
        + ConversationStore
        + ListStore
        + TenantStore
        + EventStore
        + FeedStore
        + ListenerStore
        + AppStore
        + AuditStore
        + OperatorStore
        + OptOutStore
        + InstallationStore
        + EndpointStore
        + CallbackStore
        + RedriveStore
        + PersonErasureStore
        + SignupStore
        + DepartureStore
        + HoldStore
        + StoreHealth
        + Erasure
        + 'static
{
}

/// The ports of a backend beside its store.
pub(super) struct Beside {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) pacer: Arc<dyn Pacer>,
    pub(super) quota: Arc<dyn TenantQuota>,
    pub(super) news: Arc<dyn FeedNews>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The ports that do not depend on the backend.
pub(super) struct Outer {
    graph: GraphHttp,
    receivers: HttpReceivers,
    app_id: Option<AppId>,
    app_secrets: Vec<Secret>,
    takes_unsigned_webhooks: bool,
    verify_token: Secret,
    vault: Vault,
    derived: Option<InstallationSecrets>,
    /// What may be told of the keys.
    pub(super) known_keys: KnownKeys,
    metrics: Arc<Metrics>,
}

impl Outer {
    /// Generates the secrets that nobody configured. A master key is not needed beside a key service, and made for none.
    pub(super) fn new(config: &Config, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let or_generated = |secret, file| secrets::configured_or_generated(secret, &config.storage.data_dir, file);
        let master_key = config.keys.master_key.as_ref();
        let master_key = if config.keys.service.is_some() {
            secrets::configured_or_kept(master_key, &config.storage.data_dir, MASTER_KEY_FILE)?
        } else {
            Some(or_generated(master_key, MASTER_KEY_FILE)?)
        };
        let verify_token = or_generated(config.meta.verify_token.as_ref(), VERIFY_TOKEN_FILE)?;
        let NamedVault { vault, derived, known } = keys::vault(&config.keys, master_key.as_ref(), &metrics)?;
        let graph = GraphConfig::new(&config.meta.graph_base_url, &config.meta.api_version)
            .for_calls_of(config.sending.policy.timings.call_timeout);
        let graph = GraphHttp::new(graph)?;
        let callbacks = CallbackConfig {
            rules: config.callbacks.rules.clone(),
            authorities_pem: config.callbacks.authorities_pem.clone(),
        };
        // Dates in the answers of receivers are judged by this machine's clock.
        let clock = Arc::new(SystemClock::start());
        let receivers = HttpReceivers::new(callbacks, Arc::new(SystemLookup::new()), clock)?;
        Ok(Self {
            graph,
            receivers,
            app_id: config.meta.default_app().id,
            app_secrets: config.meta.app_secrets.clone(),
            takes_unsigned_webhooks: config.takes_unsigned_webhooks(),
            verify_token,
            vault,
            derived,
            known_keys: known,
            metrics,
        })
    }

    /// All ports, over a store in which several processes write at once.
    pub(super) async fn ports_with_arrivals<S: Store + ArrivalStore>(
        self,
        store: &Arc<S>,
        beside: Beside,
        purpose: Purpose,
    ) -> anyhow::Result<Ports> {
        let arrivals = MeasuredStore::new(store.clone(), self.metrics.clone());
        let mut ports = self.ports(store, beside, purpose).await?;
        ports.arrivals = Some(Arc::new(arrivals));
        Ok(ports)
    }

    /// All ports, over this backend. Its store has the secrets of the installation.
    pub(super) async fn ports<S: Store>(
        self,
        store: &Arc<S>,
        beside: Beside,
        purpose: Purpose,
    ) -> anyhow::Result<Ports> {
        let (clock, graph) = (beside.clock, Arc::new(self.graph));
        let store = Arc::new(MeasuredStore::new(store.clone(), self.metrics.clone()));
        let installation = Installation {
            secrets: &*store,
            tenants: &*store,
            operators: &*store,
            vault: &self.vault,
        };
        let secrets = keys::open_secrets(installation, self.derived.as_ref(), purpose).await?;
        let webhooks = MetaWebhooks::new(&self.app_secrets, Some(&self.verify_token), clock.clone());
        let webhooks = checked(webhooks.of_app(self.app_id), self.takes_unsigned_webhooks);
        Ok(Ports {
            messages: store.clone(),
            statuses: store.clone(),
            timers: store.clone(),
            conversations: store.clone(),
            lists: store.clone(),
            tenants: store.clone(),
            events: store.clone(),
            feed: store.clone(),
            arrivals: None,
            news: beside.news,
            receivers: Arc::new(self.receivers),
            listeners: store.clone(),
            apps: store.clone(),
            operators: store.clone(),
            opt_outs: store.clone(),
            installation: store.clone(),
            endpoints: store.clone(),
            callbacks: store.clone(),
            redrives: store.clone(),
            audit: store.clone(),
            holds: store.clone(),
            store_health: store.clone(),
            erasure: store.clone(),
            person_erasures: store.clone(),
            signups: store.clone(),
            departures: store,
            queue: beside.queue,
            pacer: beside.pacer,
            quota: beside.quota,
            spool: None,
            messages_api: Arc::new(MetaMessages::new(graph.clone(), clock.clone())),
            numbers_api: Arc::new(MetaNumbers::new(graph.clone(), clock.clone())),
            tokens_api: Arc::new(MetaTokens::new(graph.clone())),
            onboarding_api: Arc::new(MetaOnboarding::new(graph, clock.clone())),
            webhooks: Arc::new(webhooks),
            vault: Arc::new(self.vault),
            secrets: Arc::new(secrets),
            ids: Arc::new(RandomIds::new(clock.clone())),
            clock,
            sleeper: Arc::new(RuntimeSleeper),
            metrics: self.metrics,
            // A server puts its own in.
            traces: Traces::default(),
        })
    }
}

const fn checked(webhooks: MetaWebhooks, takes_unsigned: bool) -> MetaWebhooks {
    if takes_unsigned {
        webhooks
    } else {
        webhooks.refusing_unsigned()
    }
}
