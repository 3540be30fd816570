//! The attributes of spans. Nothing of a message's content fits in: no text from outside, no number, no name and no key.

use std::borrow::Cow;

use super::super::ids::{EndpointId, MessageId, TenantId};

/// An attribute of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The tenant.
    Tenant(TenantId),
    /// Our id of the message.
    Message(MessageId),
    /// The endpoint that is called.
    Endpoint(EndpointId),
    /// The attempt, from 1.
    Attempt(u32),
    /// Its end, in a word of ours.
    Outcome(&'static str),
    /// The HTTP status.
    HttpStatus(u16),
    /// Meta's code of an error.
    GraphCode(i64),
    /// The number of things it was about.
    Parts(usize),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A whole number.
    Whole(i64),
    /// A word or an id of ours.
    Text(Cow<'static, str>),
}

impl Attribute {
    /// The name, after OpenTelemetry's conventions where they have one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenant(_) => "dakghar.tenant.id",
            Self::Message(_) => "messaging.message.id",
            Self::Endpoint(_) => "dakghar.endpoint.id",
            Self::Attempt(_) => "dakghar.attempt",
            Self::Outcome(_) => "dakghar.outcome",
            Self::HttpStatus(_) => "http.response.status_code",
            Self::GraphCode(_) => "dakghar.graph.code",
            Self::Parts(_) => "messaging.batch.message_count",
        }
    }

    /// The value.
    pub fn value(self) -> AttributeValue {
        match self {
            Self::Tenant(id) => AttributeValue::Text(id.to_string().into()),
            Self::Message(id) => AttributeValue::Text(id.to_string().into()),
            Self::Endpoint(id) => AttributeValue::Text(id.to_string().into()),
            Self::Attempt(attempt) => AttributeValue::Whole(attempt.into()),
            Self::Outcome(word) => AttributeValue::Text(word.into()),
            Self::HttpStatus(status) => AttributeValue::Whole(status.into()),
            Self::GraphCode(code) => AttributeValue::Whole(code),
            Self::Parts(count) => AttributeValue::Whole(i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}
