//! A gateway asks for the contents of the WhatsApp Business app of a number.

use axum::body::Bytes;
use axum::response::Response;
use serde_json::json;

use super::asked::NodeCall;
use super::connecting::{fields_of, text_of};
use super::error::GraphError;
use crate::biz_app::AppData;

/// Takes a request for contacts or history, and sends them as webhooks.
pub(crate) async fn sync(call: NodeCall, body: Bytes) -> Response {
    let fields = fields_of(&body);
    let sync_type = fields.as_ref().ok().and_then(|fields| text_of(fields, "sync_type"));
    let what = sync_type.and_then(AppData::of_sync_type);
    let name = what.map_or("smb_app_data", AppData::call);
    let account = call.state.numbers.get(&call.id).waba_id.clone();
    call.serve(name, || {
        call.check(Some(&account))?;
        let fields = fields.as_ref().map_err(Clone::clone)?;
        if text_of(fields, "messaging_product") != Some("whatsapp") {
            return Err(GraphError::parameter_required("messaging_product"));
        }
        let must = "must be one of smb_app_state_sync, history";
        let what = what.ok_or_else(|| GraphError::parameter_invalid("sync_type", must))?;
        let number = call.state.onboarding.number(&call.id);
        if !number.is_on_biz_app {
            return Err(GraphError::of(100).details("The number is not used with the WhatsApp Business app"));
        }
        let asked = call.state.biz_apps.ask(&call.id, what, number.connected_seconds_ago);
        let request_id = asked.map_err(GraphError::of)?;
        // Without a webhook URL there is nobody to send it to.
        drop(call.state.send_app_data(&call.id, what));
        Ok(json!({"messaging_product": "whatsapp", "request_id": request_id}))
    })
    .await
}
