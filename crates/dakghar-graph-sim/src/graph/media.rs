//! Media and templates, as far as a gateway passes them on: ids are given and forgotten, and what was uploaded is not kept.

use axum::extract::Query;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::NodeCall;
use super::error::GraphError;

/// Templates that every account has.
const TEMPLATES: usize = 30;
/// What Meta says of how much an account has used up.
const USAGE: &str =
    r#"[{"type":"whatsapp","call_count":7,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}]"#;

/// Which media, and whose.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct MediaQuery {
    phone_number_id: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<usize>,
    after: Option<usize>,
}

/// Takes an upload, whatever it is, and gives it an id.
pub(crate) async fn upload(call: NodeCall) -> Response {
    call.answer(|| {
        let kind = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            return Err(GraphError::parameter_required("file"));
        }
        let media = call
            .state
            .businesses
            .of(&call.id, |business| business.new_media(&call.id));
        Ok(json!({ "id": media }))
    })
}

/// Removes media of a number.
pub(crate) async fn remove(call: NodeCall, Query(query): Query<MediaQuery>) -> Response {
    call.answer(|| {
        let number = query.phone_number_id.unwrap_or_default();
        let was_there = call
            .state
            .businesses
            .of(&number, |business| business.media.remove(&call.id));
        if was_there {
            Ok(json!({"success": true}))
        } else {
            Err(GraphError::no_such_object(&call.id))
        }
    })
}

/// Lists templates. The link to the next page has the token in it, as Meta's has.
pub(crate) async fn templates(call: NodeCall, Query(page): Query<PageQuery>) -> Response {
    let mut response = call.answer(|| {
        let (from, limit) = (page.after.unwrap_or(0), page.limit.unwrap_or(25).max(1));
        let to = (from + limit).min(TEMPLATES);
        let template = |n: usize| {
            json!({"id": format!("8{n}"), "name": format!("template_{n}"), "language": "en_US",
            "status": "APPROVED", "category": "UTILITY", "parameter_format": "POSITIONAL", "components": []})
        };
        let data: Vec<Value> = (from..to).map(template).collect();
        let mut paging = json!({"cursors": {"before": from.to_string(), "after": to.to_string()}});
        if to < TEMPLATES {
            let (version, id, token) = (&call.version, &call.id, call.token().unwrap_or_default());
            paging["next"] = format!(
                "https://graph.facebook.com/{version}/{id}/message_templates?access_token={token}&limit={limit}&after={to}"
            )
            .into();
        }
        let summary = json!({"total_count": TEMPLATES, "message_template_count": TEMPLATES,
            "message_template_limit": 6_000, "are_translations_complete": true});
        Ok(json!({"data": data, "paging": paging, "summary": summary}))
    });
    let usage = format!(r#"{{"{}":{USAGE}}}"#, call.id);
    if let Ok(usage) = HeaderValue::try_from(usage) {
        response.headers_mut().insert("x-business-use-case-usage", usage);
    }
    response
}

/// Makes or removes a template; both succeed and change nothing.
pub(crate) async fn change_templates(call: NodeCall) -> Response {
    call.answer(|| Ok(json!({"success": true, "id": "899", "status": "PENDING", "category": "UTILITY"})))
}
