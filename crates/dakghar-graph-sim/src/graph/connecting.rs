//! What a gateway calls to connect a number. Each call can be hit by a rule that names it (`call`), and is in a journal of its own.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked::{Ask, check, serve};
use super::auth::bearer;
use super::error::GraphError;
use super::object_id::is_object_id;
use crate::onboarding::Subscribed;
use crate::server::Connection;
use crate::state::State;
use crate::token::Token;

type At = Path<(String, String)>;
type Asked = (Extension<Connection>, Query<ProofQuery>, HeaderMap, Bytes);

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ProofQuery {
    appsecret_proof: Option<String>,
}

impl ProofQuery {
    pub(super) fn proof(&self) -> Option<&str> {
        self.appsecret_proof.as_deref()
    }
}

/// Meta's words on a number that stays in the WhatsApp Business app.
const ON_BIZ_APP: &str = "The number is used with the WhatsApp Business app, which keeps it registered";

/// The app that the token is of.
fn app_of(state: &State, headers: &HeaderMap) -> String {
    let token = bearer(headers).unwrap_or_default();
    state.known_tokens.get(token).app_id.unwrap_or_else(|| "1".to_owned())
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

pub(crate) async fn subscriptions(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, _): Asked,
) -> Response {
    let ask = Ask {
        call: "subscriptions",
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.appsecret_proof.as_deref(), (&id, Some(&id)))?;
        let by_default = || {
            vec![Subscribed {
                app_id: app_of(&state, &headers),
                override_callback_uri: None,
            }]
        };
        let subscribed = state.onboarding.subscribed(&id).unwrap_or_else(by_default);
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
pub(crate) async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, body): Asked,
) -> Response {
    let ask = Ask {
        call: "subscribe",
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.appsecret_proof.as_deref(), (&id, Some(&id)))?;
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
        let app_id = app_of(&state, &headers);
        state.onboarding.subscribe(
            &id,
            Subscribed {
                app_id,
                override_callback_uri: url,
            },
        );
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn unsubscribe(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, _): Asked,
) -> Response {
    let ask = Ask {
        call: "unsubscribe",
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.appsecret_proof.as_deref(), (&id, Some(&id)))?;
        state.onboarding.unsubscribe(&id, &app_of(&state, &headers));
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn register(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, body): Asked,
) -> Response {
    let ask = Ask {
        call: "register",
        version: &version,
        about: &id,
    };
    let account = state.numbers.get(&id).waba_id.clone();
    serve(&state, &connection, ask, || {
        check(
            &state,
            &headers,
            query.appsecret_proof.as_deref(),
            (&id, Some(&account)),
        )?;
        let fields = fields_of(&body)?;
        if text_of(&fields, "messaging_product") != Some("whatsapp") {
            return Err(GraphError::parameter_required("messaging_product"));
        }
        let pin = text_of(&fields, "pin").ok_or_else(|| GraphError::parameter_required("pin"))?;
        if pin.len() != 6 || !pin.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GraphError::parameter_invalid("pin", "must be 6 digits"));
        }
        if state.onboarding.number(&id).is_on_biz_app {
            return Err(GraphError::of(100).details(ON_BIZ_APP));
        }
        state.onboarding.register(&id, pin).map_err(GraphError::of)?;
        Ok(json!({"success": true}))
    })
    .await
}

pub(crate) async fn deregister(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, _): Asked,
) -> Response {
    let ask = Ask {
        call: "deregister",
        version: &version,
        about: &id,
    };
    let account = state.numbers.get(&id).waba_id.clone();
    serve(&state, &connection, ask, || {
        check(
            &state,
            &headers,
            query.appsecret_proof.as_deref(),
            (&id, Some(&account)),
        )?;
        if state.onboarding.number(&id).is_on_biz_app {
            return Err(GraphError::of(100).details(ON_BIZ_APP));
        }
        state.onboarding.deregister(&id).map_err(GraphError::of)?;
        Ok(json!({"success": true}))
    })
    .await
}

/// The token that asks does not work any more. Only `me` can be meant.
pub(crate) async fn revoke(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): At,
    (Extension(connection), Query(query), headers, _): Asked,
) -> Response {
    let ask = Ask {
        call: "revoke",
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        let token = bearer(&headers);
        state.allow(token)?;
        state.check_proof(token, query.appsecret_proof.as_deref())?;
        if id != "me" {
            return Err(GraphError::no_such_object(&id));
        }
        let known = state.known_tokens.get(token.unwrap_or_default());
        let is_kept = state.known_tokens.put(Token {
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
pub(crate) async fn share_credit(
    Shared(state): Shared<Arc<State>>,
    Path((version, line)): At,
    (Extension(connection), Query(query), headers, body): Asked,
) -> Response {
    let fields = fields_of(&body);
    let account = fields.as_ref().ok().and_then(|fields| text_of(fields, "waba_id"));
    let account = account.unwrap_or_default().to_owned();
    let ask = Ask {
        call: "credit",
        version: &version,
        about: &account,
    };
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.appsecret_proof.as_deref(), (&line, None))?;
        let fields = fields?;
        if !is_object_id(&account) {
            return Err(GraphError::parameter_required("waba_id"));
        }
        if text_of(&fields, "waba_currency").is_none_or(|currency| currency.len() != 3) {
            return Err(GraphError::parameter_required("waba_currency"));
        }
        if !state.onboarding.share_credit(&account) {
            return Err(GraphError::of(100).details("The account has a payment method already"));
        }
        Ok(json!({"allocation_config_id": format!("7{account}"), "waba_id": account}))
    })
    .await
}
