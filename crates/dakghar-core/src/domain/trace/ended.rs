//! A span that has ended: what is exported of it.

use std::time::Duration;

use super::super::time::Timestamp;
use super::attribute::Attribute;
use super::context::TraceContext;

/// The most links of a span; a webhook may hold more statuses.
pub const LINKS_MAX: usize = 32;

/// The subject of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanName {
    /// A message is accepted from a client.
    Accept,
    /// A claimed message is sent, from before its claim to its stored outcome.
    Send,
    /// The call to Meta.
    GraphCall,
    /// A webhook is stored.
    Webhook,
    /// An endpoint of a tenant is called.
    Callback,
}

/// The side of a span, by OpenTelemetry's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers somebody.
    Server,
    /// It asks somebody.
    Client,
    /// It takes something from a queue.
    Consumer,
}

impl SpanName {
    /// The name that is exported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Send => "send",
            Self::GraphCall => "graph call",
            Self::Webhook => "webhook",
            Self::Callback => "callback",
        }
    }

    /// The side that it is seen from.
    pub const fn kind(self) -> SpanKind {
        match self {
            Self::Accept | Self::Webhook => SpanKind::Server,
            Self::GraphCall | Self::Callback => SpanKind::Client,
            Self::Send => SpanKind::Consumer,
        }
    }
}

/// A span that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedSpan {
    /// Its own place.
    pub context: TraceContext,
    /// The span that it is a part of.
    pub parent: Option<[u8; 8]>,
    /// Spans that it goes on from, at most [`LINKS_MAX`].
    pub links: Vec<TraceContext>,
    /// Its subject.
    pub name: SpanName,
    /// The date it began.
    pub began_at: Timestamp,
    /// The time it took.
    pub took: Duration,
    /// Its attributes; a few.
    pub attributes: Vec<Attribute>,
    /// The class of its error, in a word of ours.
    pub error: Option<&'static str>,
}
