//! What Meta would have posted to a tenant that is alone at its app: Meta's own elements with what stood around them,
//! and nothing of ours.
//!
//! Each entry of a feed is an entry of the body, in the order of the feed. Texts, numbers and unknown fields are Meta's,
//! byte by byte. Two things are put back: where Meta returns the callback data that we sent with a message, stands what the
//! tenant's own request gave, or nothing where it gave none; and a message whose client was answered with a gateway id has
//! that one, where Meta names it by an id that the client never saw.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::gateway_ids::{GatewayIds, named_in, status_of, wamid_of, with_gateway_ids};
use super::reading::{EntryData, FeedItem};
use super::rewriting::{Member, json_text, rewritten};
use crate::app::failure::Failure;
use crate::app::messages::Messages;
use crate::domain::feed::{FeedEntry, Subject};
use crate::domain::message::{Message, Origin, StatusRecord};
use crate::domain::opaque::OpaqueSigner;
use crate::domain::raw_members::RawMembers;
use crate::domain::webhook::{FRAME_END, framed, list_of};
use crate::domain::{AmendedMessage, MessageId, MessageKey, PhoneNumberId, TenantId, WabaId, Wamid, WebhookEvent};
use crate::ports::StoreError;

/// The member of a status with the callback data.
const OPAQUE: &str = "biz_opaque_callback_data";
/// The field of messages and statuses.
const MESSAGES: &str = "messages";
/// The field and the list of what the business wrote in its app.
const ECHOES: &str = "smb_message_echoes";
const ECHO_LIST: &str = "message_echoes";

/// True for an entry that Meta tells of. What becomes of a message by our own doing (`message.sent`, `message.dead`,
/// `message.expired` …), of endpoints and of sending as a whole is never posted by Meta, and nobody knows what an unreadable entry was.
pub fn is_posted_by_meta(entry: &FeedEntry) -> bool {
    !matches!(entry.subject, Subject::Change { .. } | Subject::Unreadable(_)) && !entry.kind.is_of_dakghar()
}

/// The callback data that the tenant's own requests gave, by message.
pub type OwnCallbackData = HashMap<MessageId, Arc<str>>;

/// Returns the body that Meta would have posted for these entries, as JSON text. `None` if Meta posts nothing for any of
/// them, or nothing is left of what it posted. `own` is about messages that are named in events, and `ids` about those and
/// what is quoted; those with reports stand beside them. [`Reading::meta_body`](crate::app::Reading::meta_body) finds it.
pub fn meta_body<'a>(
    items: impl IntoIterator<Item = &'a FeedItem>,
    own: &OwnCallbackData,
    ids: &GatewayIds,
) -> Option<String> {
    let mut body = String::from(r#"{"object":"whatsapp_business_account","entry":["#);
    let mut is_first = true;
    for entry in items.into_iter().filter_map(|item| entry_of(item, own, ids)) {
        if !is_first {
            body.push(',');
        }
        is_first = false;
        body.push_str(&entry);
    }
    body.push_str("]}");
    (!is_first).then_some(body)
}

/// Meta's entry with the element that an entry of the feed tells of.
fn entry_of(item: &FeedItem, own: &OwnCallbackData, ids: &GatewayIds) -> Option<String> {
    if !is_posted_by_meta(&item.entry) {
        return None;
    }
    match &item.data {
        EntryData::Message(amended) => of_message(&amended.message, ids),
        EntryData::Report(report, amended) => of_report(report, amended.as_deref()),
        EntryData::Event(event) => of_event(event, own, ids),
        EntryData::Gone | EntryData::Unreadable => None,
    }
}

/// `None` if nothing is left of how it came.
fn of_message(message: &Message, ids: &GatewayIds) -> Option<String> {
    let accepted = &message.accepted;
    let element = accepted.content.envelope.as_deref()?;
    let renamed = with_gateway_ids(element, ids);
    let element = renamed.as_deref().unwrap_or(element);
    let list = list_of(accepted.origin);
    let field = match accepted.origin {
        Origin::Client | Origin::Person => MESSAGES,
        Origin::BusinessApp => ECHOES,
        Origin::History => "history",
    };
    let frame = accepted.content.frame.as_deref();
    let whole = frame.and_then(|frame| framed(frame, list, element));
    whole.or_else(|| framed(&bare_frame(None, field, Some(&accepted.phone_number_id)), list, element))
}

fn of_report(report: &StatusRecord, amended: Option<&AmendedMessage>) -> Option<String> {
    let accepted = amended.map(|amended| &amended.message.accepted);
    let own = accepted.and_then(|accepted| accepted.client_opaque.as_deref());
    let element = with_callback_data(&report.raw, own);
    let gateway_id = amended.and_then(|amended| amended.message.gateway_id());
    let renamed = gateway_id.and_then(|id| status_of(&id, &element));
    let element = renamed.unwrap_or(element);
    let frame = report.frame.as_deref();
    let whole = frame.and_then(|frame| framed(frame, "statuses", &element));
    let number = accepted.map(|accepted| &accepted.phone_number_id);
    whole.or_else(|| framed(&bare_frame(None, MESSAGES, number), "statuses", &element))
}

/// `None` if it came as something else than JSON.
fn of_event(event: &WebhookEvent, own: &OwnCallbackData, ids: &GatewayIds) -> Option<String> {
    let raw: &RawValue = serde_json::from_str(&event.raw).ok()?;
    let members = RawMembers::of(raw);
    let is_entry = |members: &RawMembers<'_>| event.field.is_empty() || members.get("changes").is_some();
    let whole = match &members {
        Some(members) if is_entry(members) => event.raw.to_string(),
        // A change that is no object.
        None if event.field.is_empty() => {
            let account = account(event.waba_id.as_ref());
            format!(r#"{{{account}"changes":[{}]}}"#, raw.get())
        }
        // An element that could not be read, or whose surroundings were too long to be repeated.
        members => element_of(event, members.as_ref(), raw.get())?,
    };
    let whole = with_own_callback_data(whole, own, ids);
    Some(with_gateway_ids(&whole, ids).unwrap_or(whole))
}

/// As [`meta_body`], with the callback data of the messages that events name, and the gateway ids of those that are named.
pub(in crate::app) async fn posted_body(
    messages: &Messages,
    tenant_id: &TenantId,
    items: &[FeedItem],
) -> Result<Option<String>, Failure> {
    let quoted = messages.find_by_wamid(&quoted_in(items)).await?.into_iter().flatten();
    // A number may have sent for another tenant before.
    let quoted = quoted.filter(|key| key.tenant_id == *tenant_id);
    let named = messages_named_in_events(items).into_iter();
    let named = named.map(|message_id| MessageKey {
        tenant_id: *tenant_id,
        message_id,
    });
    let mut keys: Vec<MessageKey> = named.chain(quoted).collect();
    keys.sort_unstable();
    keys.dedup();
    let (mut own, mut ids) = (OwnCallbackData::new(), GatewayIds::new());
    while !keys.is_empty() {
        let mut later = Vec::new();
        for (key, message) in keys.iter().zip(messages.load_all(&keys).await) {
            match message {
                Ok(Some(message)) => {
                    let gateway_id = message.gateway_id();
                    let wamids = message.delivery.wamids.into_iter();
                    ids.extend(wamids.filter_map(|wamid| Some((wamid, gateway_id.clone()?))));
                    own.extend(message.accepted.client_opaque.map(|data| (key.message_id, data)));
                }
                // Of a message that is gone nobody knows what its request gave, and how it was answered.
                Ok(None) | Err(StoreError::Unreadable(_)) => {}
                Err(StoreError::NotReadYet) => later.push(*key),
                Err(error) => return Err(error.into()),
            }
        }
        keys = later;
    }
    Ok(meta_body(items, &own, &ids))
}

/// The messages whose callback data stands in events: in statuses of payments, and in those that could not be read.
fn messages_named_in_events<'a>(items: impl IntoIterator<Item = &'a FeedItem>) -> Vec<MessageId> {
    let mut found = Vec::new();
    for item in items {
        let EntryData::Event(event) = &item.data else { continue };
        let _unchanged = rewritten(&event.raw, may_hold_data, &mut |_, name, value| {
            found.extend(our_message(value).filter(|_| name == OPAQUE));
            Member::LookedInto
        });
    }
    found
}

/// The messages that what Meta posted names by its ids, with the numbers that it was posted for.
fn quoted_in(items: &[FeedItem]) -> Vec<(PhoneNumberId, Wamid)> {
    let mut quoted = Vec::new();
    for item in items.iter().filter(|item| is_posted_by_meta(&item.entry)) {
        let json = match &item.data {
            EntryData::Message(amended) => amended.message.accepted.content.envelope.as_deref(),
            EntryData::Event(event) => Some(&*event.raw),
            EntryData::Report(..) | EntryData::Gone | EntryData::Unreadable => None,
        };
        if let Some((json, number)) = json.zip(item.phone_number_id()) {
            quoted.extend(named_in(json).into_iter().map(|wamid| (number.clone(), wamid)));
        }
    }
    quoted.sort_unstable();
    quoted.dedup();
    quoted
}

fn element_of(event: &WebhookEvent, members: Option<&RawMembers<'_>>, element: &str) -> Option<String> {
    let problem = event.problem.as_deref().unwrap_or_default();
    let is_echo = matches!(&*event.field, ECHOES | ECHO_LIST);
    let is_status = members.is_some_and(|members| members.get("status").is_some() && members.get("from").is_none());
    let list = if is_echo {
        ECHO_LIST
    } else if &*event.field == "statuses" || is_status || problem.contains("status") {
        "statuses"
    } else {
        "messages"
    };
    let field = match &*event.field {
        ECHO_LIST => ECHOES,
        "statuses" => MESSAGES,
        field => field,
    };
    let frame = bare_frame(event.waba_id.as_ref(), field, event.phone_number_id.as_ref());
    if !problem.ends_with("is neither an array nor an object") {
        return framed(&frame, list, element);
    }
    // It came in the place of the list.
    let open = frame.strip_suffix(FRAME_END)?;
    Some(format!(r#"{open},"{list}":{element}{FRAME_END}"#))
}

/// The least that stands around an element of Meta's, where what stood there was not kept.
fn bare_frame(waba_id: Option<&WabaId>, field: &str, number: Option<&PhoneNumberId>) -> String {
    let account = account(waba_id);
    let field = json_text(field);
    let metadata = number.map_or_else(String::new, |number| {
        format!(r#","metadata":{{"phone_number_id":{}}}"#, json_text(number.as_str()))
    });
    format!(r#"{{{account}"changes":[{{"field":{field},"value":{{"messaging_product":"whatsapp"{metadata}{FRAME_END}"#)
}

/// The id of an entry as its first member, if it is known.
fn account(waba_id: Option<&WabaId>) -> String {
    waba_id.map_or_else(String::new, |id| format!(r#""id":{},"#, json_text(id.as_str())))
}

/// The status with the tenant's own callback data in the place of ours, or without any where it gave none. What is not
/// ours stays.
fn with_callback_data(status: &str, own: Option<&str>) -> String {
    let changed = rewritten(status, may_hold_data, &mut |_, name, value| {
        let ours = our_message(value).filter(|_| name == OPAQUE);
        ours.map_or(Member::LookedInto, |_| callback_data(own))
    });
    changed.unwrap_or_else(|| status.to_owned())
}

/// The JSON with the tenant's own callback data in the place of ours, wherever it stands. The message that it comes with is
/// named by its gateway id, if its client knows it by that.
fn with_own_callback_data(json: String, own: &OwnCallbackData, ids: &GatewayIds) -> String {
    let changed = rewritten(&json, may_hold_data, &mut |members, name, value| match name {
        OPAQUE => our_message(value).map_or(Member::LookedInto, |message_id| {
            callback_data(own.get(&message_id).map(|own| &**own))
        }),
        "id" if members.get(OPAQUE).and_then(our_message).is_some() => {
            let gateway_id = wamid_of(value).and_then(|wamid| ids.get(&wamid));
            gateway_id.map_or(Member::LookedInto, |id| Member::As(json_text(id.as_str())))
        }
        _ => Member::LookedInto,
    });
    changed.unwrap_or(json)
}

fn may_hold_data(text: &str) -> bool {
    text.contains(OPAQUE)
}

fn callback_data(own: Option<&str>) -> Member {
    own.map_or(Member::LeftOut, |own| Member::As(json_text(own)))
}

/// The message that callback data of our form names.
fn our_message(value: &RawValue) -> Option<MessageId> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    OpaqueSigner::named_message(&text)
}
