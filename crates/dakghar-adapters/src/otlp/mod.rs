//! Posts spans to a collector, by OpenTelemetry's protocol (OTLP) in protobuf over HTTP.
//!
//! Whoever ends a span writes it into a queue in memory and goes on. One task posts, one request at a time. A collector
//! that is away, slow or full costs what does not fit into the queue, which is counted, and one log line; nothing that is
//! delivered ever waits for it.

mod queue;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::Secret;
use dakghar_core::episode::Episode;
use dakghar_core::metrics::{Metrics, SpanDropped};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect, retry};
use tokio::time::{sleep, timeout};

use queue::SpanQueue;
use wire::{ExportRequest, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span};

pub use queue::OtlpExporter;

/// The time that spans wait for others to be posted with.
const GATHER: Duration = Duration::from_secs(1);
/// The wait before a post is repeated; it doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The times that a collector which says it is busy gets the same spans.
const TRIES_MAX: u32 = 5;
/// The time that the last post may take at the end of the process.
const LAST_POST: Duration = Duration::from_secs(1);

/// Where spans go.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// The collector's URL for traces, http or https.
    pub url: String,
    /// Headers that it wants, such as a key.
    pub headers: Vec<(String, Secret)>,
    /// The time a post may take.
    pub timeout: Duration,
    /// Names the source of the spans: `service.name` and others.
    pub resource: Vec<(String, String)>,
}

/// Spans cannot be posted with this configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OtlpConfigError {
    /// The URL is not usable.
    #[error("the collector's URL is not usable")]
    Url,
    /// A header is none.
    #[error("a header for the collector is not usable")]
    Header,
    /// The HTTP client could not be made.
    #[error("the HTTP client for the collector could not be made: {0}")]
    Client(String),
}

/// Posts what exporters take.
pub struct OtlpPoster {
    queue: Arc<SpanQueue>,
    client: Client,
    url: Url,
    resource: Resource,
    failing: Episode,
}

/// An exporter, and what posts its spans; the poster must run.
pub fn otlp(config: &OtlpConfig, metrics: Arc<Metrics>) -> Result<(OtlpExporter, OtlpPoster), OtlpConfigError> {
    let url = Url::parse(&config.url).map_err(|_| OtlpConfigError::Url)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(OtlpConfigError::Url);
    }
    let client = Client::builder()
        .user_agent(concat!("dakghar/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers(&config.headers).ok_or(OtlpConfigError::Header)?)
        .timeout(config.timeout)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .build()
        .map_err(|error| OtlpConfigError::Client(error.without_url().to_string()))?;
    let queue = Arc::new(SpanQueue::new(metrics));
    let attributes = config.resource.iter().map(|(key, text)| KeyValue::text(key, text));
    let poster = OtlpPoster {
        queue: queue.clone(),
        client,
        url,
        resource: Resource {
            attributes: attributes.collect(),
        },
        failing: Episode::default(),
    };
    Ok((OtlpExporter(queue), poster))
}

/// The end of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Posted {
    Taken,
    /// It may be taken later.
    Busy,
    Refused,
}

impl OtlpPoster {
    /// Posts until the exporter is gone, and what waits then.
    pub async fn run(self) {
        while !self.queue.is_closed() {
            if !self.queue.is_worth_a_post() {
                let _ = timeout(GATHER, self.queue.changed.notified()).await;
            }
            let spans = self.queue.take();
            if !spans.is_empty() {
                self.post(spans).await;
            }
        }
        let spans = self.queue.take();
        if !spans.is_empty() {
            let (count, request) = self.request(spans);
            let posted = timeout(LAST_POST, self.try_post(request)).await;
            self.count(count, posted.unwrap_or(Posted::Refused));
        }
    }

    /// Posts until the collector takes them or they are given up. What waits meanwhile is bounded by the queue.
    async fn post(&self, spans: Vec<Span>) {
        let (count, request) = self.request(spans);
        let mut wait = RETRY_FIRST;
        for tried in 1..=TRIES_MAX {
            let posted = self.try_post_in_time(request.clone()).await;
            if posted != Posted::Busy || tried == TRIES_MAX || self.queue.is_closed() {
                return self.count(count, posted);
            }
            self.tell();
            tokio::select! {
                () = sleep(wait) => {}
                () = self.closed() => {}
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    /// Posts once. At the end of the process nobody waits for it any longer.
    async fn try_post_in_time(&self, request: bytes::Bytes) -> Posted {
        tokio::select! {
            posted = self.try_post(request) => posted,
            () = async { self.closed().await; sleep(LAST_POST).await } => Posted::Busy,
        }
    }

    async fn closed(&self) {
        while !self.queue.is_closed() {
            self.queue.changed.notified().await;
        }
    }

    /// The posts of these spans, and their number.
    fn request(&self, spans: Vec<Span>) -> (usize, bytes::Bytes) {
        let count = spans.len();
        let request = ExportRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(Scope {
                        name: "dakghar".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                    }),
                    spans,
                }],
            }],
        };
        (count, request.encode_to_vec().into())
    }

    async fn try_post(&self, request: bytes::Bytes) -> Posted {
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))
            .body(request)
            .send()
            .await;
        match sent.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Posted::Taken,
            Ok(
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT,
            )
            | Err(_) => Posted::Busy,
            Ok(_) => Posted::Refused,
        }
    }

    fn count(&self, count: usize, posted: Posted) {
        let metrics = &self.queue.metrics;
        if posted == Posted::Taken {
            metrics.spans_exported.inc_by(count as u64);
            if let Some(failures) = self.failing.end() {
                tracing::info!(failures, "the collector takes traces again");
            }
        } else {
            metrics.spans_dropped.of(SpanDropped::Collector).inc_by(count as u64);
            self.tell();
        }
    }

    /// Says once that it goes wrong. The URL may hold a key, so it is not named.
    fn tell(&self) {
        if self.failing.note() {
            tracing::warn!("the collector does not take traces; those that find no room meanwhile are only counted");
        }
    }
}

fn headers(named: &[(String, Secret)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(named.len());
    for (name, value) in named {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.reveal()).ok()?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Some(headers)
}
