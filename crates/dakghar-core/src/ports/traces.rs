//! Where spans go.

use crate::domain::trace::EndedSpan;

/// Takes spans that have ended.
pub trait SpanExporter: Send + Sync {
    /// Takes a span, or drops and counts it where there is no room. Never waits, and costs no more than writing it down.
    fn export(&self, span: &EndedSpan);
}
