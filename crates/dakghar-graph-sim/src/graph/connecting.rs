//! What a gateway calls to connect a number. Each call can be hit by a rule that names it (`call`), and is in a journal of its own.

use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::asked::NodeCall;
use super::error::GraphError;
use super::object_id::is_object_id;
use crate::onboarding::Subscribed;
use crate::token::Token;

/// Meta's words on a number that stays in the WhatsApp Business app.
const ON_BIZ_APP: &str = "The number is used with the WhatsApp Business app, which keeps it registered";

/// The app that the token is of.
fn app_of(call: &NodeCall) -> String {
    let token = call.token().unwrap_or_default();
    let known = call.state.known_tokens.get(token);
    known.app_id.unwrap_or_else(|| "1".to_owned())
}

pub(super) fn fields_of(body: &Bytes) -> Result<Map<String, Value>, GraphError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(GraphError::of(100).details("The body is not a JSON object")),
    }
}

pub(super) fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

pub(crate) async fn subscriptions(call: NodeCall, _: Bytes) -> Response {
    call.serve("subscriptions", || {
        call.check(Some(&call.id))?;
        let by_default = || {
            vec![Subscribed {
                app_id: app_of(&call),
                override_callback_uri: None,
            }]
        };
        let subscribed = call.state.onboarding.subscribed(&call.id).unwrap_or_else(by_default);
        let data = subscribed.into_iter().map(|subscribed| {
            let mut shown = json!({"whatsapp_business_api_data":
                {"id": subscribed.app_id, "name": "Simulated App", "link": "https://example.com"}});
            if let Some(url) = subscribed.override_callback_uri {
                shown["override_callback_uri"] = json!(url);
            }
            shown
        });
        Ok(json!({ "data": data.collect::<Vec<_>>() }))
    })
    .await
}

/// Webhooks go to the configured URL, whatever was subscribed.
pub(crate) async fn subscribe(call: NodeCall, body: Bytes) -> Response {
    call.serve("subscribe", || {
        call.check(Some(&call.id))?;
        let fields = fields_of(&body)?;
        let url = text_of(&fields, "override_callback_uri").map(str::to_owned);
        if url.is_some() && text_of(&fields, "verify_token").is_none_or(str::is_empty) {
            return Err(GraphError::parameter_required("verify_token"));
        }
        if url
            .as_ref()
            .is_some_and(|url| url.len() > 200 || !url.starts_with("http"))
        {
            return Err(GraphError::parameter_invalid(
                "override_callback_uri",
                "must be a URL of at most 200 characters",
            ));
        }
        let app_id = app_of(&call);
        call.state.onboarding.subscribe(
            &call.id,
            Subscribed {
                app_id,
                override_callback_uri: url,
            },
        );
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn unsubscribe(call: NodeCall, _: Bytes) -> Response {
    call.serve("unsubscribe", || {
        call.check(Some(&call.id))?;
        call.state.onboarding.unsubscribe(&call.id, &app_of(&call));
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn register(call: NodeCall, body: Bytes) -> Response {
    let account = call.state.numbers.get(&call.id).waba_id.clone();
    call.serve("register", || {
        call.check(Some(&account))?;
        let fields = fields_of(&body)?;
        if text_of(&fields, "messaging_product") != Some("whatsapp") {
            return Err(GraphError::parameter_required("messaging_product"));
        }
        let pin = text_of(&fields, "pin").ok_or_else(|| GraphError::parameter_required("pin"))?;
        if pin.len() != 6 || !pin.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GraphError::parameter_invalid("pin", "must be 6 digits"));
        }
        if call.state.onboarding.number(&call.id).is_on_biz_app {
            return Err(GraphError::of(100).details(ON_BIZ_APP));
        }
        call.state.onboarding.register(&call.id, pin).map_err(GraphError::of)?;
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn deregister(call: NodeCall, _: Bytes) -> Response {
    let account = call.state.numbers.get(&call.id).waba_id.clone();
    call.serve("deregister", || {
        call.check(Some(&account))?;
        if call.state.onboarding.number(&call.id).is_on_biz_app {
            return Err(GraphError::of(100).details(ON_BIZ_APP));
        }
        call.state.onboarding.deregister(&call.id).map_err(GraphError::of)?;
        Ok(json!({"success": true}))
    })
    .await
}

/// The token that asks does not work any more. Only `me` can be meant.
pub(crate) async fn revoke(call: NodeCall, _: Bytes) -> Response {
    call.serve("revoke", || {
        call.check_token()?;
        if call.id != "me" {
            return Err(GraphError::no_such_object(&call.id));
        }
        let known = call.state.known_tokens.get(call.token().unwrap_or_default());
        let is_kept = call.state.known_tokens.put(Token {
            is_valid: false,
            ..known
        });
        if is_kept {
            Ok(json!({"success": true}))
        } else {
            Err(GraphError::of(2))
        }
    })
    .await
}

/// Sharing a credit line with an account that is paid for is refused, so that a gateway that does it twice is found out.
pub(crate) async fn share_credit(call: NodeCall, body: Bytes) -> Response {
    let fields = fields_of(&body);
    let account = fields.as_ref().ok().and_then(|fields| text_of(fields, "waba_id"));
    let account = account.unwrap_or_default().to_owned();
    call.serve_about("credit", &account, || {
        call.check(None)?;
        let fields = fields?;
        if !is_object_id(&account) {
            return Err(GraphError::parameter_required("waba_id"));
        }
        if text_of(&fields, "waba_currency").is_none_or(|currency| currency.len() != 3) {
            return Err(GraphError::parameter_required("waba_currency"));
        }
        if !call.state.onboarding.share_credit(&account) {
            return Err(GraphError::of(100).details("The account has a payment method already"));
        }
        Ok(json!({"allocation_config_id": format!("7{account}"), "waba_id": account}))
    })
    .await
}
