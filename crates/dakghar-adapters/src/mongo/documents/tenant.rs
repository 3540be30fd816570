//! A tenant with its numbers as one document. Secrets are in it only sealed or hashed, as the domain hands them over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bson::oid::ObjectId;
use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::api_key::{ApiKey, KeySecret};
use dakghar_core::domain::auto_redrive::AutoRedriving;
use dakghar_core::domain::country::Country;
use dakghar_core::domain::hold::{Hold, HoldReason};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WabaId};
use dakghar_core::domain::leaving::Leaving;
use dakghar_core::domain::limits::{TenantLimit, TenantLimits};
use dakghar_core::domain::message::{LetterClass, UnknownOutcome};
use dakghar_core::domain::sending_rules::SendingRules;
use dakghar_core::domain::standing::Standing;
use dakghar_core::domain::tenant::{PhoneNumber, Tenant};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::{api_keys, auto_redrive, known_token, sending_rules, standing};

use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};

/// The version of a tenant with other keys than the one that it got from an earlier build.
const VERSION_WITH_KEYS: i32 = SCHEMA_VERSION + 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TenantFields<'a> {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback_url: Option<Cow<'a, str>>,
    /// The hash of the only key, as earlier builds have it; empty where there are `keys`.
    api_key_hash: Binary,
    /// JSON. A document with it has a version of its own, because an earlier build would lose keys with its next save.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<String>,
    /// The times of the last uses of keys; they change without a new version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    key_uses: BTreeMap<String, DateTime>,
    wrapped_data_key: Binary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<HoldFields<'a>>,
    unknown_outcome: Cow<'a, str>,
    phone_numbers: Vec<PhoneNumberFields<'a>>,
    /// Absent in documents of earlier builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past_phone_numbers: Vec<Cow<'a, str>>,
    /// Absent also in documents of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages_waiting: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls_under_way: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expired_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feed_days: Option<i64>,
    /// JSON; absent where nothing begins by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_redrive: Option<String>,
    /// JSON; absent where they are those that every tenant begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending_rules: Option<String>,
    /// `all`, or ids of numbers with blanks between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaving: Option<String>,
    created_at: DateTime,
    updated_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_at: Option<DateTime>,
    version: i64,
    /// Names the write of this version, so that one whose answer was lost can be recognised.
    save_id: ObjectId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhoneNumberFields<'a> {
    phone_number_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waba_id: Option<Cow<'a, str>>,
    /// Absent in documents of earlier builds, and where it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    waba_is_learned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_phone_number: Option<Cow<'a, str>>,
    /// Two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_country: Option<Cow<'a, str>>,
    sealed_token: Binary,
    simulated: bool,
    messages_per_second: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<HoldFields<'a>>,
    token_refusals: i64,
    /// Meta's word on the token: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_pin: Option<Binary>,
    /// Its standing at Meta: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HoldFields<'a> {
    reason: Cow<'a, str>,
    since: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe_at: Option<DateTime>,
}

/// A tenant as a document, under this version and written by this save.
pub(in crate::mongo) fn encode(tenant: &Tenant, version: u64, save_id: ObjectId) -> Result<RawDocumentBuf, StoreError> {
    let only_hash = only_hash(tenant);
    let limit = |limit| tenant.limits.of(limit).map(i64::from);
    to_raw(&TenantFields {
        id: tenant.id.to_string(),
        schema_version: only_hash.map_or(VERSION_WITH_KEYS, |_| SCHEMA_VERSION),
        name: tenant.name.as_str().into(),
        callback_url: tenant.callback_url.as_deref().map(Cow::from),
        api_key_hash: binary(only_hash.map_or(&[], Vec::as_slice)),
        keys: only_hash.is_none().then(|| api_keys::text_of(&tenant.keys)),
        key_uses: api_keys::uses_of(&tenant.keys)
            .into_iter()
            .map(|(id, at)| (id, date(at)))
            .collect(),
        wrapped_data_key: binary(&tenant.wrapped_data_key),
        hold: tenant.hold.as_ref().map(hold_fields),
        unknown_outcome: tenant.unknown_outcome.as_str().into(),
        phone_numbers: tenant.phone_numbers.iter().map(number_fields).collect(),
        past_phone_numbers: tenant
            .past_numbers
            .iter()
            .map(|number| number.as_str().into())
            .collect(),
        requests_per_second: limit(TenantLimit::RequestsPerSecond),
        messages_waiting: limit(TenantLimit::MessagesWaiting),
        calls_under_way: limit(TenantLimit::CallsUnderWay),
        retention_days: limit(TenantLimit::RetentionDays),
        failed_days: limit(TenantLimit::Letters(LetterClass::Failed)),
        expired_days: limit(TenantLimit::Letters(LetterClass::Expired)),
        unknown_days: limit(TenantLimit::Letters(LetterClass::Unknown)),
        given_up_days: limit(TenantLimit::Letters(LetterClass::GivenUp)),
        content_days: limit(TenantLimit::ContentDays),
        feed_days: limit(TenantLimit::FeedDays),
        auto_redrive: auto_redrive::text_of(&tenant.auto),
        sending_rules: sending_rules::text_of(&tenant.rules),
        leaving: tenant.leaving.as_ref().map(Leaving::to_text),
        created_at: date(tenant.created_at),
        updated_at: date(tenant.updated_at),
        removed_at: tenant.removed_at.map(date),
        version: counter(version),
        save_id,
    })
}

/// Returns the hash of the only key, if the tenant has but the one that an earlier build gave it.
fn only_hash(tenant: &Tenant) -> Option<&Vec<u8>> {
    let [only] = tenant.keys.as_slice() else { return None };
    let [KeySecret { hash, .. }] = only.secrets.as_slice() else {
        return None;
    };
    let earlier = ApiKey {
        last_used_at: only.last_used_at,
        ..ApiKey::of_earlier_release(&tenant.id, hash.clone(), tenant.created_at)
    };
    (*only == earlier).then_some(hash)
}

fn read_keys(fields: &TenantFields<'_>, id: &TenantId) -> Option<Vec<ApiKey>> {
    let hash = &fields.api_key_hash.bytes;
    let keys = match &fields.keys {
        Some(text) => api_keys::parse(text)?,
        None if hash.is_empty() => return None,
        None => vec![ApiKey::of_earlier_release(
            id,
            hash.clone(),
            timestamp(fields.created_at),
        )],
    };
    let uses = fields.key_uses.iter().map(|(id, at)| (id.clone(), timestamp(*at)));
    Some(api_keys::with_uses(keys, &uses.collect()))
}

fn number_fields(number: &PhoneNumber) -> PhoneNumberFields<'_> {
    PhoneNumberFields {
        phone_number_id: number.phone_number_id.as_str().into(),
        waba_id: number.waba_id.as_ref().map(|id| id.as_str().into()),
        waba_is_learned: number.waba_is_learned,
        display_phone_number: number.display_phone_number.as_deref().map(Cow::from),
        default_country: number.default_country.map(|country| country.as_str().into()),
        sealed_token: binary(&number.sealed_token),
        simulated: number.simulated,
        messages_per_second: number.messages_per_second.into(),
        hold: number.hold.as_ref().map(hold_fields),
        token_refusals: number.token_refusals.into(),
        token: number.token.as_ref().map(|known| known_token::text_of(known).into()),
        sealed_pin: number.sealed_pin.as_deref().map(binary),
        standing: standing::text_of(&number.standing).map(Into::into),
    }
}

fn hold_fields(hold: &Hold) -> HoldFields<'static> {
    HoldFields {
        reason: hold.reason.as_str().into(),
        since: date(hold.since),
        probe_at: hold.probe_at.map(date),
    }
}

/// Reads a tenant.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Tenant, Unreadable> {
    let fields: TenantFields<'_> = from_raw("tenant", raw)?;
    if fields.schema_version > VERSION_WITH_KEYS {
        return Err(Unreadable::version("tenant", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("tenant", &fields.id, field);
    let id = TenantId::parse(&fields.id).map_err(|_| wrong("_id"))?;
    Ok(Tenant {
        id,
        name: fields.name.to_string(),
        callback_url: fields.callback_url.as_deref().map(str::to_owned),
        keys: read_keys(&fields, &id).ok_or_else(|| wrong("keys"))?,
        wrapped_data_key: fields.wrapped_data_key.bytes.clone(),
        hold: read_hold(fields.hold.as_ref()).ok_or_else(|| wrong("hold"))?,
        unknown_outcome: UnknownOutcome::parse(&fields.unknown_outcome).ok_or_else(|| wrong("unknownOutcome"))?,
        phone_numbers: fields
            .phone_numbers
            .iter()
            .map(read_number)
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("phoneNumbers"))?,
        past_numbers: fields
            .past_phone_numbers
            .iter()
            .map(|number| PhoneNumberId::parse(number))
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("pastPhoneNumbers"))?,
        limits: read_limits(&fields).map_err(wrong)?,
        auto: match &fields.auto_redrive {
            Some(text) => auto_redrive::parse(text).ok_or_else(|| wrong("autoRedrive"))?,
            None => AutoRedriving::default(),
        },
        rules: match &fields.sending_rules {
            Some(text) => sending_rules::parse(text).ok_or_else(|| wrong("sendingRules"))?,
            None => SendingRules::default(),
        },
        leaving: match &fields.leaving {
            Some(text) => Some(Leaving::parse(text).ok_or_else(|| wrong("leaving"))?),
            None => None,
        },
        created_at: timestamp(fields.created_at),
        updated_at: timestamp(fields.updated_at),
        removed_at: fields.removed_at.map(timestamp),
        version: u64::try_from(fields.version).map_err(|_| wrong("version"))?,
    })
}

/// Fails with the name of the field that is wrong.
fn read_limits(fields: &TenantFields<'_>) -> Result<TenantLimits, &'static str> {
    let mut limits = TenantLimits::default();
    for limit in TenantLimit::ALL {
        let number = match limit {
            TenantLimit::RequestsPerSecond => fields.requests_per_second,
            TenantLimit::MessagesWaiting => fields.messages_waiting,
            TenantLimit::CallsUnderWay => fields.calls_under_way,
            TenantLimit::RetentionDays => fields.retention_days,
            TenantLimit::Letters(LetterClass::Failed) => fields.failed_days,
            TenantLimit::Letters(LetterClass::Expired) => fields.expired_days,
            TenantLimit::Letters(LetterClass::Unknown) => fields.unknown_days,
            TenantLimit::Letters(LetterClass::GivenUp) => fields.given_up_days,
            TenantLimit::ContentDays => fields.content_days,
            TenantLimit::FeedDays => fields.feed_days,
        };
        let number = number.map(u32::try_from).transpose();
        limits.set(limit, number.map_err(|_| limit.as_str())?);
    }
    Ok(limits)
}

fn read_number(fields: &PhoneNumberFields<'_>) -> Option<PhoneNumber> {
    let waba_id = match &fields.waba_id {
        Some(id) => Some(WabaId::parse(id).ok()?),
        None => None,
    };
    Some(PhoneNumber {
        phone_number_id: PhoneNumberId::parse(&fields.phone_number_id).ok()?,
        waba_id,
        waba_is_learned: fields.waba_is_learned,
        display_phone_number: fields.display_phone_number.as_deref().map(str::to_owned),
        default_country: match &fields.default_country {
            Some(letters) => Some(Country::parse(letters)?),
            None => None,
        },
        sealed_token: fields.sealed_token.bytes.clone(),
        simulated: fields.simulated,
        messages_per_second: u32::try_from(fields.messages_per_second).ok()?,
        hold: read_hold(fields.hold.as_ref())?,
        token_refusals: u32::try_from(fields.token_refusals).ok()?,
        token: match &fields.token {
            Some(text) => Some(known_token::parse(text)?),
            None => None,
        },
        sealed_pin: fields.sealed_pin.as_ref().map(|sealed| sealed.bytes.clone()),
        standing: match &fields.standing {
            Some(text) => standing::parse(text)?,
            None => Standing::default(),
        },
    })
}

/// Outer `None`: not understood. Inner `None`: no hold.
#[expect(clippy::option_option, reason = "the outer one is the failure that `?` passes on")]
fn read_hold(fields: Option<&HoldFields<'_>>) -> Option<Option<Hold>> {
    let Some(fields) = fields else { return Some(None) };
    Some(Some(Hold {
        reason: HoldReason::parse(&fields.reason)?,
        since: timestamp(fields.since),
        probe_at: fields.probe_at.map(timestamp),
    }))
}

#[cfg(test)]
mod tests {
    use bson::Document;
    use dakghar_testkit::samples;

    use super::*;

    fn stored(tenant: &Tenant) -> Document {
        let raw = encode(tenant, tenant.version, ObjectId::new()).expect("a document");
        Document::try_from(raw).expect("a document")
    }

    #[test]
    fn what_an_earlier_build_can_lose_nothing_of_is_stored_as_it_stores_it() {
        let tenant = samples::tenant();
        let document = stored(&tenant);
        assert_eq!(document.get_i32("schemaVersion").ok(), Some(SCHEMA_VERSION));
        assert!(!document.contains_key("keys") && !document.contains_key("keyUses"));
        let hash = document.get_binary_generic("apiKeyHash").expect("a hash");
        assert_eq!(*hash, tenant.keys[0].secrets[0].hash);
        let raw = RawDocumentBuf::try_from(&document).expect("a document");
        assert_eq!(decode(&raw), Ok(tenant));
    }

    #[test]
    fn a_tenant_with_other_keys_is_not_read_by_an_earlier_build() {
        let mut tenant = samples::tenant();
        tenant.keys.push(samples::api_key("another"));
        let of_one = |keys: Vec<ApiKey>| Tenant { keys, ..tenant.clone() };
        let rotated = {
            let mut key = tenant.keys[0].clone();
            key.secrets[0].prefix = Some("dk_".into());
            of_one(vec![key])
        };
        for tenant in [tenant.clone(), of_one(Vec::new()), rotated] {
            let document = stored(&tenant);
            assert_eq!(document.get_i32("schemaVersion").ok(), Some(VERSION_WITH_KEYS));
            assert_eq!(document.get_binary_generic("apiKeyHash").ok(), Some(&Vec::new()));
            let raw = RawDocumentBuf::try_from(&document).expect("a document");
            assert_eq!(decode(&raw), Ok(tenant));
        }
    }
}
