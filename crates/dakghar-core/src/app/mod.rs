//! The use cases, by flow: what the HTTP API, the worker and the command line ask Dakghar to do.
//!
//! [`App`] puts the flows together; each gets what it needs. Nothing here spawns a task: [`App::new`] hands out the
//! futures that must run, and the caller runs them.

mod allowances;
mod amended;
mod auditing;
mod building;
mod callbacks;
mod check_settings;
mod checking;
mod commits;
mod departing;
mod endpoints;
mod erasing;
mod failed_requests;
mod failure;
mod feed;
mod health;
mod holding;
mod installation;
mod listening;
mod messages;
mod meta_apps;
pub mod migrating;
mod new_keys;
mod number_calls;
mod onboarding;
mod operators;
mod opt_outs;
mod outcomes;
mod passing;
mod people;
mod reading;
mod receiving;
mod redriving;
mod replacing;
mod requests;
mod retention;
mod retention_time;
mod rotating;
mod sending;
mod settings;
mod signup_settings;
mod stale;
mod tenants;
mod tokens;
mod under_way;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Timestamp;
use crate::group_commit::BoxFuture;
use crate::metrics::Metrics;
use crate::ports::{Clock, Ports, Queue};
use crate::traces::Traces;
use crate::vault::SigningKeys;
use building::{
    accepting_of, apps_of, callbacks_of, changing_of, departing_of, erasing_of, health_of, heard_of, number_calls_of,
    number_checks_of, onboarding_of, receiving_of, redriving_of, signer_of, tenants_of,
};
use callbacks::CallbacksSetup;
use commits::Commits;
use replacing::Resealing;
use sending::Shared;
use tenants::directory::Directory;
use tenants::key_uses::KeyUses;

use waiting::Waiting;

pub use allowances::{Allowances, KnownAllowance, KnownAllowances};
pub use auditing::{AuditCheck, AuditCheckStep, AuditEntryAt, Auditing, Deed};
pub use callbacks::{
    CallbackBodies, Callbacks, CallbacksSaved, CallbacksStep, EndedCallback, EndpointRun, Handed, OutgoingCall,
    TestedCallback,
};
pub use check_settings::CheckSettings;
pub use checking::{CheckPass, CheckStep, LiveNumber, NumberChecks};
pub use departing::{Departing, NewTenantDeparture};
pub use endpoints::{
    CreatedEndpoint, EndpointChanges, EndpointCredentials, EndpointWithSecret, Endpoints, ExpectedVersion, KnownReplay,
    NewEndpoint, NewReplay, NewSecret, ReplayEnd, ReplayPreview, ReplayStatus, StartAt, TenantChanges, WaitingFor,
};
pub use erasing::Erasing;
pub use failed_requests::FailedRequests;
pub use failure::{Failure, Fault};
pub use feed::{
    EndpointsChanged, EntryData, FeedItem, FeedPage, FeedSubscription, GatewayIds, OwnCallbackData, Sequenced,
    Sequencing, Watching, is_posted_by_meta, meta_body,
};
pub use health::Health;
pub use holding::{HoldReport, Holding};
pub use installation::{Installation, NoSecrets};
pub use listening::{Attending, Listening};
pub use meta_apps::{AddedApp, DefaultApp, MetaAppChanges, MetaApps, NewMetaApp};
pub use new_keys::{API_KEY_PREFIX, NewApiKey, OPERATOR_KEY_PREFIX, ShownKey, missing_scope};
pub use number_calls::{BLOCKED_AT_ONCE_MAX, NumberCalls};
pub use onboarding::{DialogReport, NewLink, NewNumberSignup, Onboarding, ShownSignup, SignupRetry, Visit, Visitor};
pub use operators::{NewOperatorKey, OperatorVerdict, Operators, ShownOperatorKey};
pub use opt_outs::{OptOuts, OptedOut};
pub use outcomes::{Outcome, OutcomeWait, Outcomes};
pub use passing::Passing;
pub use reading::{CursorSigner, EndpointStatus, KnownConversation, Page, PageRequest, Reading, feed_place};
pub use receiving::{Receiving, WebhookReceipt};
pub use redriving::Redriving;
pub use replacing::{Replacement, Replacing, ReplacingCount, ReplacingStep};
pub use requests::{RequestAllowance, Requests};
pub use retention::{Retention, RetentionPass, RetentionStep};
pub use rotating::{Rotating, RotationStep, WrappedBy, WrappingKeys};
pub use sending::{
    AcceptedMessage, Accepting, BulkAccepting, BulkResult, Changing, ClaimedSend, Claims, EndedCall, Outages, Prepared,
    PreparedSend, Reconciling, Sending, UnconfirmedClaim, WaitingSend, Withdrawing,
};
pub use settings::{BULK_ITEMS_MAX, Settings};
pub use signup_settings::{CreditLine, OnboardingPage, OtherSdk, SignupSettings};
pub use tenants::{
    KeyVerdict, KnownKey, NewPhoneNumber, NewTenant, PhoneNumberChanges, RegisteredTenant, Tenants, pin_purpose,
    token_purpose,
};

pub use tokens::{TokenPass, TokenStep, TokenWatch};

/// Dakghar without its edges: the flows over the ports. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Tenants and their numbers.
    pub tenants: Arc<Tenants>,
    /// Keys of operators.
    pub operators: Arc<Operators>,
    /// Endpoints of tenants.
    pub endpoints: Arc<Endpoints>,
    /// The requests a second of tenants.
    pub requests: Arc<Requests>,
    /// Accepting messages.
    pub accepting: Arc<Accepting>,
    /// Waiting for what becomes of messages.
    pub outcomes: Arc<Outcomes>,
    /// What is known of Meta's allowances for calls.
    pub allowances: Arc<Allowances>,
    /// Calls about numbers that are made at once.
    pub number_calls: Arc<NumberCalls>,
    /// Accepting many messages at once.
    pub bulks: Arc<BulkAccepting>,
    /// Cancelling messages and sending dead letters again.
    pub changing: Arc<Changing>,
    /// Redrives by filter.
    pub redriving: Arc<Redriving>,
    /// Opt-outs of people.
    pub opt_outs: Arc<OptOuts>,
    /// Erasures of people.
    pub erasing: Arc<Erasing>,
    /// Signups of tenants.
    pub onboarding: Arc<Onboarding>,
    /// Departures of tenants.
    pub departing: Arc<Departing>,
    /// The send worker.
    pub sending: Arc<Sending>,
    /// Erasing what is old.
    pub retention: Arc<Retention>,
    /// Looking at access tokens.
    pub token_watch: Arc<TokenWatch>,
    /// Checking numbers at Meta.
    pub number_checks: Arc<NumberChecks>,
    /// Timers.
    pub reconciling: Arc<Reconciling>,
    /// The audit log.
    pub auditing: Arc<Auditing>,
    /// The hold of all sending.
    pub holding: Arc<Holding>,
    /// Apps at Meta.
    pub apps: Arc<MetaApps>,
    /// The keys that data keys are wrapped under.
    pub rotating: Arc<Rotating>,
    /// When Meta's webhooks are received, and when not.
    pub listening: Arc<Listening>,
    /// Meta's webhooks.
    pub receiving: Arc<Receiving>,
    /// The places of entries in feeds.
    pub sequencing: Arc<Sequencing>,
    /// Waiting for entries of feeds.
    pub watching: Arc<Watching>,
    /// Lists and single records.
    pub reading: Arc<Reading>,
    /// The state of the store and the queue.
    pub health: Arc<Health>,
    /// What this process counts about itself.
    pub metrics: Arc<Metrics>,
    /// Where its traces go.
    pub traces: Traces,
    callbacks: CallbacksSetup,
    clock: Arc<dyn Clock>,
    queue: Arc<dyn Queue>,
}

impl App {
    /// Connects the flows to the ports. The futures run the group commits: spawn them all. They end after the last
    /// clone of the app is dropped.
    pub fn new(ports: Ports, settings: Settings, keys: &SigningKeys) -> (Self, Vec<BoxFuture<()>>) {
        let limits = &settings.limits(&ports.metrics);
        let (commits, mut running) = Commits::new(&ports, limits);
        let (directory, reading) = Directory::new(ports.tenants.clone(), &ports.clock, settings.directory_ttl, limits);
        running.extend(reading);
        let (requests, counting) = Requests::new(settings.tenant_limits, &ports, limits);
        let (waiting, looking) = Waiting::new(settings.tenant_limits, settings.is_sole_accepter, &ports, limits);
        let (operators, noting_operators) = Operators::new(&ports, limits);
        let (key_uses, noting) = KeyUses::new(&ports, limits);
        let (waiting, directory) = (Arc::new(waiting), Arc::new(directory));
        let (opaque, (known_apps, app_secrets)) = (signer_of(keys), apps_of(&ports, &settings));
        let (tenants, token_watch) = tenants_of(&ports, &settings, &directory, key_uses, &app_secrets);
        let (listening, opt_outs) = heard_of(&ports, &settings);
        let shared = Shared::new(&ports, &commits, &tenants, &directory, &listening, app_secrets);
        let callbacks = callbacks_of(&ports, &settings, &commits, &shared, &tenants, &directory);
        let changing = changing_of(&ports, &shared, &directory, &waiting);
        let (accepting, bulks, carrying) = accepting_of(&ports, &settings, &commits, waiting, &shared);
        running.extend([counting, looking, noting_operators, noting, carrying]);
        let heard = (opt_outs.clone(), listening.clone(), known_apps.clone());
        let app = Self {
            accepting,
            outcomes: shared.messages.outcomes().clone(),
            allowances: shared.allowances.clone(),
            bulks,
            number_calls: number_calls_of(&ports, &tenants, &shared),
            redriving: redriving_of(&ports, &settings, &shared, &tenants, &changing),
            erasing: erasing_of(&ports, &settings, &shared, (&changing, &opt_outs)),
            onboarding: onboarding_of(&ports, &settings, &shared, &tenants),
            number_checks: number_checks_of(&ports, &settings, &shared, &tenants),
            departing: departing_of(&ports, &settings, &shared, (&tenants, &changing)),
            changing,
            retention: Arc::new(Retention::new(&ports, &settings)),
            auditing: Arc::new(Auditing::new(&ports, &keys.cursor, settings.audit_days)),
            rotating: Arc::new(Rotating::new(ports.clone(), tenants.clone())),
            token_watch,
            reconciling: Arc::new(Reconciling::new(ports.clone(), settings.clone(), shared.clone())),
            receiving: receiving_of(&ports, &commits, (&tenants, &directory), &opaque, &shared, heard),
            listening,
            apps: Arc::new(MetaApps::new(&ports, known_apps, settings.default_app.clone())),
            operators: Arc::new(operators),
            endpoints: callbacks.endpoints.clone(),
            sequencing: callbacks.sequencing.clone(),
            watching: callbacks.watching.clone(),
            callbacks,
            holding: shared.holding.clone(),
            reading: Arc::new(Reading::new(ports.clone(), shared.messages.clone(), &keys.cursor)),
            health: health_of(&ports, &shared),
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
            traces: ports.traces.clone(),
            queue: ports.queue.clone(),
            sending: Arc::new(Sending::new(ports, settings, &commits, opaque, shared)),
            tenants,
            opt_outs,
            requests: Arc::new(requests),
        };
        (app, running)
    }

    /// Returns the date, by the store's clock.
    pub fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Returns the time since this machine was started, for lengths of time inside of this process.
    pub fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    /// Returns the deliveries to endpoints. `bodies` writes what they are sent.
    pub fn callbacks(&self, bodies: Arc<dyn CallbackBodies>) -> Callbacks {
        Callbacks::new(self.callbacks.clone(), bodies)
    }

    /// Returns what replaces data keys.
    pub fn replacing(&self) -> Replacing {
        self.rotating.replacing(Resealing {
            endpoints: self.endpoints.clone(),
            erasing: self.erasing.clone(),
            onboarding: self.onboarding.clone(),
        })
    }

    /// Stops taking jobs from the queue.
    pub async fn close_queue(&self) {
        self.queue.close().await;
    }
}
