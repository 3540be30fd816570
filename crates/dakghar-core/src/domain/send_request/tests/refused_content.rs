use super::*;

#[test]
fn the_type_names_a_message() {
    for body in [
        r#"{"to":"+919111111111"}"#.to_owned(),
        r#"{"to":"+919111111111","text":null}"#.to_owned(),
        r#"{"to":"+919111111111","image":{"id":"1"}}"#.to_owned(),
        with_fields(r#""type":"""#),
        with_fields(r#""type":7"#),
        with_fields(r#""type":"Text""#),
        with_fields(r#""type":"te xt""#),
        with_fields(r#""type":"metadata""#),
        with_fields(r#""type":"to""#),
        with_fields(&format!(r#""type":"{}""#, "a".repeat(65))),
    ] {
        check_refused(&body, ErrorCode::InvalidType, "/type");
    }
}

#[test]
fn the_object_of_the_type_is_required_and_those_of_others_are_refused() {
    for (body, pointer) in [
        (r#"{"to":"+919111111111","type":"text"}"#, "/text"),
        (r#"{"to":"+919111111111","type":"text","text":null}"#, "/text"),
        (r#"{"to":"+919111111111","type":"template","text":"a"}"#, "/text"),
        (
            r#"{"to":"+919111111111","type":"text","text":"a","template":{}}"#,
            "/template",
        ),
        (r#"{"to":"+919111111111","text":"a","image":{"id":"1"}}"#, "/image"),
        (r#"{"to":"+919111111111","type":"hologram"}"#, "/hologram"),
        (
            r#"{"to":"+919111111111","type":"hologram","hologram":"x"}"#,
            "/hologram",
        ),
        (
            r#"{"to":"+919111111111","type":"hologram","hologram":{},"text":"a"}"#,
            "/text",
        ),
    ] {
        check_refused(body, ErrorCode::TypeMismatch, pointer);
    }
}

#[test]
fn texts_have_something_to_say() {
    use ErrorCode::{EmptyText, InvalidField, InvalidText, TextTooLong};
    let too_long = format!(r#""{}""#, "a".repeat(4_097));
    let too_many_emoji = format!(r#"{{"body":"{}"}}"#, "😀".repeat(4_097));
    for (text, code, pointer) in [
        (r#""""#, EmptyText, "/text"),
        (r#"" \n\t ""#, EmptyText, "/text"),
        (r#"{"body":""}"#, EmptyText, "/text/body"),
        (r#"{"body":"\u00a0\u3000"}"#, EmptyText, "/text/body"),
        ("{}", EmptyText, "/text/body"),
        (r#"{"body":null}"#, EmptyText, "/text/body"),
        (r#"{"body":5}"#, InvalidField, "/text/body"),
        (
            r#"{"body":"a","preview_url":"true"}"#,
            InvalidField,
            "/text/preview_url",
        ),
        ("5", InvalidField, "/text"),
        ("[]", InvalidField, "/text"),
        (&too_long, TextTooLong, "/text"),
        (&too_many_emoji, TextTooLong, "/text/body"),
        (r#""a\u0000b""#, InvalidText, "/text"),
        (r#"{"body":"a\u001bb"}"#, InvalidText, "/text/body"),
        (r#""a\u007f""#, InvalidText, "/text"),
        (r#""a\u0085b""#, InvalidText, "/text"),
    ] {
        check_refused(&of_type("text", text), code, pointer);
    }
}

#[test]
fn templates_have_a_name_a_language_and_components_of_the_right_shape() {
    let base = |members: &str| format!(r#"{{"name":"order_update","language":{{"code":"en_US"}},{members}}}"#);
    let long_name = format!(r#"{{"name":"{}","language":{{"code":"en"}}}}"#, "a".repeat(513));
    let components = |list: &str| base(&format!(r#""components":{list}"#));
    let many = components(&format!("[{}]", vec![r#"{"type":"body"}"#; 1_000].join(",")));
    for (template, pointer) in [
        (r#""order_update""#.to_owned(), "/template"),
        ("{}".to_owned(), "/template/name"),
        (r#"{"language":{"code":"en"}}"#.to_owned(), "/template/name"),
        (
            r#"{"name":"Order","language":{"code":"en"}}"#.to_owned(),
            "/template/name",
        ),
        (r#"{"name":"","language":{"code":"en"}}"#.to_owned(), "/template/name"),
        (r#"{"name":7,"language":{"code":"en"}}"#.to_owned(), "/template/name"),
        (long_name, "/template/name"),
        (r#"{"name":"a"}"#.to_owned(), "/template/language"),
        (r#"{"name":"a","language":"en"}"#.to_owned(), "/template/language"),
        (r#"{"name":"a","language":{}}"#.to_owned(), "/template/language/code"),
        (
            r#"{"name":"a","language":{"code":"e n"}}"#.to_owned(),
            "/template/language/code",
        ),
        (components("{}"), "/template/components"),
        (many, "/template/components"),
        (components("[1]"), "/template/components/0"),
        (components("[{}]"), "/template/components/0/type"),
        (
            components(r#"[{"type":"body","parameters":{}}]"#),
            "/template/components/0/parameters",
        ),
        (
            components(r#"[{"type":"body","parameters":["Ana"]}]"#),
            "/template/components/0/parameters/0",
        ),
        (
            components(r#"[{"type":"body","parameters":[{"type":"text","text":7}]}]"#),
            "/template/components/0/parameters/0/text",
        ),
        (
            components(r#"[{"type":"body"},{"type":"body","parameters":[{"type":"currency"}]}]"#),
            "/template/components/1/parameters/0/currency",
        ),
        (
            components(r#"[{"type":"carousel","cards":[]}]"#),
            "/template/components/0/cards",
        ),
        (
            components(r#"[{"type":"CAROUSEL","cards":[{"card_index":0,"components":[]}]}]"#),
            "/template/components/0/cards",
        ),
        (components(r#"[{"type":"carousel"}]"#), "/template/components/0/cards"),
        (
            components(r#"[{"type":"carousel","cards":[{"card_index":0},{"card_index":0}]}]"#),
            "/template/components/0/cards/1/card_index",
        ),
        (
            components(r#"[{"type":"carousel","cards":[{"card_index":0},{}]}]"#),
            "/template/components/0/cards/1/card_index",
        ),
    ] {
        check_refused(&of_type("template", &template), ErrorCode::InvalidTemplate, pointer);
    }
}

#[test]
fn links_are_checked_wherever_media_can_be() {
    use ErrorCode::{ForbiddenUrl, InvalidMedia, InvalidUrl};
    let with_image = |image: &str| {
        [
            (of_type("image", image), "/image"),
            (
                of_type(
                    "template",
                    &format!(
                        r#"{{"name":"a","language":{{"code":"en"}},"components":[
                            {{"type":"header","parameters":[{{"type":"image","image":{image}}}]}}]}}"#
                    ),
                ),
                "/template/components/0/parameters/0/image",
            ),
            (
                of_type(
                    "template",
                    &format!(
                        r#"{{"name":"a","language":{{"code":"en"}},"components":[{{"type":"carousel","cards":[
                            {{"card_index":0,"components":[{{"type":"header","parameters":[{{"type":"image","image":{image}}}]}}]}},
                            {{"card_index":1}}]}}]}}"#
                    ),
                ),
                "/template/components/0/cards/0/components/0/parameters/0/image",
            ),
            (
                of_type(
                    "interactive",
                    &format!(
                        r#"{{"type":"button","header":{{"type":"image","image":{image}}},"body":{{"text":"a"}},
                            "action":{{"buttons":[{{"type":"reply","reply":{{"id":"y","title":"Yes"}}}}]}}}}"#
                    ),
                ),
                "/interactive/header/image",
            ),
            (
                of_type(
                    "interactive",
                    &format!(
                        r#"{{"type":"carousel","action":{{"cards":[{{"header":{{"type":"image","image":{image}}}}},{{}}]}}}}"#
                    ),
                ),
                "/interactive/action/cards/0/header/image",
            ),
        ]
    };
    for (image, code, below) in [
        (r#"{"id":"1","link":"https://example.com/a"}"#, InvalidMedia, ""),
        ("{}", InvalidMedia, ""),
        (r#"{"id":null}"#, InvalidMedia, ""),
        (r#"{"id":7}"#, InvalidMedia, "/id"),
        (r#"{"id":""}"#, InvalidMedia, "/id"),
        (r#"{"link":7}"#, InvalidUrl, "/link"),
        (r#"{"link":"file:///etc/passwd"}"#, InvalidUrl, "/link"),
        (r#"{"link":"ftp://example.com/a"}"#, InvalidUrl, "/link"),
        (r#"{"link":"javascript:alert(1)"}"#, InvalidUrl, "/link"),
        (r#"{"link":"https://169.254.169.254/latest"}"#, ForbiddenUrl, "/link"),
        (r#"{"link":"https://localhost/a"}"#, ForbiddenUrl, "/link"),
        (r#"{"link":"https://[::ffff:127.0.0.1]/a"}"#, ForbiddenUrl, "/link"),
    ] {
        for (body, pointer) in with_image(image) {
            check_refused(&body, code, &format!("{pointer}{below}"));
        }
    }
}

#[test]
fn media_have_captions_and_names_of_the_right_kind() {
    let long_caption = format!(r#"{{"id":"1","caption":"{}"}}"#, "a".repeat(1_025));
    for (kind, object, pointer) in [
        ("image", long_caption.as_str(), "/image/caption"),
        ("image", r#""1""#, "/image"),
        ("video", r#"{"id":"1","caption":5}"#, "/video/caption"),
        ("audio", r#"{"id":"1","caption":"a"}"#, "/audio/caption"),
        ("audio", r#"{"id":"1","voice":"yes"}"#, "/audio/voice"),
        ("sticker", r#"{"id":"1","caption":"a"}"#, "/sticker/caption"),
        ("document", r#"{"id":"1","filename":7}"#, "/document/filename"),
    ] {
        check_refused(&of_type(kind, object), ErrorCode::InvalidMedia, pointer);
    }
}

fn button(id: &str, title: &str) -> String {
    format!(r#"{{"type":"reply","reply":{{"id":"{id}","title":"{title}"}}}}"#)
}

fn buttons(list: &[String]) -> String {
    format!(
        r#"{{"type":"button","body":{{"text":"a"}},"action":{{"buttons":[{}]}}}}"#,
        list.join(",")
    )
}

#[test]
fn reply_buttons_are_few_short_and_different() {
    let at = "/interactive/action/buttons";
    let numbered = |count: usize| {
        (0..count)
            .map(|i| button(&i.to_string(), &format!("B{i}")))
            .collect::<Vec<_>>()
    };
    for (list, pointer) in [
        (vec![], at.to_owned()),
        (numbered(4), at.to_owned()),
        (vec![button("", "Yes")], format!("{at}/0/reply/id")),
        (vec![button(" y", "Yes")], format!("{at}/0/reply/id")),
        (vec![button(&"y".repeat(257), "Yes")], format!("{at}/0/reply/id")),
        (vec![button("y", "")], format!("{at}/0/reply/title")),
        (vec![button("y", &"Y".repeat(21))], format!("{at}/0/reply/title")),
        (
            vec![button("y", "Yes"), button("n", "Yes")],
            format!("{at}/1/reply/title"),
        ),
        (vec![button("y", "Yes"), button("y", "No")], format!("{at}/1/reply/id")),
        (vec!["{}".to_owned()], format!("{at}/0/reply")),
        (vec!["7".to_owned()], format!("{at}/0")),
        (vec![r#"{"type":"url"}"#.to_owned()], format!("{at}/0/type")),
    ] {
        check_refused(
            &of_type("interactive", &buttons(&list)),
            ErrorCode::InvalidInteractive,
            &pointer,
        );
    }
}

fn section(title: &str, rows: std::ops::Range<usize>) -> String {
    let rows: Vec<_> = rows.map(|i| format!(r#"{{"id":"r{i}","title":"R{i}"}}"#)).collect();
    format!(r#"{{"title":"{title}","rows":[{}]}}"#, rows.join(","))
}

fn list_of(sections: &str) -> String {
    format!(r#"{{"type":"list","body":{{"text":"a"}},"action":{{"button":"Options","sections":[{sections}]}}}}"#)
}

#[test]
fn lists_have_ten_rows_at_most() {
    let at = "/interactive/action/sections";
    let eleven_sections: Vec<_> = (0..11).map(|i| section(&format!("S{i}"), i..i + 1)).collect();
    let row = |members: &str| list_of(&format!(r#"{{"rows":[{{{members}}}]}}"#));
    for (list, pointer) in [
        (list_of(""), at.to_owned()),
        (list_of(&eleven_sections.join(",")), at.to_owned()),
        (list_of(&section("S", 0..11)), format!("{at}/0/rows")),
        (
            list_of(&[section("S", 0..6), section("T", 6..11)].join(",")),
            at.to_owned(),
        ),
        (
            list_of(&[section("S", 0..1), section("", 1..2)].join(",")),
            format!("{at}/1/title"),
        ),
        (list_of(&section(&"S".repeat(25), 0..1)), format!("{at}/0/title")),
        (
            list_of(&[section("S", 0..1), section("T", 0..1)].join(",")),
            format!("{at}/1/rows/0/id"),
        ),
        (row(r#""title":"R""#), format!("{at}/0/rows/0/id")),
        (
            row(&format!(r#""id":"{}","title":"R""#, "r".repeat(201))),
            format!("{at}/0/rows/0/id"),
        ),
        (
            row(&format!(r#""id":"r","title":"{}""#, "R".repeat(25))),
            format!("{at}/0/rows/0/title"),
        ),
        (
            row(&format!(r#""id":"r","title":"R","description":"{}""#, "d".repeat(73))),
            format!("{at}/0/rows/0/description"),
        ),
        (
            list_of(&section("S", 0..1)).replace("Options", &"O".repeat(21)),
            "/interactive/action/button".to_owned(),
        ),
        (
            list_of(&section("S", 0..1)).replace(r#""body""#, r#""header":{"type":"image","image":{"id":"1"}},"body""#),
            "/interactive/header/type".to_owned(),
        ),
    ] {
        check_refused(&of_type("interactive", &list), ErrorCode::InvalidInteractive, &pointer);
    }
}

#[test]
fn other_interactive_messages_are_checked_where_their_shape_is_known() {
    let long_body =
        buttons(&[button("y", "Yes")]).replace(r#""text":"a""#, &format!(r#""text":"{}""#, "a".repeat(1_025)));
    let too_many_products = format!(
        r#"{{"type":"product_list","header":{{"type":"text","text":"h"}},"body":{{"text":"a"}},
            "action":{{"catalog_id":"C","sections":[{0},{0}]}}}}"#,
        format_args!(
            r#"{{"title":"S","product_items":[{}]}}"#,
            vec![r#"{"product_retailer_id":"P"}"#; 16].join(",")
        )
    );
    for (interactive, pointer) in [
        ("[]", "/interactive"),
        ("{}", "/interactive/type"),
        (r#"{"type":"button","body":{"text":"a"}}"#, "/interactive/action"),
        (
            r#"{"type":"button","action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Y"}}]}}"#,
            "/interactive/body",
        ),
        (&long_body, "/interactive/body/text"),
        (
            r#"{"type":"cta_url","body":{"text":"a"},"footer":{"text":""},"action":{"name":"cta_url","parameters":{}}}"#,
            "/interactive/footer/text",
        ),
        (
            r#"{"type":"cta_url","body":{"text":"a"},"action":{"name":"cta_url","parameters":{"display_text":"Open","url":"javascript:1"}}}"#,
            "/interactive/action/parameters/url",
        ),
        (
            r#"{"type":"flow","body":{"text":"a"},"action":{"name":"flow","parameters":{"flow_id":"1","flow_name":"n","flow_cta":"Go"}}}"#,
            "/interactive/action/parameters",
        ),
        (
            r#"{"type":"flow","body":{"text":"a"},"action":{"name":"flow","parameters":{"flow_id":"1","flow_cta":"Go","flow_action":"x"}}}"#,
            "/interactive/action/parameters/flow_action",
        ),
        (
            r#"{"type":"product","header":{"type":"text","text":"h"},"action":{"catalog_id":"C","product_retailer_id":"P"}}"#,
            "/interactive/header",
        ),
        (
            r#"{"type":"product","action":{"catalog_id":"C"}}"#,
            "/interactive/action/product_retailer_id",
        ),
        (
            r#"{"type":"product_list","body":{"text":"a"},"action":{"catalog_id":"C","sections":[{"product_items":[{"product_retailer_id":"P"}]}]}}"#,
            "/interactive/header",
        ),
        (&too_many_products, "/interactive/action/sections"),
        (
            r#"{"type":"location_request_message","body":{"text":"a"},"action":{}}"#,
            "/interactive/action/name",
        ),
        (
            r#"{"type":"carousel","action":{"cards":[]}}"#,
            "/interactive/action/cards",
        ),
    ] {
        check_refused(
            &of_type("interactive", interactive),
            ErrorCode::InvalidInteractive,
            pointer,
        );
    }
}

#[test]
fn reactions_places_contacts_and_pins_are_complete() {
    let too_many_contacts = format!("[{}]", vec![r#"{"name":{"formatted_name":"J"}}"#; 258].join(","));
    for (kind, object, pointer) in [
        ("reaction", "{}", "/reaction/message_id"),
        ("reaction", r#"{"message_id":"x","emoji":"😀"}"#, "/reaction/message_id"),
        ("reaction", r#"{"message_id":"wamid.X"}"#, "/reaction/emoji"),
        ("reaction", r#"{"message_id":"wamid.X","emoji":5}"#, "/reaction/emoji"),
        ("location", "[]", "/location"),
        ("location", r#"{"longitude":1}"#, "/location/latitude"),
        ("location", r#"{"latitude":91,"longitude":1}"#, "/location/latitude"),
        (
            "location",
            r#"{"latitude":1,"longitude":-180.5}"#,
            "/location/longitude",
        ),
        (
            "location",
            r#"{"latitude":"north","longitude":1}"#,
            "/location/latitude",
        ),
        ("location", r#"{"latitude":"NaN","longitude":1}"#, "/location/latitude"),
        ("location", r#"{"latitude":1,"longitude":true}"#, "/location/longitude"),
        ("location", r#"{"latitude":1,"longitude":1,"name":5}"#, "/location/name"),
        ("contacts", "{}", "/contacts"),
        ("contacts", "[]", "/contacts"),
        ("contacts", "[{}]", "/contacts/0/name"),
        ("contacts", r#"[{"name":{}}]"#, "/contacts/0/name/formatted_name"),
        ("contacts", &too_many_contacts, "/contacts"),
    ] {
        check_refused(&of_type(kind, object), ErrorCode::InvalidField, pointer);
    }
}

#[test]
fn pins_are_for_groups_and_last_for_some_days() {
    let in_group = |pin: &str| format!(r#"{{"to":"Y2Fw","recipient_type":"group","type":"pin","pin":{pin}}}"#);
    for (pin, pointer) in [
        (r#"{"type":"glue","message_id":"wamid.X"}"#, "/pin/type"),
        (r#"{"type":"unpin"}"#, "/pin/message_id"),
        (r#"{"type":"pin","message_id":"wamid.X"}"#, "/pin/expiration_days"),
        (
            r#"{"type":"pin","message_id":"wamid.X","expiration_days":31}"#,
            "/pin/expiration_days",
        ),
    ] {
        check_refused(&in_group(pin), ErrorCode::InvalidField, pointer);
    }
    let to_a_person = of_type("pin", r#"{"type":"unpin","message_id":"wamid.X"}"#);
    check_refused(&to_a_person, ErrorCode::InvalidField, "/pin");
}
