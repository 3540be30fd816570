//! Reads a client's request to send a message. It refuses requests that can never be sent, normalises fields with
//! several spellings, and keeps the message itself as the client wrote it.
//!
//! The use case checks that the tenant exists and owns the number, and looks for an earlier use of the idempotency key.

pub mod bulk;
mod content;
mod envelope;
mod fields;
mod findings;
mod fingerprint;
mod idempotency;
mod json;
pub mod link;
mod marketing;
mod options;
mod pointer;
mod raw;
pub mod read_mark;
mod recipient;
mod resembling;
mod schedule;

use std::sync::Arc;

use super::country::Country;
use super::ids::{IdempotencyKey, PhoneNumberId};
use super::message::{Content, Priority, Terms, UnknownOutcome};
use super::problem::Problem;
use super::time::Timestamp;
use super::trace::TraceContext;

pub use idempotency::key_in_headers;
pub use recipient::Recipient;

use content::Saying;
use envelope::Envelope;
use fields::{Field, Fields};
use findings::Findings;
use fingerprint::Canonical;
use options::Options;
use schedule::Schedule;

/// A request to send one message, complete and valid as far as the request alone can show.
#[derive(Clone, Debug, PartialEq)]
pub struct SendRequest {
    /// The recipient.
    pub to: Recipient,
    /// The tenant's number that sends it; `None` leaves the choice to the tenant's default.
    pub from: Option<PhoneNumberId>,
    /// The content.
    pub content: Content,
    /// The client's key, from the header or the body.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The earliest time to send; up to a minute ago, at most 30 days ahead.
    pub send_at: Option<Timestamp>,
    /// The latest time to send; at most 30 days ahead and after `send_at`.
    pub expires_at: Option<Timestamp>,
    /// Its order among the number's messages.
    pub priority: Priority,
    /// The client's own data, a flat JSON object as text, at most 2,048 bytes.
    pub metadata: Option<Arc<str>>,
    /// The client's own callback data, at most 512 characters.
    pub client_opaque: Option<Arc<str>>,
    /// The policy for a call with an unknown outcome; `None` leaves it to the tenant's policy.
    pub unknown_outcome: Option<UnknownOutcome>,
    /// The conditions under which it may go out.
    pub terms: Terms,
    /// SHA-256 of the canonical request: equal for requests with the same meaning. Leaves out the idempotency key.
    pub fingerprint: [u8; 32],
    /// Set if a time in it is in the past, so that it can only be the repetition of an earlier request. This is the
    /// answer unless `idempotency_key`, which is then present, was used before.
    pub overdue: Option<Problem>,
    /// The span in which it is accepted. Nothing of the request says it, so it makes none different from another.
    pub trace: Option<TraceContext>,
    /// True if it is answered with the gateway id of its message. Nothing of the request says that either.
    pub by_gateway_id: bool,
}

/// The country in which people write numbers for the tenant's number of that id, or for its default one, without a country
/// code; `None` where nobody said.
pub type HomeOf<'a> = &'a dyn Fn(Option<&PhoneNumberId>) -> Option<Country>;

/// Reads a request. `header_keys` are the values of all `Idempotency-Key` headers.
///
/// # Errors
/// A body that is not one strict JSON object, or an unusable idempotency key, is an error at once (400). All wrong
/// fields (422) are reported together, and the first gives the problem its code. A request with a key whose only fault
/// is a time in the past is no error yet: see [`SendRequest::overdue`].
pub fn parse(body: &[u8], header_keys: &[&[u8]], now: Timestamp, home_of: HomeOf<'_>) -> Result<SendRequest, Problem> {
    parse_of(None, body, header_keys, now, home_of)
}

/// Does the same for a request that names the sending number elsewhere. A body that names another one is wrong.
///
/// # Errors
/// As [`parse`].
pub fn parse_from(
    sender: &PhoneNumberId,
    body: &[u8],
    header_keys: &[&[u8]],
    now: Timestamp,
    home_of: HomeOf<'_>,
) -> Result<SendRequest, Problem> {
    parse_of(Some(sender), body, header_keys, now, home_of)
}

fn parse_of(
    sender: Option<&PhoneNumberId>,
    body: &[u8],
    header_keys: &[&[u8]],
    now: Timestamp,
    home_of: HomeOf<'_>,
) -> Result<SendRequest, Problem> {
    let members = json::read(body)?;
    let fields = Fields::sort(&members)?;
    let idempotency_key = idempotency::read(&fields, header_keys)?;
    let mut findings = Findings::default();
    let raw = raw::members(&fields, &mut findings)?;
    let raw = raw.as_deref().map(Fields::sort).transpose()?;

    if raw.is_some() {
        findings.within(raw::POINTER);
    }
    let (message, is_raw) = (raw.as_ref().unwrap_or(&fields), raw.is_some());
    let saying = content::read(message, is_raw, &mut findings);
    let home = home_of(sender.cloned().or_else(|| options::sender(&fields)).as_ref());
    let to = recipient::read(message, home, &mut findings);
    let kind = saying.as_ref().map_or("", |saying| saying.kind);
    let envelope = envelope::read(message, kind, is_raw, &mut findings);
    let client_opaque = options::client_opaque(message, &mut findings);
    findings.within("");
    let schedule = schedule::read(&fields, now, &mut findings);
    let mut options = options::read(&fields, &mut findings);
    if let Some(sender) = sender {
        options::send_from(sender, &fields, &mut options, &mut findings);
    }
    let may_be_repetition = idempotency_key.is_some() && !findings.has_lasting();
    let overdue = match findings.into_problem() {
        Some(problem) if !may_be_repetition => return Err(problem),
        overdue => overdue,
    };
    let saying = saying.expect("without a lasting finding there is content");
    let to = to.expect("without a lasting finding there is a recipient");

    let said = Said {
        to: &to,
        saying: &saying,
        envelope: &envelope,
        schedule,
        fields: &fields,
        options: &options,
        client_opaque: client_opaque.as_deref(),
    };
    let fingerprint = said.fingerprint(body.len());
    let terms = Terms {
        marketing: options.marketing || envelope::is_marketing(saying.kind, &envelope),
        open_window: options.open_window,
    };
    Ok(SendRequest {
        to,
        from: options.from,
        content: saying.to_content(envelope::to_json(&envelope)),
        idempotency_key,
        send_at: schedule.send_at,
        expires_at: schedule.expires_at,
        priority: options.priority,
        metadata: options.metadata,
        client_opaque,
        unknown_outcome: options.unknown_outcome,
        terms,
        fingerprint,
        overdue,
        trace: None,
        by_gateway_id: false,
    })
}

/// Everything that makes one request differ from another.
struct Said<'a> {
    to: &'a Recipient,
    saying: &'a Saying<'a>,
    envelope: &'a Envelope<'a>,
    schedule: Schedule,
    fields: &'a Fields<'a>,
    options: &'a Options,
    client_opaque: Option<&'a str>,
}

impl Said<'_> {
    /// Returns the SHA-256 of its canonical form.
    fn fingerprint(&self, body_bytes: usize) -> [u8; 32] {
        let Self {
            to,
            saying,
            envelope,
            schedule,
            fields,
            options,
            client_opaque,
        } = self;
        let mut form = Canonical::for_body(body_bytes);
        form.text(&to.text);
        saying.write_canonical(&mut form);
        form.object(envelope.len());
        for (name, member) in *envelope {
            form.text(name);
            form.node(&member.node);
        }
        // These are written with their names, because any of them may be absent.
        for (name, at) in [("sendAt", schedule.send_at), ("expiresAt", schedule.expires_at)] {
            if let Some(at) = at {
                form.text(name);
                form.whole(at.as_millis());
            }
        }
        let texts = [
            ("from", options.from.as_ref().map(PhoneNumberId::as_str)),
            ("priority", Some(options.priority.as_str())),
            ("opaque", *client_opaque),
            ("unknownOutcome", options.unknown_outcome.map(UnknownOutcome::as_str)),
            ("marketing", options.marketing.then_some("true")),
            ("requireOpenWindow", options.open_window.then_some("true")),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                form.text(name);
                form.text(text);
            }
        }
        if let Some(metadata) = fields.get(Field::Metadata) {
            form.text("metadata");
            form.node(&metadata.node);
        }
        form.finish()
    }
}

#[cfg(test)]
mod tests;
