//! A collector: what OpenTelemetry's own types make of what was posted to it.

use std::fmt::Write as _;

use dakghar_testkit::receiver::{ReceivedRequest, Receiver, Reply};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::product::eventually;

/// A receiver that is posted spans.
pub struct Collector(pub Receiver);

impl Collector {
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(Receiver::start(replies).await)
    }

    /// The value of the setting.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    pub fn posts(&self) -> Vec<ReceivedRequest> {
        self.0.requests()
    }

    pub fn exports(&self) -> Vec<ExportTraceServiceRequest> {
        let decode = |post: ReceivedRequest| ExportTraceServiceRequest::decode(&post.body[..]).expect("OTLP");
        self.posts().into_iter().map(decode).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let exports = self.exports().into_iter();
        let resources = exports.flat_map(|export| export.resource_spans);
        resources
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// Waits until a span is there of which this is true, and returns it.
    pub async fn until(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let find = || self.spans().into_iter().find(&is_it);
        let came = eventually(async || find().is_some()).await;
        assert!(came, "{what} did not come; these did:\n{}", told(&self.spans()));
        find().expect("it came")
    }
}

/// True if the span has this name and goes on from that one.
pub fn is_after(span: &Span, name: &str, from: &Span) -> bool {
    let links_to = |span: &Span| {
        let mut links = span.links.iter();
        links.any(|link| link.span_id == from.span_id && link.trace_id == from.trace_id)
    };
    span.name == name && links_to(span)
}

/// The text of an attribute; empty if it is not there.
pub fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn told(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        let error = span.status.as_ref().map(|status| &status.message);
        let _ = writeln!(
            text,
            "{} {:?} links {} error {error:?}",
            span.name,
            span.trace_id,
            span.links.len()
        );
    }
    text
}
