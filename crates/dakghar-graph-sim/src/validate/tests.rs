use serde_json::json;

use super::*;

fn number() -> Number {
    Number {
        phone_number_id: "106540352242922".to_owned(),
        waba_id: "1".to_owned(),
        display_phone_number: "15550783881".to_owned(),
    }
}

/// A message to a person with this type and content.
fn message(kind: &str, content: Value) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "to": "+880 1711-000000", "type": kind});
    body[kind] = content;
    body
}

fn text(body: &str) -> Value {
    message("text", json!({ "body": body }))
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn without(mut body: Value, key: &str) -> Value {
    body.as_object_mut().unwrap().remove(key);
    body
}

/// Expects a code, or 0 for a valid body.
fn expect(expected: u32, what: &str, body: &Value) {
    let code = check(body, &number()).map_or_else(|error| error.code, |_| 0);
    assert_eq!(code, expected, "{what}: {body}");
}

#[test]
fn envelope() {
    expect(0, "text", &text("hi"));
    expect(0, "type may be left out", &without(text("hi"), "type"));
    expect(100, "not an object", &json!([]));
    let body = without(text("hi"), "messaging_product");
    expect(100, "no messaging_product", &body);
    let body = with(text("hi"), "messaging_product", json!("sms"));
    expect(100, "other product", &body);
    expect(100, "no to", &without(text("hi"), "to"));
    expect(100, "empty to", &with(text("hi"), "to", json!("")));
    expect(100, "to is a number", &with(text("hi"), "to", json!(880)));
    expect(131_009, "to is no phone", &with(text("hi"), "to", json!("home")));
    expect(131_021, "to itself", &with(text("hi"), "to", json!("+1 555 078 3881")));
    let body = with(text("hi"), "recipient_type", json!("everyone"));
    expect(100, "recipient_type", &body);
    expect(100, "unknown type", &message("fax", json!({})));
    expect(100, "no object of the type", &without(text("hi"), "text"));
    expect(100, "object is a string", &with(text("hi"), "text", json!("hi")));
    expect(0, "unknown fields pass", &with(text("hi"), "new_field", json!(1)));
}

#[test]
fn recipients() {
    let to_user = with(without(text("hi"), "to"), "recipient", json!("US.13491208655302741918"));
    let Ok(Request::Send(send)) = check(&to_user, &number()) else {
        panic!("a user id is a recipient");
    };
    assert_eq!(send.recipient, Recipient::User("US.13491208655302741918".to_owned()));
    let parent = with(to_user.clone(), "recipient", json!("US.ENT.118"));
    expect(0, "parent form", &parent);
    expect(
        131_009,
        "no user id",
        &with(to_user.clone(), "recipient", json!("us.1")),
    );

    let both = with(to_user, "to", json!("+8801711000000"));
    let Ok(Request::Send(send)) = check(&both, &number()) else {
        panic!("to wins");
    };
    assert_eq!(send.recipient.wa_id(), Some("8801711000000"));

    let group = with(text("hi"), "recipient_type", json!("group"));
    let group = with(group, "to", json!("Y2FwaV9ncm91cDox"));
    let Ok(Request::Send(send)) = check(&group, &number()) else {
        panic!("a group is a recipient");
    };
    assert_eq!(send.recipient.group_id(), Some("Y2FwaV9ncm91cDox"));
}

#[test]
fn own_data_and_context() {
    let data = |text: String| with(text_hi(), "biz_opaque_callback_data", json!(text));
    expect(0, "512 characters", &data("ক".repeat(512)));
    expect(100, "513 characters", &data("x".repeat(513)));
    let body = with(text_hi(), "biz_opaque_callback_data", json!(1));
    expect(100, "not a string", &body);
    let context = |value| with(text_hi(), "context", value);
    expect(0, "context", &context(json!({"message_id": "wamid.X"})));
    expect(131_008, "context without id", &context(json!({})));
    expect(131_009, "context is a string", &context(json!("wamid.X")));
}

fn text_hi() -> Value {
    text("hi")
}

#[test]
fn plain_types() {
    expect(0, "4096 characters", &text(&"ক".repeat(4096)));
    expect(100, "4097 characters", &text(&"x".repeat(4097)));
    expect(100, "empty text", &text(""));
    for kind in ["image", "video", "audio", "document", "sticker"] {
        expect(0, "by id", &message(kind, json!({"id": "1"})));
        expect(0, "by link", &message(kind, json!({"link": "https://example.org/a"})));
        expect(131_008, "neither", &message(kind, json!({})));
        let both = json!({"id": "1", "link": "https://example.org/a"});
        expect(131_009, "both", &message(kind, both));
        expect(
            131_009,
            "odd link",
            &message(kind, json!({"link": "ftp://example.org"})),
        );
    }
    let caption = |chars| json!({"id": "1", "caption": "x".repeat(chars)});
    expect(0, "caption", &message("image", caption(1024)));
    expect(131_009, "long caption", &message("image", caption(1025)));
    expect(131_009, "audio caption", &message("audio", caption(1)));

    expect(
        0,
        "location",
        &message("location", json!({"latitude": 23.8, "longitude": "90.4"})),
    );
    expect(
        131_008,
        "half a location",
        &message("location", json!({"latitude": 23.8})),
    );
    let body = message("location", json!({"latitude": 91, "longitude": 0}));
    expect(131_009, "beyond the pole", &body);

    let contact = json!([{"name": {"formatted_name": "A B", "first_name": "A"}}]);
    expect(0, "contacts", &message("contacts", contact));
    let contact = json!([{"name": {"formatted_name": "A B"}}]);
    expect(131_009, "one name part", &message("contacts", contact));
    expect(131_009, "no contacts", &message("contacts", json!([])));
    expect(100, "contacts is an object", &message("contacts", json!({})));

    expect(
        0,
        "reaction",
        &message("reaction", json!({"message_id": "w", "emoji": "😀"})),
    );
    expect(
        0,
        "reaction removed",
        &message("reaction", json!({"message_id": "w", "emoji": ""})),
    );
    expect(
        131_008,
        "reaction to nothing",
        &message("reaction", json!({"emoji": "😀"})),
    );
}

fn buttons(titles: &[&str]) -> Value {
    let buttons: Vec<Value> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| json!({"type": "reply", "reply": {"id": format!("b{at}"), "title": title}}))
        .collect();
    json!({"type": "button", "body": {"text": "?"}, "action": {"buttons": buttons}})
}

fn list(sections: usize, rows: usize) -> Value {
    let sections: Vec<Value> = (0..sections)
        .map(|s| {
            let rows: Vec<Value> = (0..rows)
                .map(|r| json!({"id": format!("{s}.{r}"), "title": "row"}))
                .collect();
            json!({"title": "section", "rows": rows})
        })
        .collect();
    json!({"type": "list", "body": {"text": "?"}, "action": {"button": "Open", "sections": sections}})
}

#[test]
fn interactive_messages() {
    let send = |content: Value| message("interactive", content);
    expect(0, "buttons", &send(buttons(&["Yes", "No", "Later"])));
    expect(131_009, "four buttons", &send(buttons(&["1", "2", "3", "4"])));
    expect(131_009, "no buttons", &send(buttons(&[])));
    expect(0, "title of 20", &send(buttons(&["হ্যাঁ, অবশ্যই চাই ২০"])));
    expect(131_009, "title of 21", &send(buttons(&[&"x".repeat(21)])));
    expect(131_009, "same titles", &send(buttons(&["Yes", "Yes"])));
    expect(131_008, "no body", &send(without(buttons(&["Yes"]), "body")));
    expect(131_008, "no action", &send(without(buttons(&["Yes"]), "action")));
    expect(131_008, "no type", &send(without(buttons(&["Yes"]), "type")));
    let long = with(buttons(&["Yes"]), "body", json!({"text": "x".repeat(1025)}));
    expect(131_009, "long body", &send(long));
    let footer = with(buttons(&["Yes"]), "footer", json!({"text": "x".repeat(61)}));
    expect(131_009, "long footer", &send(footer));
    let header = json!({"type": "image", "image": {"id": "1"}});
    expect(
        0,
        "image header",
        &send(with(buttons(&["Yes"]), "header", header.clone())),
    );

    expect(0, "list", &send(list(2, 5)));
    expect(131_009, "11 rows", &send(list(11, 1)));
    expect(131_009, "12 rows", &send(list(2, 6)));
    expect(
        131_009,
        "image header of a list",
        &send(with(list(1, 1), "header", header)),
    );
    let mut untitled = list(2, 1);
    untitled["action"]["sections"][1]
        .as_object_mut()
        .unwrap()
        .remove("title");
    expect(131_008, "untitled section", &send(untitled));

    let cta = |url: &str| {
        json!({"type": "cta_url", "body": {"text": "?"}, "action": {"name": "cta_url",
            "parameters": {"display_text": "Open", "url": url}}})
    };
    expect(0, "cta_url", &send(cta("https://example.org")));
    expect(131_009, "cta_url without scheme", &send(cta("example.org")));

    let flow = |parameters: Value| json!({"type": "flow", "body": {"text": "?"}, "action": {"name": "flow", "parameters": parameters}});
    expect(0, "flow", &send(flow(json!({"flow_id": "1", "flow_cta": "Go"}))));
    let both = json!({"flow_id": "1", "flow_name": "n", "flow_cta": "Go"});
    expect(131_009, "flow by both", &send(flow(both)));
    expect(
        0,
        "unknown type passes",
        &send(json!({"type": "hologram", "action": {}})),
    );
}

#[test]
fn templates() {
    let send = |content: Value| message("template", content);
    let template = json!({"name": "order_update", "language": {"code": "en_US"}, "components": [
        {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "x"}]}]});
    expect(0, "template", &send(template.clone()));
    expect(131_008, "no name", &send(without(template.clone(), "name")));
    expect(131_008, "no language", &send(without(template.clone(), "language")));
    expect(
        131_009,
        "odd name",
        &send(with(template.clone(), "name", json!("Order Update"))),
    );
    let webhook_spelling = with(template.clone(), "language", json!({"code": "en-US"}));
    expect(132_001, "language as in webhooks", &send(webhook_spelling));
    let components = |value| send(with(template.clone(), "components", value));
    expect(
        131_008,
        "button without index",
        &components(json!([{"type": "button", "sub_type": "url"}])),
    );
    let empty = json!([{"type": "body", "parameters": [{"type": "text", "text": ""}]}]);
    expect(131_008, "empty parameter", &components(empty));
    let header = json!([{"type": "header", "parameters": [{"type": "image", "image": {}}]}]);
    expect(131_008, "image without source", &components(header));
}

#[test]
fn read_marks() {
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X"});
    assert_eq!(check(&mark, &number()).ok(), Some(Request::MarkRead));
    expect(
        0,
        "typing",
        &with(mark.clone(), "typing_indicator", json!({"type": "text"})),
    );
    expect(
        131_009,
        "odd typing",
        &with(mark.clone(), "typing_indicator", json!({"type": "x"})),
    );
    expect(131_008, "no message", &without(mark.clone(), "message_id"));
    expect(100, "other status", &with(mark, "status", json!("delivered")));
}

#[test]
fn text_that_rules_match_on() {
    let read = |body: &Value, kind| readable_text(body, kind).map(str::to_owned);
    assert_eq!(read(&text("hi"), "text").as_deref(), Some("hi"));
    let body = message("image", json!({"id": "1", "caption": "cap"}));
    assert_eq!(read(&body, "image").as_deref(), Some("cap"));
    assert_eq!(
        read(&message("interactive", buttons(&["Y"])), "interactive").as_deref(),
        Some("?")
    );
    assert_eq!(read(&message("location", json!({})), "location"), None);
}
