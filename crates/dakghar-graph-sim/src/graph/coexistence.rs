//! A gateway asks for the contents of the WhatsApp Business app of a number.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::asked::{Ask, check, serve};
use super::connecting::{ProofQuery, fields_of, text_of};
use super::error::GraphError;
use crate::biz_app::AppData;
use crate::server::Connection;
use crate::state::State;

/// Takes a request for contacts or history, and sends them as webhooks.
pub(crate) async fn sync(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    Extension(connection): Extension<Connection>,
    Query(query): Query<ProofQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = fields_of(&body);
    let sync_type = fields.as_ref().ok().and_then(|fields| text_of(fields, "sync_type"));
    let what = sync_type.and_then(AppData::of_sync_type);
    let ask = Ask {
        call: what.map_or("smb_app_data", AppData::call),
        version: &version,
        about: &id,
    };
    let account = state.numbers.get(&id).waba_id.clone();
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.proof(), (&id, Some(&account)))?;
        let fields = fields.as_ref().map_err(Clone::clone)?;
        if text_of(fields, "messaging_product") != Some("whatsapp") {
            return Err(GraphError::parameter_required("messaging_product"));
        }
        let must = "must be one of smb_app_state_sync, history";
        let what = what.ok_or_else(|| GraphError::parameter_invalid("sync_type", must))?;
        let number = state.onboarding.number(&id);
        if !number.is_on_biz_app {
            return Err(GraphError::of(100).details("The number is not used with the WhatsApp Business app"));
        }
        let asked = state.biz_apps.ask(&id, what, number.connected_seconds_ago);
        let request_id = asked.map_err(GraphError::of)?;
        // Without a webhook URL there is nobody to send it to.
        drop(state.send_app_data(&id, what));
        Ok(json!({"messaging_product": "whatsapp", "request_id": request_id}))
    })
    .await
}
