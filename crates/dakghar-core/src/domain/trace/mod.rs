//! Traces, by the words of the W3C and of OpenTelemetry: the place of a span, and what it says.

mod attribute;
mod context;
mod ended;

pub use attribute::{Attribute, AttributeValue};
pub use context::{TRACE_CONTEXT_BYTES, TraceContext};
pub use ended::{EndedSpan, LINKS_MAX, SpanKind, SpanName};
