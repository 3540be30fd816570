//! Edits and revocations of messages.

use dakghar_core::domain::amendment::EDIT_BYTES_MAX;

use super::*;

fn part(message: &str) -> OtherPart {
    other(&with_value(&format!(r#""messages":[{message}]"#)))
}

fn edit(text: &str) -> String {
    format!(
        r#"{{"from":"1","id":"wamid.e","timestamp":"1760000100","type":"edit","edit":{{"original_message_id":"wamid.o",
        "message":{{"type":"text","text":{{"body":"{text}"}}}}}}}}"#
    )
}

#[test]
fn an_edit_and_a_revocation_say_of_which_message_and_when_and_are_kept_whole() {
    let edited = part(&edit("second"));
    let amends = edited.amends.expect("it amends");
    assert_eq!((amends.of.as_str(), amends.by.as_str()), ("wamid.o", "wamid.e"));
    assert_eq!(amends.at, Instant::from_millis(1_760_000_100_000));
    let content = amends.content.expect("an edit");
    assert_eq!((&*content.kind, &*content.body), ("text", r#"{"body":"second"}"#));
    assert_eq!((edited.problem, &*edited.field), (None, "messages"));
    assert!(edited.raw.contains(&edit("second")) && edited.raw.contains(r#""phone_number_id":"111""#));

    // Without a time it was made now.
    let revoked = part(r#"{"from":"1","id":"wamid.r","type":"revoke","revoke":{"original_message_id":"wamid.o"}}"#);
    let amends = revoked.amends.expect("it amends");
    assert_eq!((amends.of.as_str(), amends.by.as_str()), ("wamid.o", "wamid.r"));
    assert_eq!(amends.at, Instant::from_millis(NOW_SECONDS * 1000));
    assert_eq!(amends.content, None);
}

#[test]
fn what_cannot_be_an_edit_is_kept_and_changes_no_message() {
    let too_long = edit(&"x".repeat(EDIT_BYTES_MAX));
    for odd in [
        r#"{"id":"wamid.r","type":"revoke"}"#,
        r#"{"id":"wamid.r","type":"revoke","revoke":{"original_message_id":""}}"#,
        r#"{"id":"wamid.r","type":"revoke","revoke":"wamid.o"}"#,
        r#"{"id":"wamid.e","type":"edit","edit":{"original_message_id":"wamid.o"}}"#,
        r#"{"id":"wamid.e","type":"edit","edit":{"original_message_id":"wamid.o","message":{"text":{}}}}"#,
        r#"{"id":"wamid.e","type":"edit","edit":{"message":{"type":"text","text":{}}}}"#,
        &too_long,
    ] {
        // The surroundings of an edit are a part of their own.
        let parts = parse(&with_value(&format!(r#""messages":[{odd}]"#)));
        let [WebhookPart::Other(part), WebhookPart::Other(_)] = &parts[..] else {
            panic!("{parts:?}")
        };
        assert_eq!(part.amends, None, "{odd}");
        assert!(part.problem.is_some() && part.raw.contains(odd), "{odd}");
    }
}
