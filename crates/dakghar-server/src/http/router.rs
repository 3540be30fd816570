//! Every route on one screen. Paths and documentation stand at the handlers. Each route must be in the group that says
//! who may call it; a test calls them all with every kind of key.

use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Extension, Json, Router};
use dakghar_core::app::App;
use dakghar_core::domain::{ErrorCode, Problem, Scope};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Access;
use super::api::{
    apps, audit, auto_redrive, conversations, dead_letters, departures, endpoints, erasures, events, exports, feed,
    hold, keys, messages, number_calls, onboarding_links, operators, opt_outs, people, phone_numbers, redrives,
    registering, secrets, send, send_bulk, sending_rules, signups, tenants,
};
use super::config::HttpConfig;
use super::edge::EdgeLayer;
use super::graph;
use super::problem::ApiError;
use super::state::HttpState;
use super::withheld::withhold;
use super::{docs, health, onboard, openapi as document, webhook};

/// Makes the whole HTTP edge over these use cases.
pub fn router(app: App, config: HttpConfig) -> Router {
    let version = config.version;
    let (routes, document) = documented(version, !config.health_apart).split_for_parts();
    routes
        .merge(docs::routes(&document))
        .route("/", get(async move || about(version)))
        .merge(graph::routes())
        .merge(onboard::routes())
        .fallback(graph::not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(EdgeLayer::new(app.metrics.clone()).noting(app.health.failed_requests()))
        .with_state(HttpState::new(app, config))
}

/// Makes only the health checks, for a process that serves nothing else.
pub fn health_router(app: App, config: HttpConfig) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(EdgeLayer::new(app.metrics.clone()).noting(app.health.failed_requests()))
        .with_state(HttpState::new(app, config))
}

/// Returns the OpenAPI document of the routes, as it is served and kept in the repository.
pub fn openapi_json() -> String {
    document::to_json(&documented(HttpConfig::default().version, true).into_openapi())
}

/// A group of routes, and who may call them.
type Group = (Access, OpenApiRouter<HttpState>);

/// What operators read of the installation.
fn operators_read() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(tenants::list)) //            GET    /tenants
        .routes(routes!(dead_letters::list_all)) //   GET    /dead-letters
        .routes(routes!(redrives::list_all)) //       GET    /dead-letters/redrives
        .routes(routes!(redrives::one_of_all)) //     GET    /dead-letters/redrives/{redriveId}
        .routes(routes!(events::list_unrouted)) //    GET    /unrouted
        .routes(routes!(apps::list)) //               GET    /apps
        .routes(routes!(apps::read)) //               GET    /apps/{appId}
        .routes(routes!(hold::show)) //               GET    /hold
        .routes(routes!(departures::list)) //         GET    /tenants/{tenantId}/departures
        .routes(routes!(departures::one)); //         GET    /tenants/{tenantId}/departures/{departureId}
    (Access::Operators(Scope::Read), routes)
}

/// What they change of it, and their keys.
fn operators_manage() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(tenants::change)) //          PATCH  /tenants/{tenantId}
        .routes(routes!(tenants::remove)) //          DELETE /tenants/{tenantId}
        .routes(routes!(departures::begin)) //        POST   /tenants/{tenantId}/departures
        .routes(routes!(departures::retry)) //        POST   /tenants/{tenantId}/departures/{departureId}/retry
        .routes(routes!(departures::cancel)) //       POST   /tenants/{tenantId}/departures/{departureId}/cancel
        .routes(routes!(phone_numbers::remove)) //    DELETE /tenants/{tenantId}/phone-numbers/{phoneNumberId}
        .routes(routes!(phone_numbers::check)) //     POST   /tenants/{tenantId}/phone-numbers/{phoneNumberId}/check
        .routes(routes!(redrives::begin_all)) //      POST   /dead-letters/redrive
        .routes(routes!(redrives::pause_any)) //      POST   /dead-letters/redrives/{redriveId}/pause
        .routes(routes!(redrives::resume_any)) //     POST   /dead-letters/redrives/{redriveId}/resume
        .routes(routes!(redrives::cancel_any)) //     POST   /dead-letters/redrives/{redriveId}/cancel
        .routes(routes!(apps::add)) //                POST   /apps
        .routes(routes!(apps::change, apps::remove)) // PATCH, DELETE /apps/{appId}
        .routes(routes!(apps::rotate)) //             POST   /apps/{appId}/secret
        .routes(routes!(audit::list)) //              GET    /audit
        .routes(routes!(secrets::show)) //            GET    /operators/secrets
        .routes(routes!(secrets::rotate)) //          POST   /operators/secrets/rotate
        .routes(routes!(hold::begin, hold::release)) // PUT, DELETE /hold
        .routes(routes!(operators::list, operators::create)) // GET, POST /operators/keys
        .routes(routes!(operators::revoke)) //        DELETE /operators/keys/{keyId}
        .routes(routes!(operators::rotate)); //       POST   /operators/keys/{keyId}/rotate
    (Access::Operators(Scope::Manage), routes)
}

/// What brings tenants and numbers.
fn operators_onboard() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(registering::register)) //    POST   /tenants/register
        .routes(routes!(phone_numbers::add)); //      POST   /tenants/{tenantId}/phone-numbers
    (Access::Operators(Scope::Onboarding), routes)
}

/// What sends and cancels. Below `/tenants/{tenantId}`.
fn to_send() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(send::send)) //               POST   /send
        .routes(routes!(send_bulk::send_bulk)) //      POST   /send-bulk
        .routes(routes!(number_calls::mark_read)) //  POST   /messages/{messageId}/read
        .routes(routes!(messages::cancel)); //         POST   /messages/{messageId}/cancel
    (Access::Tenants(Scope::Send), routes)
}

/// What only reads. Below `/tenants/{tenantId}`.
fn to_read() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(tenants::read)) //            GET    /
        .routes(routes!(phone_numbers::list)) //      GET    /phone-numbers
        .routes(routes!(number_calls::profile)) //    GET    /phone-numbers/{phoneNumberId}/profile
        .routes(routes!(number_calls::blocked)) //    GET    /phone-numbers/{phoneNumberId}/blocked
        .routes(routes!(messages::list)) //           GET    /messages
        .routes(routes!(messages::read)) //           GET    /messages/{messageId}
        .routes(routes!(conversations::list)) //      GET    /conversations
        .routes(routes!(conversations::read)) //      GET    /conversations/{conversationId}
        .routes(routes!(conversations::messages)) //  GET    /conversations/{conversationId}/messages
        .routes(routes!(people::list)) //             GET    /people
        .routes(routes!(people::read)) //             GET    /people/{personId}
        .routes(routes!(dead_letters::list)) //       GET    /dead-letters
        .routes(routes!(auto_redrive::get)) //        GET    /dead-letters/auto-redrive
        .routes(routes!(redrives::list)) //           GET    /dead-letters/redrives
        .routes(routes!(redrives::one)) //            GET    /dead-letters/redrives/{redriveId}
        .routes(routes!(erasures::one)) //            GET    /erasures/{erasureId}
        .routes(routes!(events::list)) //             GET    /events
        .routes(routes!(opt_outs::list)) //           GET    /opt-outs
        .routes(routes!(sending_rules::get)) //       GET    /sending-rules
        .routes(routes!(exports::export)) //          GET    /export
        .routes(routes!(feed::list)) //               GET    /feed
        .routes(routes!(feed::follow)); //             GET    /feed/stream
    (Access::Tenants(Scope::Read), routes)
}

/// What changes how a tenant works, and its keys. Below `/tenants/{tenantId}`.
fn to_manage() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(tenants::pause)) //           POST   /pause
        .routes(routes!(tenants::resume)) //          POST   /resume
        .routes(routes!(phone_numbers::change)) //    PATCH  /phone-numbers/{phoneNumberId}
        .routes(routes!(phone_numbers::pause)) //     POST   /phone-numbers/{phoneNumberId}/pause
        .routes(routes!(phone_numbers::resume)) //    POST   /phone-numbers/{phoneNumberId}/resume
        .routes(routes!(number_calls::change_profile)) // PATCH /phone-numbers/{phoneNumberId}/profile
        .routes(routes!(number_calls::block)) //      POST   /phone-numbers/{phoneNumberId}/block
        .routes(routes!(number_calls::unblock)) //    POST   /phone-numbers/{phoneNumberId}/unblock
        .routes(routes!(messages::redrive)) //        POST   /messages/{messageId}/redrive
        .routes(routes!(auto_redrive::set)) //        PUT    /dead-letters/auto-redrive
        .routes(routes!(redrives::begin)) //          POST   /dead-letters/redrive
        .routes(routes!(redrives::pause)) //          POST   /dead-letters/redrives/{redriveId}/pause
        .routes(routes!(redrives::resume)) //         POST   /dead-letters/redrives/{redriveId}/resume
        .routes(routes!(redrives::cancel)) //         POST   /dead-letters/redrives/{redriveId}/cancel
        .routes(routes!(audit::list_of_tenant)) //    GET    /audit
        .routes(routes!(opt_outs::set, opt_outs::remove)) // PUT, DELETE /opt-outs
        .routes(routes!(sending_rules::set)) //       PUT    /sending-rules
        .routes(routes!(erasures::list, erasures::begin)) // GET, POST /erasures
        .routes(routes!(keys::list, keys::create)) // GET, POST /keys
        .routes(routes!(keys::revoke)) //             DELETE /keys/{keyId}
        .routes(routes!(keys::rotate)); //             POST   /keys/{keyId}/rotate
    (Access::Tenants(Scope::Manage), routes)
}

/// Endpoints, and what is delivered to them. Below `/tenants/{tenantId}`.
fn for_callbacks() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(endpoints::list, endpoints::create)) // GET, POST /endpoints
        .routes(routes!(endpoints::read, endpoints::change, endpoints::remove)) // GET, PATCH, DELETE /endpoints/{endpointId}
        .routes(routes!(endpoints::rotate)) //        POST   /endpoints/{endpointId}/secret
        .routes(routes!(endpoints::pause)) //         POST   /endpoints/{endpointId}/pause
        .routes(routes!(endpoints::resume)) //        POST   /endpoints/{endpointId}/resume
        .routes(routes!(endpoints::deliveries::exceptions)) // GET /endpoints/{endpointId}/exceptions
        .routes(routes!(endpoints::deliveries::attempts)) //   GET /endpoints/{endpointId}/attempts
        .routes(routes!(endpoints::replays::begin, endpoints::replays::list)) // POST, GET /endpoints/{endpointId}/replays
        .routes(routes!(endpoints::testing::test)) //          POST /endpoints/{endpointId}/test
        .routes(routes!(endpoints::replays::one)) //           GET  /endpoints/{endpointId}/replays/{replayId}
        .routes(routes!(endpoints::replays::cancel)); //        POST /endpoints/{endpointId}/replays/{replayId}/cancel
    (Access::Tenants(Scope::Callbacks), routes)
}

/// What connects numbers. Below `/tenants/{tenantId}`.
fn for_onboarding() -> Group {
    let routes = OpenApiRouter::new()
        .routes(routes!(signups::list, signups::begin)) // GET, POST /signups
        .routes(routes!(signups::one)) //             GET    /signups/{signupId}
        .routes(routes!(signups::retry)) //           POST   /signups/{signupId}/retry
        .routes(routes!(signups::cancel)) //          POST   /signups/{signupId}/cancel
        .routes(routes!(onboarding_links::create)) // POST   /onboarding-links
        .routes(routes!(tenants::replace_token)); //   PUT    /access-token
    (Access::Tenants(Scope::Onboarding), routes)
}

fn documented(version: &str, with_health: bool) -> OpenApiRouter<HttpState> {
    let mut for_anybody = OpenApiRouter::new()
        .routes(routes!(webhook::verify, webhook::receive)) // GET, POST /whatsapp/webhook
        .routes(routes!(webhook::verify_for_app, webhook::receive_for_app)); // GET, POST /whatsapp/webhook/{appId}
    if with_health {
        for_anybody = for_anybody
            .routes(routes!(health::healthz)) //      GET    /healthz
            .routes(routes!(health::readyz)); //      GET    /readyz
    }
    let mut all = OpenApiRouter::with_openapi(document::head(version));
    for (access, mut routes) in [
        to_send(),
        to_read(),
        to_manage(),
        for_callbacks(),
        for_onboarding(),
        operators_read(),
        operators_manage(),
        operators_onboard(),
    ] {
        document::require(routes.get_openapi_mut(), access);
        let routes = routes.route_layer(from_fn(withhold)).route_layer(Extension(access));
        all = all.merge(routes);
    }
    all = all.merge(for_anybody);
    document::describe_paths(all.get_openapi_mut());
    all
}

fn about(version: &str) -> Json<Value> {
    Json(json!({"name": "Dakghar", "version": version, "docs": "/docs", "openapi": "/openapi.json"}))
}

async fn not_found() -> ApiError {
    Problem::new(ErrorCode::NotFound, "No route has this path; see /docs.").into()
}

async fn method_not_allowed() -> ApiError {
    Problem::new(
        ErrorCode::MethodNotAllowed,
        "The Allow header names the methods of this path.",
    )
    .into()
}
