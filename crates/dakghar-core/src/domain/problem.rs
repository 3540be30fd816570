//! Problems that a caller can get: one table of stable codes, each with its HTTP status and title.
//!
//! The code is a promise to clients. Titles and details are for people and never carry internals.

use std::time::Duration;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the HTTP status of the answer.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Returns the title, which is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request has no body.
    BodyRequired = "body_required", 400, "A JSON body is required";
    /// Of many messages at once there is none.
    EmptyBatch = "empty_batch", 400, "There is no message in the request";
    /// The body is not one JSON object in UTF-8.
    MalformedJson = "malformed_json", 400, "The body is not valid JSON";
    /// A field is given twice.
    DuplicateField = "duplicate_field", 400, "A field is given twice";
    /// Objects and arrays are nested too deep.
    TooDeep = "too_deep", 400, "The body is nested too deep";
    /// The idempotency key is unusable, or given twice with different values.
    InvalidIdempotencyKey = "invalid_idempotency_key", 400, "The idempotency key is not usable";
    /// `limit` is out of range.
    InvalidLimit = "invalid_limit", 400, "The limit is out of range";
    /// `after` is not a place, or is ahead of the feed.
    FeedPlaceUnknown = "feed_place_unknown", 400, "The place is not in this feed";
    /// The cursor was not given out for this list.
    InvalidCursor = "invalid_cursor", 400, "The cursor does not belong to this list";
    /// A filter is unknown, repeated or has an impossible value.
    InvalidFilter = "invalid_filter", 400, "A filter is not usable";
    /// The request line or a header cannot be understood.
    BadRequest = "bad_request", 400, "The request cannot be understood";
    /// No key, or one that is not valid here.
    Unauthenticated = "unauthenticated", 401, "A valid API key is required";
    /// The time of the key was over.
    KeyExpired = "key_expired", 401, "The key has expired";
    /// The webhook signature is missing or wrong.
    InvalidSignature = "invalid_signature", 401, "The webhook signature is missing or wrong";
    /// The key is valid but may not do this.
    Forbidden = "forbidden", 403, "This key may not do that";
    /// The key lacks the scope that this needs.
    MissingScope = "missing_scope", 403, "The key lacks the scope for that";
    /// The key may be used from other addresses only.
    AddressNotAllowed = "address_not_allowed", 403, "The key may not be used from this address";
    /// The request does not come from the page that was opened in this browser.
    ForeignBrowser = "foreign_browser", 403, "The page was opened in another browser";
    /// The verify token is wrong.
    VerificationFailed = "verification_failed", 403, "The webhook verification failed";
    /// There is no such route.
    NotFound = "not_found", 404, "There is nothing here";
    /// There is no such tenant, or the caller may not know of it.
    TenantNotFound = "tenant_not_found", 404, "There is no such tenant";
    /// The tenant has no such number.
    PhoneNumberNotFound = "phone_number_not_found", 404, "The tenant has no such number";
    /// The tenant has no such message.
    MessageNotFound = "message_not_found", 404, "The tenant has no such message";
    /// The tenant has no conversation with such a person.
    PersonNotFound = "person_not_found", 404, "The tenant has no such person";
    /// The tenant has no such conversation.
    ConversationNotFound = "conversation_not_found", 404, "The tenant has no such conversation";
    /// There is no such redrive, or the caller may not know of it.
    RedriveNotFound = "redrive_not_found", 404, "There is no such redrive";
    /// The tenant has no such erasure.
    ErasureNotFound = "erasure_not_found", 404, "The tenant has no such erasure";
    /// The tenant has no such signup.
    SignupNotFound = "signup_not_found", 404, "The tenant has no such signup";
    /// The tenant has no such departure.
    DepartureNotFound = "departure_not_found", 404, "The tenant has no such departure";
    /// There is no such onboarding link.
    LinkNotFound = "link_not_found", 404, "There is no such link";
    /// The tenant has no such endpoint.
    EndpointNotFound = "endpoint_not_found", 404, "The tenant has no such endpoint";
    /// The endpoint has no such replay, or does not remember it any more.
    ReplayNotFound = "replay_not_found", 404, "The endpoint has no such replay";
    /// There is no such key.
    KeyNotFound = "key_not_found", 404, "There is no such key";
    /// There is no such app.
    AppNotFound = "app_not_found", 404, "There is no such app";
    /// The route exists with other methods.
    MethodNotAllowed = "method_not_allowed", 405, "This method is not allowed here";
    /// A tenant has this phone number id already.
    PhoneNumberTaken = "phone_number_taken", 409, "The phone number id is registered already";
    /// Another tenant has numbers of this account.
    AccountTaken = "account_taken", 409, "Another tenant has numbers of the account";
    /// The code was posted before, for something else.
    SignupCodeUsed = "signup_code_used", 409, "The code was posted before";
    /// The signup cannot go on without another code.
    SignupNeedsCode = "signup_needs_code", 409, "The signup needs another code";
    /// As many signups of the tenant are under way as there may be.
    TooManySignups = "too_many_signups", 409, "Too many signups are under way";
    /// The signup has begun, so its link cannot be taken back.
    SignupBegun = "signup_begun", 409, "The signup has begun";
    /// The tenant or the number is leaving: nothing new is taken for it.
    TenantLeaving = "tenant_leaving", 409, "The tenant or the number is leaving";
    /// Another departure of the tenant is not over.
    DepartureUnderWay = "departure_under_way", 409, "Another departure of the tenant is under way";
    /// The departure has changed what cannot be had back, or is over.
    DepartureTooFar = "departure_too_far", 409, "The departure cannot be called off any more";
    /// As many links of the tenant are open as there may be.
    TooManyLinks = "too_many_links", 409, "Too many links are open";
    /// An app has this id already.
    AppExists = "app_exists", 409, "There is an app of this id already";
    /// The key was used for another message, or another endpoint.
    IdempotencyKeyConflict = "idempotency_key_conflict", 409, "The idempotency key was used for something else";
    /// Only what a person wrote can be marked as read.
    NotInbound = "not_inbound", 409, "The message was not written by a person";
    /// The message can no longer be cancelled.
    NotCancellable = "not_cancellable", 409, "The message can no longer be cancelled";
    /// The content of the message was removed by age, so there is nothing to send again.
    ContentRemoved = "content_removed", 409, "The content of the message is not kept any more";
    /// The message is not among the dead letters.
    NotRedrivable = "not_redrivable", 409, "Only a dead letter can be sent again";
    /// The time in which the message may be sent is over, and the caller did not say that it is to be sent all the same.
    MessageExpired = "message_expired", 409, "The time in which the message may be sent is over";
    /// The message may have been delivered and the caller did not accept a second one.
    DuplicateRiskUnconfirmed = "duplicate_risk_unconfirmed", 409, "Sending again may deliver the message twice";
    /// The redrive is done or cancelled.
    RedriveOver = "redrive_over", 409, "The redrive is over";
    /// As many redrives are running or paused as there may be.
    TooManyRedrives = "too_many_redrives", 409, "Too many redrives are running or paused";
    /// As many erasures are running as there may be.
    TooManyErasures = "too_many_erasures", 409, "Too many erasures are running";
    /// A replay of the endpoint is not over yet.
    ReplayRunning = "replay_running", 409, "The endpoint has a replay that is not over";
    /// The replay is done.
    ReplayOver = "replay_over", 409, "The replay is over";
    /// The tenant has as many endpoints as it may.
    EndpointLimit = "endpoint_limit", 409, "The tenant has too many endpoints";
    /// As many keys are there, or secrets of one, as there may be.
    KeyLimit = "key_limit", 409, "There are too many keys";
    /// The tenant has messages that are not settled.
    TenantNotEmpty = "tenant_not_empty", 409, "The tenant has unsettled messages";
    /// A tenant keeps one number at least.
    LastPhoneNumber = "last_phone_number", 409, "A tenant keeps one number at least";
    /// Other requests changed the same record at the same time, again and again.
    Conflict = "conflict", 409, "The resource changed at the same time";
    /// Meta was asked to change something, and no answer says that it did or did not.
    MetaOutcomeUnknown = "meta_outcome_unknown", 409, "Nobody knows whether Meta did it";
    /// The entries behind a place of the feed were erased.
    FeedPlaceGone = "feed_place_gone", 410, "The entries behind this place were erased";
    /// The link was used, or its time is over, or it was taken back.
    LinkOver = "link_over", 410, "The link cannot be used any more";
    /// The record has another version than `If-Match` names.
    VersionConflict = "version_conflict", 412, "The resource has changed since it was read";
    /// Meta refuses what was asked of it at once.
    MetaRefused = "meta_refused", 422, "Meta refuses it";
    /// Meta's answer is larger than what is passed back.
    MetaAnswerTooLarge = "meta_answer_too_large", 422, "Meta's answer is too large";
    /// Meta says that the access token does not work, or may not do what it is given for.
    AccessTokenRefused = "access_token_refused", 422, "Meta does not take the access token";
    /// The page on which customers connect their numbers is not set up.
    OnboardingPageOff = "onboarding_page_off", 422, "The onboarding page is not set up";
    /// More messages at once than are taken.
    BatchTooLarge = "batch_too_large", 413, "Too many messages at once";
    /// The body is larger than the limit.
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    /// The URI is longer than the limit.
    UriTooLong = "uri_too_long", 414, "The URI is too long";
    /// The body is not `application/json` in UTF-8, or is encoded.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be application/json in UTF-8";
    /// A field has the wrong type.
    InvalidField = "invalid_field", 422, "A field is not valid";
    /// A field is not known.
    UnknownField = "unknown_field", 422, "A field is not known";
    /// No entry of a feed can be of this kind.
    InvalidEventType = "invalid_event_type", 422, "The kind of events is not known";
    /// The recipient is missing or not a phone number.
    InvalidTo = "invalid_to", 422, "The recipient is not valid";
    /// The message type is not usable.
    InvalidType = "invalid_type", 422, "The message type is not valid";
    /// The object named by the type is missing, or that of another type is present.
    TypeMismatch = "type_mismatch", 422, "The message does not match its type";
    /// The text is empty.
    EmptyText = "empty_text", 422, "The text is empty";
    /// The text is longer than 4,096 characters.
    TextTooLong = "text_too_long", 422, "The text is too long";
    /// The text contains characters that cannot be sent.
    InvalidText = "invalid_text", 422, "The text contains characters that cannot be sent";
    /// The template object is not usable.
    InvalidTemplate = "invalid_template", 422, "The template is not valid";
    /// The media object is not usable.
    InvalidMedia = "invalid_media", 422, "The media is not valid";
    /// A link is not a public https URL.
    InvalidUrl = "invalid_url", 422, "The URL is not valid";
    /// The receiver of an endpoint did not answer Meta's challenge.
    ChallengeFailed = "challenge_failed", 422, "The receiver did not answer Meta's challenge";
    /// The URL of a callback is http where only https is allowed.
    HttpsRequired = "https_required", 422, "The URL must use https";
    /// A link points into a private network.
    ForbiddenUrl = "forbidden_url", 422, "The URL points to a private address";
    /// The interactive object is not usable.
    InvalidInteractive = "invalid_interactive", 422, "The interactive message is not valid";
    /// The quoted message is not a wamid.
    InvalidContext = "invalid_context", 422, "The context is not valid";
    /// The expiry is not usable.
    InvalidExpiresAt = "invalid_expires_at", 422, "The expiry is not valid";
    /// The time to send is not usable.
    InvalidSendAt = "invalid_send_at", 422, "The time to send is not valid";
    /// The policy for unknown outcomes is not known.
    InvalidPolicy = "invalid_policy", 422, "The policy is not known";
    /// The metadata is larger than 2,048 bytes.
    MetadataTooLarge = "metadata_too_large", 422, "The metadata is too large";
    /// The metadata is nested or has an unusable key.
    InvalidMetadata = "invalid_metadata", 422, "The metadata is not valid";
    /// The name is not usable.
    InvalidName = "invalid_name", 422, "The name is not valid";
    /// The access token is not usable.
    InvalidToken = "invalid_token", 422, "The access token is not valid";
    /// The phone number id is not usable.
    InvalidPhoneNumberId = "invalid_phone_number_id", 422, "The phone number id is not valid";
    /// The person opted out of such messages, and the tenant wants that to be kept to.
    OptedOut = "opted_out", 422, "The person opted out of such messages";
    /// The message may go out only while the person's customer service window is open, and it is not.
    WindowClosed = "window_closed", 422, "The customer service window is closed";
    /// Too many requests in a short time.
    RateLimited = "rate_limited", 429, "Too many requests in a short time";
    /// The tenant has as many live readers of its feed as it may.
    TooManyReaders = "too_many_readers", 429, "Too many live readers of the feed";
    /// As many messages of the tenant wait as its limit allows.
    TooManyWaiting = "too_many_waiting", 429, "Too many messages are waiting";
    /// Headers are larger than the limit.
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    /// Meta gave no answer to a call that was made at once.
    MetaUnavailable = "meta_unavailable", 502, "Meta did not answer";
    /// Too many requests are waiting to be stored.
    Overloaded = "overloaded", 503, "Too many requests are waiting";
    /// The store cannot be reached.
    StoreUnavailable = "store_unavailable", 503, "The store is not available";
    /// The process is stopping.
    ShuttingDown = "shutting_down", 503, "The service is shutting down";
    /// The store has no space left.
    StoreFull = "store_full", 507, "The store is full";
    /// A stored record cannot be read.
    RecordUnreadable = "record_unreadable", 500, "A stored record cannot be read";
    /// A bug.
    Internal = "internal", 500, "Something went wrong on our side";
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field: `/text/body`.
    pub pointer: String,
    /// The error, for a person.
    pub message: String,
}

/// The reason a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Problem {
    /// The stable code.
    pub code: ErrorCode,
    /// This occurrence, for a person; no internals, at most 64 characters of the offending value.
    pub detail: String,
    /// The fields that are wrong, for validation problems.
    pub errors: Vec<FieldError>,
    /// The time to wait before another try makes sense.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Makes a problem with this code and detail.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Makes a problem with one field.
    pub fn field(code: ErrorCode, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let (pointer, message) = (pointer.into(), message.into());
        Self {
            code,
            detail: format!("{pointer}: {message}"),
            errors: vec![FieldError { pointer, message }],
            retry_after: None,
        }
    }

    /// Makes a problem with several fields, the most important first. `code` belongs to the first.
    pub fn fields(code: ErrorCode, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [] => code.title().to_owned(),
            [only] => format!("{}: {}", only.pointer, only.message),
            [first, others @ ..] => format!("{}: {} (and {} more)", first.pointer, first.message, others.len()),
        };
        Self {
            code,
            detail,
            errors,
            retry_after: None,
        }
    }

    /// Sets the time to wait before another try makes sense.
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert!(
            ErrorCode::ALL
                .iter()
                .all(|code| (400..600).contains(&code.http_status()))
        );
    }
}
