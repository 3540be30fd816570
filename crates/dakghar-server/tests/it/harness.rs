//! The router over in-memory ports, and a client that holds every answer against the OpenAPI document.

use dakghar_testkit::samples::With as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use dakghar_adapters::local::{LocalPacer, LocalQuota};
use dakghar_adapters::meta::MetaWebhooks;
use dakghar_core::app::{App, DefaultApp, OnboardingPage, Settings, SignupSettings};
use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::message::{Message, SendOutcome};
use dakghar_core::domain::{AppId, Secret, TenantId};
use dakghar_core::ports::{
    AppStore, ArrivalStore, FeedNews, HoldStore, IdGenerator as _, MessageStore, MessagesApi, OperatorStore, Pacer,
    Ports, SendCall, StoreError, TenantQuota, WebhookCodec,
};
use dakghar_core::traces::Traces;
use dakghar_core::vault::SigningKeys;
use dakghar_server::http::{HttpConfig, router};
use dakghar_server::worker::{watch_news, watch_outcomes};
use dakghar_testkit::memory::{
    MemoryNumbers, MemoryOnboarding, MemoryQueue, MemoryReceivers, MemoryStore, MemoryTokens, installation_secrets,
    vault,
};
use dakghar_testkit::{NoSleep, SequentialIds, TestClock};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::contract;

pub(crate) const ADMIN_KEY: &str = "admin-key-of-the-operator-0123456789";
pub(crate) const APP_SECRET: &str = "app-secret-of-meta";
/// Signs the callback data of messages.
pub(crate) const OPAQUE_KEY: [u8; 32] = [1; 32];
pub(crate) const VERIFY_TOKEN: &str = "verify-me";

/// Puts something between the service and the store of the apps.
pub(crate) type AppsOver = fn(Arc<MemoryStore>) -> Arc<dyn AppStore>;

/// Puts something between the service and the store of the keys of operators.
pub(crate) type OperatorsOver = Arc<dyn Fn(Arc<MemoryStore>) -> Arc<dyn OperatorStore> + Send + Sync>;

/// Puts something between the service and the store of the messages and of the hold.
pub(crate) type SendingOver =
    Arc<dyn Fn(Arc<MemoryStore>) -> (Arc<dyn MessageStore>, Arc<dyn HoldStore>) + Send + Sync>;

/// How the service under test is set up.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) http: HttpConfig,
    pub(crate) app_secret: Option<&'static str>,
    /// Instead of one that answers at once.
    pub(crate) pacer: Option<Arc<dyn Pacer>>,
    /// Instead of the store.
    pub(crate) apps: Option<AppsOver>,
    /// Instead of the store.
    pub(crate) operators: Option<OperatorsOver>,
    /// Instead of the store.
    pub(crate) sending: Option<SendingOver>,
    /// Its id and secrets, as the settings would name them.
    pub(crate) default_app: DefaultApp,
    /// Meta's endpoint for messages, for tests that send.
    pub(crate) graph: Option<Arc<dyn MessagesApi>>,
    /// Meta's endpoints of numbers.
    pub(crate) numbers: MemoryNumbers,
    /// What Meta says of access tokens.
    pub(crate) tokens: MemoryTokens,
    /// Meta's side of connecting numbers.
    pub(crate) onboarding: MemoryOnboarding,
    /// The way in which numbers are connected.
    pub(crate) signups: SignupSettings,
    /// Instead of the one that reads Meta's webhooks.
    pub(crate) webhooks: Option<Arc<dyn WebhookCodec>>,
    /// Instead of one in memory.
    pub(crate) quota: Option<Arc<dyn TenantQuota>>,
    /// The audit log cannot be written, and what is recorded in it neither.
    pub(crate) audit_is_away: bool,
    /// The store that it shares with other processes, and what it tells and hears of them.
    pub(crate) beside: Option<(Arc<MemoryStore>, Arc<dyn FeedNews>)>,
}

/// An app of the settings, of which id and secret are known.
pub(crate) fn known_app() -> DefaultApp {
    DefaultApp {
        id: AppId::parse("222").ok(),
        secrets: 1,
        secret: Some(Secret::new("app-secret")),
    }
}

/// The page on which customers connect their numbers, at this URL.
pub(crate) fn onboarding_at(base: &str) -> SignupSettings {
    SignupSettings {
        page: Some(OnboardingPage {
            base: base.into(),
            config_id: SignupConfigId::parse("7007").ok(),
            extras: r#"{"setup":{}}"#.into(),
            api_version: "v25.0".into(),
            other_sdk: None,
        }),
        ..SignupSettings::default()
    }
}

impl Setup {
    /// Every request needs a key.
    pub(crate) fn production() -> Self {
        let mut setup = Self::default();
        setup.http.production = true;
        setup.http.admin_api_key = Some(Secret::new(ADMIN_KEY));
        setup.app_secret = Some(APP_SECRET);
        setup
    }
}

/// The service under test.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) receivers: Arc<MemoryReceivers>,
    pub(crate) app: App,
    pub(crate) clock: Arc<TestClock>,
    /// Added to every request that has no key of its own.
    pub(crate) key: Option<String>,
}

/// A tenant of the service under test.
#[derive(Clone, Debug)]
pub(crate) struct TestTenant {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) phone_number_id: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; `null` when it is something else.
    pub(crate) json: Value,
}

impl Answer {
    /// The status and, of a problem, its code.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["code"].as_str().unwrap_or("-"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("readable"))
    }
}

impl Service {
    pub(crate) fn start(setup: Setup) -> Self {
        let (store, news): (_, Arc<dyn FeedNews>) = setup.beside.unwrap_or_else(|| {
            let store = MemoryStore::new();
            (store.clone(), store)
        });
        let clock = Arc::new(TestClock::default());
        let queue = MemoryQueue::new(clock.clone());
        let receivers = Arc::new(MemoryReceivers::default());
        let secrets: Vec<Secret> = setup.app_secret.into_iter().map(Secret::new).collect();
        let (messages, holds): (Arc<dyn MessageStore>, Arc<dyn HoldStore>) = match setup.sending {
            Some(sending) => sending(store.clone()),
            None => (store.clone(), store.clone()),
        };
        let ports = Ports {
            messages,
            statuses: store.clone(),
            timers: store.clone(),
            conversations: store.clone(),
            lists: store.clone(),
            tenants: store.clone(),
            events: store.clone(),
            feed: store.clone(),
            arrivals: store.has_arrivals().then(|| store.clone() as Arc<dyn ArrivalStore>),
            news,
            receivers: receivers.clone(),
            listeners: store.clone(),
            apps: match setup.apps {
                Some(apps) => apps(store.clone()),
                None => store.clone(),
            },
            operators: match setup.operators {
                Some(operators) => operators(store.clone()),
                None => store.clone(),
            },
            installation: store.clone(),
            endpoints: store.clone(),
            callbacks: store.clone(),
            redrives: store.clone(),
            audit: if setup.audit_is_away {
                let away = MemoryStore::new();
                away.fail_with(Some(StoreError::Unavailable("the audit log is away".to_owned())));
                away
            } else {
                store.clone()
            },
            holds,
            store_health: store.clone(),
            erasure: store.clone(),
            opt_outs: store.clone(),
            person_erasures: store.clone(),
            signups: store.clone(),
            departures: store.clone(),
            queue: queue.clone(),
            pacer: setup.pacer.unwrap_or_else(|| Arc::new(LocalPacer::new())),
            quota: setup.quota.unwrap_or_else(|| Arc::new(LocalQuota::new(clock.clone()))),
            spool: None,
            messages_api: setup.graph.unwrap_or_else(|| Arc::new(NoGraph)),
            numbers_api: Arc::new(setup.numbers.clone()),
            tokens_api: Arc::new(setup.tokens.clone()),
            onboarding_api: Arc::new(setup.onboarding.clone()),
            webhooks: setup.webhooks.unwrap_or_else(|| {
                let token = Secret::new(VERIFY_TOKEN);
                let codec = MetaWebhooks::new(&secrets, Some(&token), clock.clone());
                Arc::new(codec.of_app(setup.default_app.id.clone()))
            }),
            vault: vault(),
            secrets: installation_secrets(),
            clock: clock.clone(),
            sleeper: Arc::new(NoSleep),
            ids: Arc::new(ids_of_its_own()),
            metrics: Arc::default(),
            traces: Traces::default(),
        };
        let settings = Settings {
            default_app: setup.default_app,
            signups: setup.signups,
            // A test that hears of a change was told of it.
            endpoints_look_every: Duration::from_hours(1),
            ..Settings::default()
        };
        let keys = SigningKeys {
            opaque: OPAQUE_KEY,
            opaque_previous: None,
            cursor: [2; 32],
        };
        let (app, running) = App::new(ports, settings, &keys);
        for group_commit in running {
            tokio::spawn(group_commit);
        }
        tokio::spawn(watch_news(app.watching.clone()));
        tokio::spawn(watch_outcomes(app.outcomes.clone()));
        Self {
            router: router(app.clone(), setup.http),
            app,
            store,
            queue,
            receivers,
            clock,
            key: None,
        }
    }

    /// A service in development, where no key is needed.
    pub(crate) fn open() -> Self {
        Self::start(Setup::default())
    }

    /// Sends a request and holds the answer against the OpenAPI document.
    pub(crate) async fn call(&self, mut request: Request<Body>) -> Answer {
        if let Some(key) = &self.key
            && !request.headers().contains_key(AUTHORIZATION)
        {
            let value = format!("Bearer {key}").parse().expect("printable");
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.call_raw(request).await;
        contract::check(&method, &path, &answer);
        answer
    }

    /// Sends a request as it is. What it asks for is in no document of ours.
    pub(crate) async fn call_raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        // A stream does not end.
        let body = if head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|found| found == "text/event-stream")
        {
            Body::empty()
        } else {
            body
        };
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Answer {
            status: head.status,
            headers: head.headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(request(Method::GET, path, None)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(request(Method::DELETE, path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(request(Method::POST, path, Some(body))).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(request(Method::PUT, path, Some(body))).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(request(Method::PATCH, path, Some(body))).await
    }

    /// A POST whose body is exactly this text.
    pub(crate) async fn post_text(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.into());
        self.call(request.expect("a request")).await
    }

    /// Registers a tenant with this number, as the operator.
    pub(crate) async fn register(&self, name: &str, phone_number_id: &str) -> TestTenant {
        let body = json!({"name": name, "phoneNumberId": phone_number_id, "accessToken": "mock_token"});
        let mut request = request(Method::POST, "/tenants/register", Some(&body));
        if self.key.is_some() {
            let value = format!("Bearer {ADMIN_KEY}").parse().expect("printable");
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let answer = self.call(request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let text = |name: &str| answer.json[name].as_str().expect("a string").to_owned();
        TestTenant {
            id: text("tenantId"),
            key: text("apiKey"),
            phone_number_id: text("phoneNumberId"),
        }
    }

    /// Sends a text and answers the id of the message.
    pub(crate) async fn send(&self, tenant: &TestTenant, to: &str, text: &str) -> String {
        let path = format!("/tenants/{}/send", tenant.id);
        let answer = self.post(&path, &json!({"to": to, "text": text})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json["messageId"].as_str().expect("an id").to_owned()
    }

    /// Puts a message into the store as delivery would have left it.
    pub(crate) async fn store_message(&self, tenant: &TestTenant, message: Message) -> String {
        let message = message.with(|message| message.accepted.tenant_id = TenantId::parse(&tenant.id).expect("an id"));
        let id = message.accepted.id.to_string();
        for accepted in self.store.accept(vec![message]).await {
            accepted.expect("stored");
        }
        id
    }
}

/// The samples of the test kit count from one too; the service must not give the same ids.
fn ids_of_its_own() -> SequentialIds {
    let ids = SequentialIds::new();
    for _ in 0..10_000 {
        ids.event_id();
    }
    ids
}

/// A request with a JSON body, if any.
pub(crate) fn request(method: Method, path: &str, body: Option<&Value>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    let request = match body {
        Some(body) => builder
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string())),
        None => builder.body(Body::empty()),
    };
    request.expect("a request")
}

/// A service in development, and a tenant of it.
pub(crate) async fn service_with_tenant() -> (Service, TestTenant) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, tenant)
}

/// The path of a tenant's endpoints, and what comes behind it.
pub(crate) fn endpoints_path(tenant: &TestTenant, rest: &str) -> String {
    format!("/tenants/{}/endpoints{rest}", tenant.id)
}

/// Adds a key.
pub(crate) fn with_key(mut request: Request<Body>, key: Option<&str>) -> Request<Body> {
    if let Some(key) = key {
        let value = format!("Bearer {key}").parse().expect("printable");
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    request
}

/// Nothing is sent in these tests.
struct NoGraph;

#[async_trait]
impl MessagesApi for NoGraph {
    async fn send(&self, _: SendCall<'_>) -> SendOutcome {
        unreachable!("no worker runs here")
    }
}
