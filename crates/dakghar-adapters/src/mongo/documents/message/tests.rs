use dakghar_testkit::samples::With as _;
use std::collections::{BTreeMap, BTreeSet};

use bson::oid::ObjectId;
use bson::{RawBson, RawDocumentBuf};
use dakghar_core::domain::ids::MessageId;
use dakghar_core::domain::message::{Message, Status, Timings};
use dakghar_core::domain::time::Timestamp;
use dakghar_testkit::samples;

use super::super::SCHEMA_VERSION;
use super::*;

fn names(document: &RawDocumentBuf) -> BTreeSet<String> {
    document
        .iter()
        .map(|field| field.expect("a valid document").0.as_str().to_owned())
        .collect()
}

#[test]
fn every_field_comes_back() {
    let tenant_id = samples::tenant_id();
    for message in [
        samples::outbound_full(tenant_id),
        samples::outbound(tenant_id),
        samples::with_key(tenant_id, "order-1"),
        samples::inbound(tenant_id, "wamid.IN"),
        samples::inbound_bare(tenant_id, "wamid.BARE"),
    ] {
        let document = encode(&message).expect("it can be written");
        assert_eq!(decode(&document), Ok(message));
    }
}

#[test]
fn no_field_is_null_or_there_twice() {
    let tenant_id = samples::tenant_id();
    for message in [
        samples::outbound_full(tenant_id),
        samples::inbound_bare(tenant_id, "wamid.BARE"),
    ] {
        let document = encode(&message).expect("it can be written");
        assert_eq!(names(&document).len(), document.iter().count());
        for field in &document {
            let (name, value) = field.expect("a valid document");
            assert_ne!(value.element_type(), bson::spec::ElementType::Null, "{name:?}");
        }
    }
}

/// A save must unset exactly what it cannot set; a field forgotten in the list would stay for ever.
#[test]
fn the_optional_fields_are_those_that_can_be_absent() {
    let tenant_id = samples::tenant_id();
    let full = samples::outbound_full(tenant_id).with(|message| message.delivery.status = Status::Dead);
    let bare = samples::inbound_bare(tenant_id, "wamid.BARE");
    let bare = bare.with(|message| message.delivery.wamid = None);
    let save_id = ObjectId::new();
    let full = names(&encode_delivery(&full.delivery, save_id).expect("it can be written"));
    let bare = names(&encode_delivery(&bare.delivery, save_id).expect("it can be written"));
    let optional: BTreeSet<String> = OPTIONAL_DELIVERY_FIELDS.iter().map(ToString::to_string).collect();
    assert_eq!(&full - &bare, optional);
}

#[test]
fn a_save_raises_the_version() {
    let message = samples::outbound(samples::tenant_id()).with(|message| message.delivery.version = 7);
    let document = encode_delivery(&message.delivery, ObjectId::new()).expect("it can be written");
    assert_eq!(document.get_i64("version").ok(), Some(8));
}

/// A change by a claim that is not written would be lost.
#[test]
fn a_claim_writes_all_that_it_changes() {
    let before = samples::outbound_full(samples::tenant_id()).with(|message| {
        message.delivery.status = Status::Queued;
        message.delivery.lease = None;
        message.delivery.slot_at = None;
        message.delivery.expires_at = None;
    });
    let mut after = before.clone();
    let now = Timestamp::from_millis(before.delivery.updated_at.as_millis() + 12_345);
    after
        .claim(now, &"worker-7".into(), &Timings::default())
        .expect("it is due");
    let save_id = ObjectId::new();
    let fields = |message: &Message| -> BTreeMap<String, RawBson> {
        let document = encode_delivery(&message.delivery, save_id).expect("it can be written");
        let fields = document.iter().map(|field| field.expect("a valid document"));
        fields
            .map(|(name, value)| (name.as_str().to_owned(), value.into()))
            .collect()
    };
    let (before, mut wanted) = (fields(&before), fields(&after));
    let gone: Vec<&String> = before.keys().filter(|name| !wanted.contains_key(*name)).collect();
    assert_eq!(gone, [FIELD_A_CLAIM_UNSETS.as_str()]);
    let set = encode_claim(&after.delivery, save_id).expect("it can be written");
    let written = names(&set);
    wanted.retain(|name, value| written.contains(name) || before.get(name) != Some(value));
    let set: BTreeMap<String, RawBson> = set
        .iter()
        .map(|field| field.expect("a valid document"))
        .map(|(name, value)| (name.as_str().to_owned(), value.into()))
        .collect();
    assert_eq!(set, wanted);
}

#[test]
fn only_dead_letters_are_marked_as_such() {
    for status in Status::ALL {
        let message = samples::outbound(samples::tenant_id()).with(|message| message.delivery.status = status);
        let document = encode(&message).expect("it can be written");
        let is_marked = document.get_bool("deadLetter").is_ok_and(|marked| marked);
        assert_eq!(is_marked, status.is_dead_letter(), "{status:?}");
    }
}

#[test]
fn an_id_of_another_time_is_marked() {
    let message = samples::outbound(samples::tenant_id());
    let is_marked = |message: &Message| {
        encode(message)
            .expect("it can be written")
            .get_bool("idTimeOff")
            .is_ok()
    };
    assert!(!is_marked(&message));
    let later = message.accepted.created_at + std::time::Duration::from_millis(10_001);
    assert!(is_marked(
        &message.clone().with(|message| message.accepted.created_at = later)
    ));
    let id = MessageId::from_uuid(uuid::Uuid::from_u128(5));
    assert!(is_marked(&message.with(|message| message.accepted.id = id)));
}

#[test]
fn what_is_not_understood_is_named_without_its_value() {
    let document = encode(&samples::outbound(samples::tenant_id())).expect("it can be written");
    let mut document: bson::Document = bson::deserialize_from_slice(document.as_bytes()).expect("a document");
    document.insert("status", "canary");
    let raw = RawDocumentBuf::try_from(&document).expect("a document");
    let text = decode(&raw).expect_err("no such status").to_string();
    assert!(text.contains("status") && !text.contains("canary"), "{text}");

    document.insert("status", "queued");
    document.insert("schemaVersion", SCHEMA_VERSION + 1);
    let raw = RawDocumentBuf::try_from(&document).expect("a document");
    let text = decode(&raw).expect_err("a later version").to_string();
    assert!(text.contains("schema version 2"), "{text}");
}
