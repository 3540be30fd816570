//! Counts the webhooks that Meta must post again because they were not stored.

use std::sync::Arc;

use axum::http::{Method, Request};
use dakghar_core::domain::ErrorCode;
use dakghar_core::domain::meta_app::WEBHOOK_PATH;
use dakghar_core::metrics::{IngestGap, Metrics};

/// A request that may be a webhook of Meta's. One that is dropped without an answer is a gap too.
pub(super) struct Webhook(Option<Arc<Metrics>>);

impl Webhook {
    /// Begins to watch a request. Others than webhooks count nothing.
    pub(super) fn of<B>(request: &Request<B>, metrics: &Arc<Metrics>) -> Self {
        let is_webhook = request.method() == Method::POST && is_webhooks(request.uri().path());
        Self(is_webhook.then(|| Arc::clone(metrics)))
    }

    /// Stops to watch: somebody else does.
    pub(super) fn handed_on(mut self) {
        self.0 = None;
    }

    /// Tells its answer: `None` for success.
    pub(super) fn answered(mut self, code: Option<ErrorCode>) {
        let metrics = self.0.take();
        if let Some((metrics, gap)) = metrics.zip(code.and_then(gap)) {
            metrics.ingest_gaps.of(gap).inc();
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        if let Some(metrics) = self.0.take() {
            metrics.ingest_gaps.of(IngestGap::ClosedEarly).inc();
        }
    }
}

/// True for the path of all apps, and for that of one.
fn is_webhooks(path: &str) -> bool {
    let below = path.strip_prefix(WEBHOOK_PATH);
    below.is_some_and(|below| {
        let app = below.strip_prefix('/');
        below.is_empty() || app.is_some_and(|app| !app.is_empty() && !app.contains('/'))
    })
}

/// Returns the gap that an answer leaves; `None` if the fault is in the webhook.
fn gap(code: ErrorCode) -> Option<IngestGap> {
    match code {
        ErrorCode::ShuttingDown => Some(IngestGap::ShuttingDown),
        ErrorCode::Overloaded => Some(IngestGap::Overloaded),
        ErrorCode::StoreUnavailable => Some(IngestGap::StoreUnavailable),
        ErrorCode::StoreFull => Some(IngestGap::StoreFull),
        // Of a webhook only its body can be bad in this way.
        ErrorCode::BadRequest => Some(IngestGap::BodyIncomplete),
        _ => (code.http_status() >= 500 || code == ErrorCode::Conflict).then_some(IngestGap::Internal),
    }
}

#[cfg(test)]
mod tests {
    use dakghar_core::metrics::Label as _;

    use super::*;

    const PATHS: [&str; 2] = [WEBHOOK_PATH, "/whatsapp/webhook/670843887433847"];

    fn counted(path: &str, tell: impl FnOnce(Webhook)) -> Vec<u64> {
        let metrics = Arc::<Metrics>::default();
        let request = Request::post(path).body(()).expect("a request");
        tell(Webhook::of(&request, &metrics));
        IngestGap::ALL
            .iter()
            .map(|gap| metrics.ingest_gaps.of(*gap).get())
            .collect()
    }

    #[test]
    fn every_failure_of_ours_is_a_gap_and_nothing_else() {
        for path in PATHS {
            for code in ErrorCode::ALL {
                let count: u64 = counted(path, |webhook| webhook.answered(Some(*code))).iter().sum();
                let is_ours = code.http_status() >= 500 || matches!(code, ErrorCode::BadRequest | ErrorCode::Conflict);
                assert_eq!(count, u64::from(is_ours), "{code:?}");
            }
            assert_eq!(counted(path, |webhook| webhook.answered(None)).iter().sum::<u64>(), 0);
        }
        for path in [
            "/tenants",
            "/whatsapp/webhook/",
            "/whatsapp/webhook/1/2",
            "/whatsapp/webhooks",
        ] {
            let other = |webhook: Webhook| webhook.answered(Some(ErrorCode::StoreFull));
            assert_eq!(counted(path, other).iter().sum::<u64>(), 0, "{path}");
        }
    }

    #[test]
    fn a_webhook_without_an_answer_is_a_gap() {
        for path in PATHS {
            let counts = counted(path, drop);
            assert_eq!(counts[IngestGap::ClosedEarly.index()], 1);
            assert_eq!(counts.iter().sum::<u64>(), 1);
        }
    }
}
