//! Messages that Meta names in what it posts, for clients that were answered with gateway ids and know their messages by
//! those: a status names its message, an answer the one that it quotes, a reaction the one that it is about.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::rewriting::{Member, json_text, rewritten};
use crate::domain::Wamid;
use crate::domain::raw_members::RawMembers;

/// The gateway ids of messages whose clients know them by these, by the ids that Meta gave them.
pub type GatewayIds = HashMap<Wamid, Wamid>;

/// The objects in which Meta names another message, each with the member that has the id.
const NAMES: [(&str, &str); 2] = [("context", "id"), ("reaction", "message_id")];

/// Returns the ids of the messages that are named in this JSON.
pub(super) fn named_in(json: &str) -> Vec<Wamid> {
    let mut named = Vec::new();
    let _unchanged = renamed(json, &mut |wamid| {
        named.push(wamid);
        None
    });
    named
}

/// Returns the JSON in which these messages are named by their gateway ids; `None` if nothing is to be changed in it.
pub(super) fn with_gateway_ids(json: &str, ids: &GatewayIds) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    renamed(json, &mut |wamid| ids.get(&wamid).cloned())
}

/// Returns a status that names its message by this id; `None` if it is no object.
pub(super) fn status_of(gateway_id: &Wamid, status: &str) -> Option<String> {
    let members: RawMembers<'_> = serde_json::from_str(status).ok()?;
    Some(members.object_of(|name, value| Some(with_id(name == "id", value, Some(gateway_id)))))
}

/// The id that is a member's value, if it may be one of Meta's.
pub(super) fn wamid_of(value: &RawValue) -> Option<Wamid> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    Wamid::parse(&text).ok()
}

fn renamed(json: &str, other: &mut dyn FnMut(Wamid) -> Option<Wamid>) -> Option<String> {
    rewritten(json, may_name, &mut |_, name, value| {
        let found = NAMES.iter().find(|(holder, _)| *holder == name);
        let Some((id, members)) = found.and_then(|(_, id)| Some((*id, RawMembers::of(value)?))) else {
            return Member::LookedInto;
        };
        Member::As(members.object_of(|name, value| {
            let is_id = name == id;
            let other = wamid_of(value).filter(|_| is_id).and_then(&mut *other);
            Some(with_id(is_id, value, other.as_ref()))
        }))
    })
}

fn may_name(text: &str) -> bool {
    text.contains(r#""context""#) || text.contains(r#""reaction""#)
}

/// The value of a member, or the other id in its place.
fn with_id(is_id: bool, value: &RawValue, other: Option<&Wamid>) -> String {
    let other = other.filter(|_| is_id);
    other.map_or_else(|| value.get().to_owned(), |id| json_text(id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "wamid.dakghar.msg_00000000000000000000000007";

    fn wamid(text: &str) -> Wamid {
        Wamid::parse(text).expect("a wamid")
    }

    fn ids() -> GatewayIds {
        GatewayIds::from([(wamid("wamid.A/B="), wamid(OURS))])
    }

    #[test]
    fn quotes_and_reactions_name_messages_wherever_they_stand_and_nothing_else_changes() {
        for (json, named) in [
            (
                r#"{"id":"wamid.A/B=","n":1.0e2,"context":{"from":"1","id":"wamid.A/B="}}"#,
                1,
            ),
            (r#"{"reaction":{"message_id":"wamid.A\/B=","emoji":"\ud83d\udc4d"}}"#, 1),
            (
                r#"{"edit":{"message":{"text":{"body":"x"},"context":{"id":"wamid.A/B="}}}}"#,
                1,
            ),
            (
                r#"[{"messages":[{"context":{"id":"wamid.C"}},{"context":{"id":"wamid.A/B="}}]}]"#,
                2,
            ),
        ] {
            assert_eq!(named_in(json).len(), named, "{json}");
            let told = with_gateway_ids(json, &ids()).expect("it is changed");
            let expected = json.replacen(r"A\/B=", "A/B=", 1);
            let (before, after) = expected.rsplit_once("wamid.A/B=").expect("it is named");
            assert_eq!(told, format!("{before}{OURS}{after}"));
        }
    }

    #[test]
    fn what_names_nothing_of_ours_stays_to_the_byte() {
        for json in [
            r#"{"context":{"from":"1","forwarded":true}}"#,
            r#"{"context":"wamid.A/B="}"#,
            r#"{"context":{"id":null,"message_id":"wamid.A/B="},"reaction":{"id":"wamid.A/B="}}"#,
            r#"{"context":{"id":"wamid.C"}}"#,
        ] {
            assert_eq!(with_gateway_ids(json, &ids()).as_deref(), Some(json));
            assert_eq!(with_gateway_ids(json, &GatewayIds::new()), None, "nobody looks");
        }
        for json in [r#"{"id":"wamid.A/B="}"#, r#""context" is no JSON"#] {
            assert_eq!(
                (with_gateway_ids(json, &ids()), named_in(json).len()),
                (None, 0),
                "{json}"
            );
        }
    }

    #[test]
    fn a_status_names_its_message_and_keeps_the_rest() {
        let status = r#"{"id":"wamid.A\/B=","status":"read","conversation":{"id":"c1"},"n":1.0e2}"#;
        let expected = format!(r#"{{"id":"{OURS}","status":"read","conversation":{{"id":"c1"}},"n":1.0e2}}"#);
        assert_eq!(status_of(&wamid(OURS), status), Some(expected));
        assert_eq!(status_of(&wamid(OURS), "5"), None);
    }
}
