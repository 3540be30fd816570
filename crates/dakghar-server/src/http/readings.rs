//! Readings of what people and tenants wrote to each other, by operators: recorded before the answer is given. What cannot be
//! recorded is not shown.

use axum::extract::{MatchedPath, Request};
use axum::http::{Extensions, Method, Uri};
use dakghar_core::app::{App, Deed, Failure};
use dakghar_core::domain::TenantId;
use dakghar_core::domain::audit::AuditAction;

use super::by::principal;
use super::caller::Caller;
use super::shown::Shown;

/// The paths whose answers have bodies: of messages and events, what webhooks were, and what receivers answered.
const BODIES: [&str; 12] = [
    "/dead-letters",
    "/tenants/{tenantId}/conversations/{conversationId}/messages",
    "/tenants/{tenantId}/dead-letters",
    "/tenants/{tenantId}/endpoints/{endpointId}/attempts",
    "/tenants/{tenantId}/endpoints/{endpointId}/exceptions",
    "/tenants/{tenantId}/events",
    EXPORT,
    "/tenants/{tenantId}/feed",
    "/tenants/{tenantId}/feed/stream",
    "/tenants/{tenantId}/messages",
    "/tenants/{tenantId}/messages/{messageId}",
    "/unrouted",
];
const EXPORT: &str = "/tenants/{tenantId}/export";
/// Filters whose values name nobody. Of every other one the name alone is recorded.
const HARMLESS: [&str; 8] = [
    "direction",
    "kind",
    "phoneNumberId",
    "since",
    "state",
    "status",
    "type",
    "until",
];

/// A request for what people wrote.
pub(super) struct Reading {
    route: MatchedPath,
    uri: Uri,
    extensions: Extensions,
}

impl Reading {
    /// Returns what is to be recorded of a request if an operator makes it; `None` if it asks for no bodies.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let route = request.extensions().get::<MatchedPath>()?;
        let is_reading = matches!(*request.method(), Method::GET | Method::HEAD) && BODIES.contains(&route.as_str());
        is_reading.then(|| Self {
            route: route.clone(),
            uri: request.uri().clone(),
            extensions: request.extensions().clone(),
        })
    }

    /// Records that this caller is about to be given an answer with so many items.
    pub(super) async fn record(&self, app: &App, caller: Caller, shown: Option<Shown>) -> Result<(), Failure> {
        let by = principal(caller, app, &self.extensions).await;
        let action = match self.route.as_str() {
            EXPORT => AuditAction::TenantExported,
            _ => AuditAction::BodiesRead,
        };
        let mut deed = Deed::new(&by, action).about("route", self.route.as_str());
        for (name, value) in self.parameters() {
            if name == "tenantId" {
                if let Ok(id) = TenantId::parse(&value) {
                    deed = deed.of(&id);
                }
            } else {
                deed = deed.about(name.strip_suffix("Id").unwrap_or(name), value);
            }
        }
        for filter in filters_of(self.uri.query().unwrap_or_default()) {
            deed = deed.about("filter", filter);
        }
        let deed = deed.counting(shown.map(|Shown(count)| count));
        app.auditing.note(&deed).await
    }

    /// The parameters of the path, with their values. The answer shows that they name something.
    fn parameters(&self) -> impl Iterator<Item = (&str, String)> {
        let segments = self.route.as_str().split('/').zip(self.uri.path().split('/'));
        segments.filter_map(|(name, value)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some((name, value.to_owned()))
        })
    }
}

/// The filters of a query, as they are recorded.
fn filters_of(query: &str) -> Vec<String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let shown = parts.filter_map(|part| {
        let (name, _) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "limit" | "cursor" => None,
            name if HARMLESS.contains(&name) => Some(part.to_owned()),
            name => Some(name.to_owned()),
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_filters_that_may_name_people_only_the_names_are_recorded() {
        let query = "limit=3&from=%2B919111111111&status=failed&to=Asha&cursor=x&after";
        assert_eq!(filters_of(query), ["from", "status=failed", "to", "after"]);
        assert!(filters_of("").is_empty());
        assert!(BODIES.is_sorted() && HARMLESS.is_sorted());
    }
}
