//! One request to the Graph API, and an honest word about how it ended.
//!
//! A message sent twice cannot be taken back, so no layer below may repeat a request. Redirects are not followed and
//! reqwest's retries are off. What stays is hyper's second try for a request that a pooled connection closed under
//! before its dispatcher took it up, which means that not one byte of it was written.
//!
//! Neither the token nor the address appears in any answer, failure, error or log line.

mod config;
mod failure;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dakghar_core::domain::secret::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, redirect, retry};

pub use config::{GraphConfig, GraphConfigError};
pub(super) use failure::CallFailure;

/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The same of an answer that is passed on, such as a list of templates.
const LARGE_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The interval at which an HTTP/2 connection is asked whether it is alive, and the time it has to answer: a dead path
/// must not hold up every message of the process until TCP notices.
const PING_EVERY: Duration = Duration::from_secs(15);
/// The time after the allowed one in which an answer is still read. Far less than the margin of a lease.
const LATE_ANSWER: Duration = Duration::from_millis(100);
/// Parameters that are shorter are no secrets, and stand in answers for other reasons.
const SECRET_BYTES_MIN: usize = 16;
/// What stands in an answer in place of a secret.
const HIDDEN: &str = "***";
/// The response header that tells which version answered.
const VERSION_HEADER: &str = "facebook-api-version";
/// As much of a foreign header as is worth a log line.
const VERSION_CHARS_MAX: usize = 16;

/// A complete answer of the Graph API, not yet understood.
pub(super) struct GraphAnswer {
    /// The HTTP status; never a redirect.
    pub(super) status: StatusCode,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body, within the limit of the call.
    pub(super) body: Vec<u8>,
}

impl GraphAnswer {
    /// Takes out a secret of ours that the answer repeats, as Meta's words on a malformed token do. Those words are kept and
    /// shown.
    pub(super) fn hide(&mut self, secret: &str) {
        let repeats = !secret.is_empty() && std::str::from_utf8(&self.body).is_ok_and(|text| text.contains(secret));
        if repeats {
            let hidden = String::from_utf8_lossy(&self.body).replace(secret, HIDDEN);
            self.body = hidden.into_bytes();
        }
    }
}

/// The HTTP client for the Graph API: its connections, its address, and the rules for every call.
pub struct GraphHttp {
    clients: Vec<Client>,
    next_client: AtomicUsize,
    prefix: String,
    api_version: String,
    version_difference_logged: AtomicBool,
}

impl GraphHttp {
    /// A client for this configuration. Connects when first used.
    pub fn new(config: GraphConfig) -> Result<Self, GraphConfigError> {
        let base = config.check()?;
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

    /// Sends JSON to a path below the version, such as `111/messages`, and waits up to `timeout` for the whole answer.
    pub(super) async fn send_json(
        &self,
        method: Method,
        path: &str,
        token: &Secret,
        json: String,
        timeout: Duration,
    ) -> Result<GraphAnswer, CallFailure> {
        let request = self
            .client()
            .request(method, self.url(path))
            .header(AUTHORIZATION, bearer(token)?)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(json);
        let mut answer = self.call(request, timeout).await?;
        answer.hide(token.reveal());
        Ok(answer)
    }

    /// Gets a path below the version, with these parameters, and waits up to `timeout` for the whole answer. A refusal
    /// repeats none of the parameters.
    pub(super) async fn get(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        token: Option<&Secret>,
        timeout: Duration,
    ) -> Result<GraphAnswer, CallFailure> {
        let mut url = Url::parse(&self.url(path)).map_err(|_| CallFailure::unwritable("the path is none"))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let mut request = self.client().get(url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        let mut answer = self.call(request, timeout).await?;
        if let Some(token) = token {
            answer.hide(token.reveal());
        }
        if !answer.status.is_success() {
            for (_, value) in parameters.iter().filter(|(_, value)| value.len() >= SECRET_BYTES_MIN) {
                answer.hide(value);
            }
        }
        Ok(answer)
    }

    /// Makes a request of any method, and waits up to `timeout` for the whole answer, which may be larger than others. The
    /// answer is as it came: whoever passes it on takes the token out.
    pub(super) async fn any(
        &self,
        (method, path): (Method, &str),
        parameters: &[(&str, &str)],
        token: &Secret,
        body: Option<(&str, Bytes)>,
        timeout: Duration,
    ) -> Result<GraphAnswer, CallFailure> {
        let mut url = Url::parse(&self.url(path)).map_err(|_| CallFailure::unwritable("the path is none"))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let mut request = self.client().request(method, url).header(AUTHORIZATION, bearer(token)?);
        if let Some((kind, bytes)) = body {
            let kind = HeaderValue::from_str(kind).map_err(|_| CallFailure::unwritable("the media type is none"))?;
            request = request.header(CONTENT_TYPE, kind).body(bytes);
        }
        self.call_within(request, timeout, LARGE_ANSWER_BYTES_MAX).await
    }

    /// One client after the other.
    fn client(&self) -> &Client {
        let turn = self.next_client.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        &self.clients[turn]
    }

    async fn call(&self, request: RequestBuilder, timeout: Duration) -> Result<GraphAnswer, CallFailure> {
        self.call_within(request, timeout, ANSWER_BYTES_MAX).await
    }

    async fn call_within(
        &self,
        request: RequestBuilder,
        timeout: Duration,
        bytes_max: usize,
    ) -> Result<GraphAnswer, CallFailure> {
        let has_head = AtomicBool::new(false);
        let answering = async {
            let response = request.send().await.map_err(|error| CallFailure::of(&error))?;
            has_head.store(true, Ordering::Relaxed);
            self.watch_version(response.headers());
            read(response, bytes_max).await
        };
        in_time(timeout, answering).await.unwrap_or_else(|| {
            Err(CallFailure::unknown(if has_head.load(Ordering::Relaxed) {
                "the answer did not end in time"
            } else {
                "no answer in time"
            }))
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Says once that another version answers than the one asked for: behaviour may differ from what was tested.
    fn watch_version(&self, headers: &HeaderMap) {
        let Some(served) = header_text(headers, VERSION_HEADER) else {
            return;
        };
        if served != self.api_version && !self.version_difference_logged.swap(true, Ordering::Relaxed) {
            let served: String = served.chars().take(VERSION_CHARS_MAX).collect();
            tracing::warn!(asked = %self.api_version, served, "another Graph API version answers than the one asked for");
        }
    }
}

/// A header as text, if it is there and is text.
pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Waits as long as a call may take, and a moment more. A process that was stopped meanwhile finds that the time is
/// over and that the answer is there at once, and must not be quicker in giving up than in reading.
async fn in_time<T>(limit: Duration, answering: impl Future<Output = T> + Send) -> Option<T> {
    let mut answering = pin!(answering);
    for wait in [limit, LATE_ANSWER] {
        if let Ok(answer) = tokio::time::timeout(wait, answering.as_mut()).await {
            return Some(answer);
        }
    }
    None
}

async fn read(mut response: Response, bytes_max: usize) -> Result<GraphAnswer, CallFailure> {
    let status = response.status();
    if status.is_redirection() {
        let why = format!("the answer is a redirect (HTTP {})", status.as_u16());
        return Err(CallFailure::unknown(why));
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => {
                let why = format!("the answer is larger than {} KiB", bytes_max / 1024);
                return Err(CallFailure::TooLarge(why.into()));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Err(CallFailure::unknown("the answer broke off")),
        }
    }
    let headers = std::mem::take(response.headers_mut());
    Ok(GraphAnswer { status, headers, body })
}

fn bearer(token: &Secret) -> Result<HeaderValue, CallFailure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        .map_err(|_| CallFailure::unwritable("the access token cannot be sent in a header"))?;
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
            let refused = GraphHttp::new(GraphConfig::new(text, "v25.0")).err();
            assert_eq!(refused, Some(GraphConfigError::BaseUrl), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "25.0", "v25", "v25.0/..", "v.0", "v25.x", "vv25.0"] {
            let refused = GraphHttp::new(GraphConfig::new("http://127.0.0.1:1", text)).err();
            assert_eq!(refused, Some(GraphConfigError::ApiVersion), "{text}");
        }
    }

    #[test]
    fn the_path_before_the_version_is_kept() {
        for base in ["http://127.0.0.1:1/meta", "http://127.0.0.1:1/meta/"] {
            let http = GraphHttp::new(GraphConfig::new(base, "v25.0")).unwrap();
            assert_eq!(http.url("111/messages"), "http://127.0.0.1:1/meta/v25.0/111/messages");
        }
    }
}
