//! Gateway ids: of a message whose client was answered with its own, and of those that a message names by theirs, because its
//! client did not know Meta's ids of them: the one that it quotes, and the one that it reacts to or pins.
//!
//! Meta knows no gateway id, so a wamid takes its place before the call, in the copy that is sent. What is stored stays as
//! the client wrote it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::super::ids::{MessageId, Wamid};
use super::super::raw_members::RawMembers;
use super::Message;

/// Meta's name of the member that names a message.
const MESSAGE_ID: &str = "message_id";
/// Meta's name of the object that names the message that is quoted.
const CONTEXT: &str = "context";

/// The knowledge of Meta's id of a message that is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Meta has given it this one.
    By(Wamid),
    /// It may still get one.
    NotYet,
    /// It will never have one: there is no such message, or it ended unsent.
    Never,
}

impl Named {
    /// Returns what is known of a message, as it is stored.
    pub fn of(message: Option<&Message>) -> Self {
        match message.map(|message| &message.delivery) {
            None => Self::Never,
            Some(delivery) => match &delivery.wamid {
                Some(wamid) => Self::By(wamid.clone()),
                None if delivery.status.is_unsettled() => Self::NotYet,
                None => Self::Never,
            },
        }
    }
}

impl Message {
    /// Returns its gateway id, if its client knows it by that one.
    pub fn gateway_id(&self) -> Option<Wamid> {
        self.accepted.by_gateway_id.then(|| Wamid::of_gateway(self.accepted.id))
    }

    /// Returns the messages that it names by their gateway ids.
    pub fn named_by_us(&self) -> Vec<MessageId> {
        [self.quoted(), self.subject()].into_iter().flatten().collect()
    }

    /// True if it is about a message that has no id of Meta's, such as a reaction to it: it cannot be sent.
    pub fn is_about_no_message(&self) -> bool {
        self.subject().is_some()
    }

    /// Puts Meta's ids in the place of gateway ids. A quote of a message that never gets one is left out, as Meta does with
    /// one that it does not know. Returns false if it must wait for an id; then nothing is changed.
    pub fn name_by_wamids(&mut self, known: impl Fn(MessageId) -> Named) -> bool {
        let quoted = self.quoted().map(&known);
        let subject = self.subject().map(&known);
        if [&quoted, &subject]
            .into_iter()
            .flatten()
            .any(|named| *named == Named::NotYet)
        {
            return false;
        }
        let content = &mut self.accepted.content;
        if let Some(quoted) = quoted {
            let envelope = content.envelope.as_deref().and_then(members);
            content.envelope = envelope
                .map(|members| requoted(&members, &quoted))
                .filter(|text| &**text != "{}");
        }
        if let Some(Named::By(wamid)) = subject {
            let body = members(&content.body).map(|members| named(&members, &wamid));
            content.body = body.map_or_else(|| content.body.clone(), Arc::from);
        }
        true
    }

    fn quoted(&self) -> Option<MessageId> {
        let envelope = self
            .accepted
            .content
            .envelope
            .as_deref()
            .filter(|text| may_name(text))?;
        let envelope = members(envelope)?;
        named_in(&RawMembers::of(envelope.get(CONTEXT)?)?)
    }

    fn subject(&self) -> Option<MessageId> {
        let body = Some(&*self.accepted.content.body).filter(|text| may_name(text))?;
        named_in(&members(body)?)
    }
}

/// Nearly no message has such a text in it.
fn may_name(text: &str) -> bool {
    text.contains(Wamid::GATEWAY_PREFIX)
}

fn members(text: &str) -> Option<RawMembers<'_>> {
    serde_json::from_str(text).ok()
}

fn named_in(members: &RawMembers<'_>) -> Option<MessageId> {
    let id: String = serde_json::from_str(members.get(MESSAGE_ID)?.get()).ok()?;
    MessageId::of_gateway_id(&id)
}

/// The same object, which names the message by this id.
fn named(members: &RawMembers<'_>, wamid: &Wamid) -> String {
    members.object_of(|name, value| {
        Some(if name == MESSAGE_ID {
            quoted_text(wamid)
        } else {
            as_it_was(value)
        })
    })
}

/// The same envelope with this quote, or without one.
fn requoted(envelope: &RawMembers<'_>, quoted: &Named) -> Arc<str> {
    let text = envelope.object_of(|name, value| match (name, quoted) {
        (CONTEXT, Named::By(wamid)) => RawMembers::of(value).map(|context| named(&context, wamid)),
        (CONTEXT, _) => None,
        _ => Some(as_it_was(value)),
    });
    text.into()
}

fn as_it_was(value: &RawValue) -> String {
    value.get().to_owned()
}

fn quoted_text(wamid: &Wamid) -> String {
    serde_json::to_string(wamid.as_str()).expect("a string is JSON")
}

#[cfg(test)]
mod tests {
    use super::super::tests::queued;
    use super::*;

    const OURS: &str = "wamid.dakghar.msg_00000000000000000000000007";

    fn message(kind: &str, body: &str, envelope: Option<&str>) -> Message {
        let mut message = queued();
        let content = &mut message.accepted.content;
        (content.kind, content.body) = (kind.into(), body.into());
        content.envelope = envelope.map(Arc::from);
        message
    }

    fn known(_: MessageId) -> Named {
        Named::By(Wamid::parse("wamid.META=").expect("a wamid"))
    }

    #[test]
    fn a_message_has_a_gateway_id_where_its_client_was_answered_with_that() {
        let mut message = queued();
        assert_eq!(message.gateway_id(), None);
        message.accepted.by_gateway_id = true;
        message.delivery.wamid = Wamid::parse("wamid.META=").ok();
        assert_eq!(message.gateway_id(), Some(Wamid::of_gateway(message.accepted.id)));
    }

    #[test]
    fn metas_ids_take_the_place_of_ours_and_nothing_else_changes() {
        let envelope = format!(r#"{{"context":{{"message_id":"{OURS}","x":1}},"recipient_type":"individual"}}"#);
        let text = format!(r#"{{"body":"about {OURS}"}}"#);
        let mut answer = message("text", &text, Some(&envelope));
        assert_eq!(answer.named_by_us().len(), 1);
        assert!(answer.name_by_wamids(known));
        let content = &answer.accepted.content;
        let expected = r#"{"context":{"message_id":"wamid.META=","x":1},"recipient_type":"individual"}"#;
        assert_eq!(
            (content.envelope.as_deref(), &*content.body),
            (Some(expected), text.as_str())
        );

        let reaction = format!(r#"{{"emoji":"\ud83d\ude00","message_id":"{OURS}"}}"#);
        let mut reaction = message("reaction", &reaction, None);
        assert!(reaction.is_about_no_message() && reaction.name_by_wamids(known));
        assert!(!reaction.is_about_no_message());
        let expected = r#"{"emoji":"\ud83d\ude00","message_id":"wamid.META="}"#;
        assert_eq!(&*reaction.accepted.content.body, expected);
    }

    #[test]
    fn who_is_named_too_early_has_it_wait_and_who_is_never_sent_is_not_quoted() {
        let envelope = format!(r#"{{"context":{{"message_id":"{OURS}"}}}}"#);
        let mut answer = message("text", r#"{"body":"x"}"#, Some(&envelope));
        let before = answer.clone();
        assert!(!answer.name_by_wamids(|_| Named::NotYet));
        assert_eq!(answer, before);
        assert!(answer.name_by_wamids(|_| Named::Never));
        assert_eq!(answer.accepted.content.envelope, None);

        let reaction = format!(r#"{{"emoji":"","message_id":"{OURS}"}}"#);
        let mut reaction = message("reaction", &reaction, None);
        assert!(reaction.name_by_wamids(|_| Named::Never));
        assert!(reaction.is_about_no_message(), "a reaction to nothing");
    }

    #[test]
    fn ids_of_metas_are_nobodys_business() {
        let envelope = r#"{"context":{"message_id":"wamid.HBgM"}}"#;
        let mut answer = message("text", r#"{"body":"x"}"#, Some(envelope));
        assert_eq!(answer.named_by_us(), []);
        assert!(answer.name_by_wamids(|_| unreachable!("nobody is named")));
        assert_eq!(answer.accepted.content.envelope.as_deref(), Some(envelope));
    }
}
