//! Every route on one screen.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{delete, get, post, put};

use crate::control::{biz_app, dialog, events, help, inspect, onboarding, rules, settings};
use crate::graph::error::GraphError;
use crate::graph::version::Version;
use crate::graph::{business, coexistence, connecting, media, messages, nodes, tokens, usage_headers};
use crate::state::State;

pub(super) fn router(state: Arc<State>) -> Router {
    let usage = from_fn_with_state(state.clone(), usage_headers::add);
    graph()
        .layer(usage)
        .merge(control())
        .fallback(unknown_path)
        .with_state(state)
}

/// The routes of the Graph API.
fn graph() -> Router<Arc<State>> {
    Router::new()
        .route("/{version}/{id}/messages", post(messages::send))
        .route("/{version}/{id}/marketing_messages", post(messages::send_marketing))
        .route(
            "/{version}/{id}/whatsapp_business_profile",
            get(business::profile).post(business::set_profile),
        )
        .route(
            "/{version}/{id}/block_users",
            get(business::blocked).post(business::block).delete(business::unblock),
        )
        .route("/{version}/{id}/media", post(media::upload))
        .route(
            "/{version}/{id}/message_templates",
            get(media::templates)
                .post(media::change_templates)
                .delete(media::change_templates),
        )
        .route("/{version}/{id}/phone_numbers", get(nodes::list_numbers))
        .route(
            "/{version}/{id}/subscribed_apps",
            get(connecting::subscriptions)
                .post(connecting::subscribe)
                .delete(connecting::unsubscribe),
        )
        .route("/{version}/{id}/register", post(connecting::register))
        .route("/{version}/{id}/deregister", post(connecting::deregister))
        .route("/{version}/{id}/smb_app_data", post(coexistence::sync))
        .route("/{version}/{id}/permissions", delete(connecting::revoke))
        .route(
            "/{version}/{id}/whatsapp_credit_sharing_and_attach",
            post(connecting::share_credit),
        )
        .route("/{version}/debug_token", get(tokens::debug))
        .route("/{version}/oauth/access_token", get(tokens::exchange))
        .route("/{version}/{id}", get(nodes::get_node).delete(media::remove))
}

/// The routes of whoever plays Meta's part.
fn control() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(help::page))
        .route("/_sim/health", get(help::health))
        .route("/_sim/stats", get(inspect::stats))
        .route("/_sim/journal", get(inspect::journal).delete(inspect::clear_journal))
        .route("/_sim/rules", get(rules::list).post(rules::add).delete(rules::clear))
        .route("/_sim/rules/{id}", delete(rules::remove))
        .route("/_sim/inbound", post(events::inbound))
        .route("/_sim/status", post(events::status))
        .route("/_sim/kinds", get(events::kinds))
        .route("/_sim/kinds/{name}", post(events::send_kind))
        .route("/_sim/mixture", post(events::mixture))
        .route("/_sim/webhook", put(settings::set_webhook).post(events::raw_webhook))
        .route("/_sim/statuses", get(settings::statuses).put(settings::set_statuses))
        .route("/_sim/limits", get(settings::limits).put(settings::set_limits))
        .route("/_sim/usage", get(settings::usage).put(settings::set_usage))
        .route("/_sim/numbers", get(settings::numbers).put(settings::set_numbers))
        .route("/_sim/tokens", get(settings::tokens).put(settings::set_tokens))
        .route("/_sim/proof", put(settings::set_proof))
        .route("/_sim/codes", post(onboarding::add_code))
        .route("/_sim/drift", post(onboarding::drift))
        .route("/_sim/sdk.js", get(dialog::sdk))
        .route(
            "/_sim/dialog",
            get(dialog::page).post(dialog::finish).put(dialog::set_plan),
        )
        .route("/_sim/dialog.js", get(dialog::script))
        .route("/_sim/dialog/shown", get(dialog::shown))
        .route(
            "/_sim/app",
            get(biz_app::plan).put(biz_app::set_plan).post(biz_app::change),
        )
        .route("/_sim/app/echoes", post(biz_app::echo))
        .route("/_sim/onboarding", put(onboarding::describe))
        .route(
            "/_sim/onboarding/journal",
            get(onboarding::journal).delete(onboarding::clear_journal),
        )
}

async fn unknown_path(OriginalUri(uri): OriginalUri) -> Response {
    GraphError::unknown_path(uri.path().trim_start_matches('/')).into_response(Version::newest())
}
