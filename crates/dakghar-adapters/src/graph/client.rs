//! The call that sends a message: one request, and an honest word about how it ended.
//!
//! A message sent twice cannot be taken back, so no layer below may repeat a request. Redirects are not followed and
//! reqwest's retries are off. What stays is hyper's second try for a request that a pooled connection closed under
//! before its dispatcher took it up, which means that not one byte of it was written.
//!
//! Neither the token nor the address appears in any outcome, error or log line.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::ids::{PhoneNumberId, Wamid};
use dakghar_core::domain::message::{Message, SendOutcome};
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{MessagesApi, SendCall};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect, retry};
use url::Url;

use super::answer::{self, unknown};
use super::envelope::{self, Unwritable};

/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How often an HTTP/2 connection is asked whether it is alive, and how long it has to answer: a dead path must not
/// hold up every message of the process until TCP notices.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How much later than allowed an answer is still read. Far less than the margin of a lease.
const LATE_ANSWER: Duration = Duration::from_millis(100);
/// The response header that tells which version answered.
const VERSION_HEADER: &str = "facebook-api-version";
/// As much of a foreign header as is worth a log line.
const VERSION_CHARS_MAX: usize = 16;

/// Where and how the Graph API is called.
#[derive(Clone, Debug)]
pub struct GraphConfig {
    /// Scheme, host and, where needed, port and path before the version: `https://graph.facebook.com`.
    pub base_url: String,
    /// `v25.0`.
    pub api_version: String,
    /// How long a connection may take, TLS included. Such a failure is known to have sent nothing.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Shorter than the peer's own patience, or calls meet closing connections.
    pub idle_timeout: Duration,
    /// Over TLS: how many HTTP/2 connections calls are spread over, since each carries only about 100 at a time.
    /// At least 1.
    pub http2_connections: usize,
}

impl GraphConfig {
    /// This host and version; everything else as is usual.
    pub fn new(base_url: impl Into<String>, api_version: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_version: api_version.into(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            http2_connections: 4,
        }
    }
}

/// The Graph API cannot be called with this configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphConfigError {
    /// The base URL is not one.
    #[error("the Graph base URL must be http(s)://host[:port][/path] without user, query or fragment")]
    BaseUrl,
    /// The version does not look like `v25.0`.
    #[error("the Graph API version must look like v25.0")]
    ApiVersion,
    /// The HTTP client could not be made, for instance because no trusted certificates were found.
    #[error("the HTTP client for the Graph API could not be made: {0}")]
    Client(String),
}

/// Calls Meta's Graph API.
pub struct GraphClient {
    clients: Vec<Client>,
    next_client: AtomicUsize,
    prefix: String,
    api_version: String,
    version_difference_logged: AtomicBool,
}

impl GraphClient {
    /// A client for this configuration. Connects when first used.
    pub fn new(config: GraphConfig) -> Result<Self, GraphConfigError> {
        let base = checked_base_url(&config.base_url)?;
        if !is_version(&config.api_version) {
            return Err(GraphConfigError::ApiVersion);
        }
        // Without TLS there is no HTTP/2, and a pool of HTTP/1 connections grows by itself.
        let connections = if base.scheme() == "https" {
            config.http2_connections.max(1)
        } else {
            1
        };
        let clients = (0..connections)
            .map(|_| {
                http_client(&config)
                    .build()
                    .map_err(|error| GraphConfigError::Client(error.without_url().to_string()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            clients,
            next_client: AtomicUsize::new(0),
            prefix: format!("{}/{}/", base.as_str().trim_end_matches('/'), config.api_version),
            api_version: config.api_version,
            version_difference_logged: AtomicBool::new(false),
        })
    }

    fn request(&self, call: &SendCall<'_>) -> Result<RequestBuilder, Unwritable> {
        let body = envelope::write(call.message, call.opaque)?;
        let turn = self.next_client.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        Ok(self.clients[turn]
            .post(self.messages_url(&call.message.accepted.phone_number_id))
            .header(AUTHORIZATION, bearer(call.token)?)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body))
    }

    fn messages_url(&self, phone_number_id: &PhoneNumberId) -> String {
        format!("{}{phone_number_id}/messages", self.prefix)
    }

    /// Says once that another version answers than the one asked for: behaviour may differ from what was tested.
    fn watch_version(&self, headers: &HeaderMap) {
        let Some(served) = answer::header_text(headers, VERSION_HEADER) else {
            return;
        };
        if served != self.api_version && !self.version_difference_logged.swap(true, Ordering::Relaxed) {
            let served: String = served.chars().take(VERSION_CHARS_MAX).collect();
            tracing::warn!(asked = %self.api_version, served, "another Graph API version answers than the one asked for");
        }
    }
}

#[async_trait]
impl MessagesApi for GraphClient {
    async fn send(&self, call: SendCall<'_>) -> SendOutcome {
        if call.token.is_mock_token() {
            return simulated(call.message);
        }
        let request = match self.request(&call) {
            Ok(request) => request,
            Err(Unwritable(why)) => return SendOutcome::NotSent { why: why.into() },
        };
        let has_head = AtomicBool::new(false);
        let answering = async {
            match request.send().await {
                Ok(response) => {
                    has_head.store(true, Ordering::Relaxed);
                    self.watch_version(response.headers());
                    read_and_judge(response).await
                }
                Err(error) => outcome_of_failure(&error),
            }
        };
        match in_time(call.timeout, answering).await {
            Some(outcome) => outcome,
            None if has_head.load(Ordering::Relaxed) => unknown("the answer did not end in time"),
            None => unknown("no answer in time"),
        }
    }
}

/// Waits as long as a call may take, and a moment more. A process that was stopped meanwhile finds that the time is
/// over and that the answer is there at once, and must not be quicker in giving up than in reading.
async fn in_time(limit: Duration, answering: impl Future<Output = SendOutcome> + Send) -> Option<SendOutcome> {
    let mut answering = pin!(answering);
    for wait in [limit, LATE_ANSWER] {
        if let Ok(outcome) = tokio::time::timeout(wait, answering.as_mut()).await {
            return Some(outcome);
        }
    }
    None
}

/// What a send answers for a token that starts with `mock_`.
fn simulated(message: &Message) -> SendOutcome {
    let id = message.accepted.id.to_string();
    let suffix = id.strip_prefix("msg_").unwrap_or(&id);
    let text = format!("{}{suffix}.{}", Wamid::MOCK_PREFIX, message.delivery.attempt);
    SendOutcome::Accepted {
        wamid: Wamid::parse(&text).expect("letters, digits and dots make a wamid"),
    }
}

async fn read_and_judge(mut response: Response) -> SendOutcome {
    if response.status().is_redirection() {
        return unknown(format!(
            "the answer is a redirect (HTTP {})",
            response.status().as_u16()
        ));
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return unknown("the answer is larger than 256 KiB");
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return answer::judge(response.status(), response.headers(), &body),
            Err(_) => return unknown("the answer broke off"),
        }
    }
}

/// Only a failure to connect proves that nothing was sent.
fn outcome_of_failure(error: &reqwest::Error) -> SendOutcome {
    let why = if error.is_builder() {
        "the request could not be made"
    } else if error.is_connect() {
        connect_failure(error)
    } else {
        return unknown("the connection broke before an answer");
    };
    SendOutcome::NotSent { why: why.into() }
}

fn connect_failure(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        return "the host of the Graph API was not found";
    }
    if error.is_timeout() {
        return "no connection to the Graph API in time";
    }
    let mut source = error.source();
    while let Some(cause) = source {
        source = match cause.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => return "the Graph API refused the connection",
            Some(io) if io.kind() == io::ErrorKind::InvalidData => return "no agreement on TLS with the Graph API",
            // Its `source` leaves out the error right inside it.
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => cause.source(),
        };
    }
    "no connection to the Graph API"
}

fn bearer(token: &Secret) -> Result<HeaderValue, Unwritable> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        .map_err(|_| Unwritable("the access token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn http_client(config: &GraphConfig) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("dakghar/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(config.idle_timeout)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_EVERY)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
}

fn checked_base_url(text: &str) -> Result<Url, GraphConfigError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or(GraphConfigError::BaseUrl)
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_base_url_that_hides_something() {
        for text in [
            "",
            "graph.facebook.com",
            "ftp://graph.facebook.com",
            "https://user@graph.facebook.com",
            "https://user:pass@graph.facebook.com",
            "https://graph.facebook.com/?access_token=x",
            "https://graph.facebook.com/#x",
        ] {
            let refused = GraphClient::new(GraphConfig::new(text, "v25.0")).err();
            assert_eq!(refused, Some(GraphConfigError::BaseUrl), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "25.0", "v25", "v25.0/..", "v.0", "v25.x", "vv25.0"] {
            let refused = GraphClient::new(GraphConfig::new("http://127.0.0.1:1", text)).err();
            assert_eq!(refused, Some(GraphConfigError::ApiVersion), "{text}");
        }
    }

    #[test]
    fn the_path_before_the_version_is_kept() {
        let number = PhoneNumberId::parse("111").unwrap();
        for base in ["http://127.0.0.1:1/meta", "http://127.0.0.1:1/meta/"] {
            let client = GraphClient::new(GraphConfig::new(base, "v25.0")).unwrap();
            assert_eq!(
                client.messages_url(&number),
                "http://127.0.0.1:1/meta/v25.0/111/messages"
            );
        }
    }
}
