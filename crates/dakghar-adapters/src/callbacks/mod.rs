//! Calls the receivers of tenants over HTTP: strangers that a tenant chose, and that may be anything.
//!
//! - Where a call may go is checked at each call: its URL with the literal address that it may hold, and each address that
//!   its name leads to. The connection is made to the addresses that were checked.
//! - Redirects are not followed, the proxies of the environment are not used, there are no cookies and there is no
//!   decompression. TLS is verified, 1.2 or newer, before the first byte of a request.
//! - A call is made once, and has one time for everything.
//! - Only HTTP/1.1: a call then has a connection to itself, so that no receiver mixes up the answers of two.
//! - No address appears in an answer. Neither headers nor path appear in a log line.

mod answer;
mod config;
mod failure;
mod guard;
mod lookup;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dakghar_core::domain::Secret;
use dakghar_core::domain::callback::CallbackFailure;
use dakghar_core::domain::callback_url::{CallbackRules, CallbackUrl};
use dakghar_core::ports::{
    CallbackAnswer, CallbackCall, CallbackOutcome, Clock, ReceiverQuery, ReceiverText, Receivers,
};
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, Url, redirect, retry, tls};

pub use config::{CallbackConfig, CallbackConfigError};
pub use lookup::{Lookup, SystemLookup};

use answer::Answer;
use guard::{Guard, Guarded};

/// The time that a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that an unused connection is kept: less than the patience of usual servers, or calls meet closing ones.
const IDLE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Unused connections that are kept for a host.
const IDLE_PER_HOST_MAX: usize = 16;
/// The most header lines of an answer.
const HEADERS_MAX: usize = 100;
/// Ports with connections of their own. The settings name fewer; in development there may be more one after another.
const PORTS_MAX: usize = 64;

/// Calls the receivers of tenants.
pub struct HttpReceivers {
    rules: Arc<CallbackRules>,
    authorities: Vec<Certificate>,
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
    /// By port, because an address is judged together with its port and reqwest looks names up without one.
    clients: Mutex<HashMap<u16, Client>>,
}

impl HttpReceivers {
    /// Calls receivers as the configuration allows, their names looked up by `lookup`.
    pub fn new(
        config: CallbackConfig,
        lookup: Arc<dyn Lookup>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CallbackConfigError> {
        let authorities = match config.authorities_pem {
            None => Vec::new(),
            Some(pem) => Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or(CallbackConfigError::Authorities)?,
        };
        let receivers = Self {
            rules: Arc::new(config.rules),
            authorities,
            lookup,
            clock,
            clients: Mutex::default(),
        };
        // Whatever keeps a client from being made is told at the start.
        receivers.client(443)?;
        Ok(receivers)
    }

    fn client(&self, port: u16) -> Result<Client, CallbackConfigError> {
        if let Some(client) = self.clients.lock().get(&port) {
            return Ok(client.clone());
        }
        let client = self.new_client(port)?;
        let mut clients = self.clients.lock();
        if clients.len() >= PORTS_MAX {
            clients.clear();
        }
        Ok(clients.entry(port).or_insert(client).clone())
    }

    fn new_client(&self, port: u16) -> Result<Client, CallbackConfigError> {
        let guard = Guard {
            rules: self.rules.clone(),
            lookup: self.lookup.clone(),
            port,
        };
        Client::builder()
            .user_agent(concat!("dakghar/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guarded(Arc::new(guard)))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            .tls_certs_merge(self.authorities.iter().cloned())
            .tls_version_min(tls::Version::TLS_1_2)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build()
            .map_err(|error| CallbackConfigError::Client(error.without_url().to_string()))
    }

    async fn call(&self, call: CallbackCall) -> Result<CallbackOutcome, CallbackFailure> {
        let headers = headers(&call.headers).ok_or(CallbackFailure::Protocol)?;
        let request = |client: Client, url| client.post(url).headers(headers).body(call.body);
        let answer = self.send(&call.url, request).await?;
        Ok(CallbackOutcome::Answered {
            status: answer.status.as_u16(),
            retry_after: answer.retry_after,
            failure_body: (!answer.status.is_success()).then_some(answer.beginning),
        })
    }

    /// Sends a request where it may go, and reads the answer.
    async fn send(
        &self,
        url: &CallbackUrl,
        request: impl FnOnce(Client, Url) -> RequestBuilder + Send,
    ) -> Result<Answer, CallbackFailure> {
        let url = self.checked(url)?;
        let client = self.client(url.port()).map_err(|error| {
            tracing::error!(%error, "a receiver cannot be called");
            CallbackFailure::Connect
        })?;
        let sent = request(client, url.url().clone()).send().await;
        let response = sent.map_err(|error| failure::class_of(&error))?;
        answer::read(response, &*self.clock).await
    }

    /// Checks what was checked when the URL was saved, under the rules of today. A literal address is judged here, because
    /// the resolver is never asked about one.
    fn checked(&self, url: &CallbackUrl) -> Result<CallbackUrl, CallbackFailure> {
        self.rules.parse(url.as_str()).map_err(|_| CallbackFailure::Blocked)
    }
}

#[async_trait]
impl Receivers for HttpReceivers {
    async fn post(&self, call: CallbackCall) -> CallbackAnswer {
        #[expect(clippy::disallowed_methods, reason = "measures this call, and nothing keeps it")]
        let began = Instant::now();
        let timeout = call.timeout;
        let outcome = tokio::time::timeout(timeout, self.call(call))
            .await
            .unwrap_or(Err(CallbackFailure::Timeout))
            .unwrap_or_else(CallbackOutcome::Failed);
        CallbackAnswer {
            outcome,
            took: began.elapsed(),
        }
    }

    async fn get(&self, query: ReceiverQuery) -> Result<ReceiverText, CallbackFailure> {
        let pairs = query.pairs.iter().map(|(name, value)| (*name, value.reveal()));
        let asked = self.send(&query.url, |client, mut url| {
            url.query_pairs_mut().extend_pairs(pairs);
            client.get(url)
        });
        let answer = tokio::time::timeout(query.timeout, asked).await;
        let answer = answer.unwrap_or(Err(CallbackFailure::Timeout))?;
        Ok(ReceiverText {
            status: answer.status.as_u16(),
            text: answer.beginning,
        })
    }
}

/// The headers of a request. `None` when one of them cannot be sent, or would change where the request ends.
fn headers(named: &[(String, Secret)]) -> Option<HeaderMap> {
    const NEVER: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
    let mut headers = HeaderMap::with_capacity(named.len());
    for (name, value) in named {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.reveal()).ok()?;
        if NEVER.contains(&name.as_str()) {
            return None;
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Some(headers)
}
