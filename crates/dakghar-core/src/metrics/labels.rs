//! The labels and all their values.

use super::instruments::Label;
use crate::domain::callback::{CallEnd, CallbackFailure};
use crate::domain::graph_error::{self, RefusalClass};
use crate::domain::message::{DeadReason, Delivery, SendOutcome, Status};
use crate::domain::pacing::Priority;

/// Defines a label: its type, its name, and its values with their exported names.
macro_rules! label {
    ($(#[$doc:meta])* $label:ident $name:literal { $($(#[$about:meta])* $value:ident = $text:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $label { $($(#[$about])* $value,)* }

        impl Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value,)*];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }
        }
    };
}
pub(super) use label;

label! {
    /// What became of a change of the server's certificate.
    TlsReload "result" {
        /// It is shown from now on.
        Taken = "taken",
        /// It cannot be used, and the one before is still shown.
        Refused = "refused",
    }
}

label! {
    /// Why a span was given up.
    SpanDropped "reason" {
        /// Too many bytes of them wait.
        NoRoom = "no_room",
        /// The collector does not take them.
        Collector = "collector",
    }
}

label! {
    /// The priority of messages.
    Lane "priority" {
        /// One-time codes.
        High = "high",
        /// Everything else.
        Normal = "normal",
        /// Broadcasts.
        Low = "low",
    }
}

impl From<Priority> for Lane {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Normal => Self::Normal,
            Priority::Low => Self::Low,
        }
    }
}

label! {
    /// The end of a call to Meta.
    Attempt "outcome" {
        /// Meta accepted the message.
        Sent = "sent",
        /// The number's access token is a `mock_` one: there was no call.
        Simulated = "simulated",
        /// Meta refused it, for good or for now.
        Refused = "refused",
        /// Meta asked to slow down.
        SlowDown = "slow_down",
        /// Meta refused the access token, the number or the account.
        Held = "held",
        /// Something between Dakghar and Meta refused it.
        TurnedAway = "turned_away",
        /// No byte of it left.
        NotSent = "not_sent",
        /// It may have left, and no verdict came back.
        InDoubt = "in_doubt",
    }
}

impl From<&SendOutcome> for Attempt {
    fn from(outcome: &SendOutcome) -> Self {
        match outcome {
            SendOutcome::Accepted { wamid, .. } if wamid.is_mock() => Self::Simulated,
            SendOutcome::Accepted { .. } => Self::Sent,
            SendOutcome::Refused(refusal) => match graph_error::classify(refusal).class {
                RefusalClass::PaceNumber
                | RefusalClass::PacePair
                | RefusalClass::PaceAccount
                | RefusalClass::PaceApp => Self::SlowDown,
                RefusalClass::Token | RefusalClass::Account => Self::Held,
                RefusalClass::Retry { .. } | RefusalClass::Fail => Self::Refused,
            },
            SendOutcome::TurnedAway { .. } => Self::TurnedAway,
            SendOutcome::NotSent { .. } => Self::NotSent,
            SendOutcome::Unknown { .. } => Self::InDoubt,
        }
    }
}

label! {
    /// A stage of a message, named by its end.
    Stage "stage" {
        /// From its acceptance until it was stored, so that the client could be answered.
        Stored = "stored",
        /// From when it was ready until it was due: its slot.
        Due = "due",
        /// From its slot to its claim.
        Claimed = "claimed",
        /// From its claim to the beginning of the call.
        Called = "called",
        /// The call.
        Answered = "answered",
        /// From the end of the call until its outcome was stored.
        Recorded = "recorded",
        /// From its claim until Meta reported it as sent.
        Sent = "sent",
        /// From its claim until Meta reported it as delivered.
        Delivered = "delivered",
    }
}

label! {
    /// A kind of parts of webhooks.
    WebhookKind "kind" {
        /// A message.
        Message = "message",
        /// A report on a message of ours.
        Status = "status",
        /// Anything else.
        Other = "other",
    }
}

label! {
    /// What became of a part of a webhook.
    Received "part" {
        /// A message from a person, new.
        Message = "message",
        /// A message that the business wrote in its app, or of its history, new.
        Echo = "echo",
        /// A report on a message, new or known.
        Status = "status",
        /// An event of a tenant.
        Event = "event",
        /// It belongs to no tenant, or was not understood.
        Unrouted = "unrouted",
        /// A message that was received before.
        Absorbed = "absorbed",
        /// A message that was received before, with another content.
        Corrected = "corrected",
    }
}

label! {
    /// The reason that a message became a dead letter.
    DeadLetter "reason" {
        /// Every attempt was refused in a way that allowed another.
        AttemptsExhausted = DeadReason::AttemptsExhausted.as_str(),
        /// A call may have delivered it, and the outcome cannot be known.
        OutcomeUnknown = DeadReason::OutcomeUnknown.as_str(),
        /// Preparing it crashed the worker again and again.
        Poison = DeadReason::Poison.as_str(),
        /// Its number does not belong to the tenant any more.
        NumberRemoved = DeadReason::NumberRemoved.as_str(),
        /// The person opted out of such messages before it was sent.
        OptedOut = DeadReason::OptedOut.as_str(),
        /// The customer service window that it asked for was closed before it was sent.
        WindowClosed = DeadReason::WindowClosed.as_str(),
        /// Meta refused it for good, or reported that it failed.
        Failed = Status::Failed.as_str(),
        /// It expired before a call.
        Expired = Status::Expired.as_str(),
    }
}

impl DeadLetter {
    /// Returns why a message is a dead letter; `None` if it is none.
    pub fn of(delivery: &Delivery) -> Option<Self> {
        match (delivery.status, delivery.dead_reason) {
            (Status::Failed, _) => Some(Self::Failed),
            (Status::Expired, _) => Some(Self::Expired),
            (Status::Dead, Some(reason)) => Some(match reason {
                DeadReason::AttemptsExhausted => Self::AttemptsExhausted,
                DeadReason::OutcomeUnknown => Self::OutcomeUnknown,
                DeadReason::Poison => Self::Poison,
                DeadReason::NumberRemoved => Self::NumberRemoved,
                DeadReason::OptedOut => Self::OptedOut,
                DeadReason::WindowClosed => Self::WindowClosed,
            }),
            _ => None,
        }
    }
}

label! {
    /// The end of a call of a tenant's endpoint.
    CallbackAttempt "outcome" {
        /// It was taken: a status 2xx.
        Taken = "taken",
        /// A redirect, which is not followed.
        Redirect = "3xx",
        /// A status 4xx.
        Refused = "4xx",
        /// A status 5xx.
        Failed = "5xx",
        /// The name of the host was not found.
        Dns = "dns",
        /// The host is an address that may not be called, or leads to one.
        Blocked = "blocked",
        /// No connection came about.
        Connect = "connect",
        /// TLS was not agreed on.
        Tls = "tls",
        /// It took too long.
        Timeout = "timeout",
        /// The connection broke, or what came was no answer.
        Protocol = "protocol",
    }
}

impl From<CallEnd> for CallbackAttempt {
    fn from(end: CallEnd) -> Self {
        match end {
            CallEnd::Answered(200..=299) => Self::Taken,
            CallEnd::Answered(300..=399) => Self::Redirect,
            CallEnd::Answered(400..=499) => Self::Refused,
            CallEnd::Answered(_) => Self::Failed,
            CallEnd::Failed(CallbackFailure::Dns) => Self::Dns,
            CallEnd::Failed(CallbackFailure::Blocked) => Self::Blocked,
            CallEnd::Failed(CallbackFailure::Connect) => Self::Connect,
            CallEnd::Failed(CallbackFailure::Tls) => Self::Tls,
            CallEnd::Failed(CallbackFailure::Timeout) => Self::Timeout,
            CallEnd::Failed(CallbackFailure::Protocol) => Self::Protocol,
        }
    }
}

label! {
    /// How an endpoint is.
    EndpointHealth "health" {
        /// It takes callbacks, or has got none yet.
        Well = "well",
        /// The latest calls failed.
        Failing = "failing",
        /// So many failed that it is only tried from time to time.
        BreakerOpen = "breaker_open",
    }
}

label! {
    /// How a feed is read live.
    LiveWay "way" {
        /// A request that waits for entries.
        LongPoll = "long_poll",
        /// Server-sent events.
        Stream = "stream",
    }
}

label! {
    /// What a redrive by filter did with a dead letter.
    Redriven "outcome" {
        /// It is sent again.
        Redriven = "redriven",
        /// It is left as it is: no dead letter any more, or with a risk that nobody accepted.
        Skipped = "skipped",
        /// It cannot be read.
        Failed = "failed",
    }
}

label! {
    /// What ended a doubt.
    DoubtEnd "by" {
        /// A status, or a late answer, told the outcome.
        Evidence = "evidence",
        /// No evidence came, and the message's policy decided.
        Policy = "policy",
    }
}

label! {
    /// A host that is called.
    Host "host" {
        /// Meta's Graph API.
        Graph = "graph",
    }
}

label! {
    /// The reason that a webhook of Meta's was not stored, so that Meta must post it again.
    IngestGap "cause" {
        /// The process is stopping.
        ShuttingDown = "shutting_down",
        /// Too many bytes, requests or parts are waiting.
        Overloaded = "overloaded",
        /// The store did not answer, or was not open yet.
        StoreUnavailable = "store_unavailable",
        /// The store is full.
        StoreFull = "store_full",
        /// The body did not arrive whole, or not in time.
        BodyIncomplete = "body_incomplete",
        /// The connection was closed before the answer.
        ClosedEarly = "closed_early",
        /// A fault of ours, or damaged data.
        Internal = "internal",
    }
}

label! {
    /// A limit past which requests and connections are refused.
    Limit "limit" {
        /// The bytes of one body: 413.
        BodyBytes = "body_bytes",
        /// The bytes of path and query: 414.
        UriBytes = "uri_bytes",
        /// The bytes of the headers: 431.
        HeaderBytes = "header_bytes",
        /// All bytes of bodies on the API, or a tenant's share of them: 503.
        RequestsBudget = "requests_budget",
        /// All bytes of webhooks, or an address's share of them: 503.
        WebhooksBudget = "webhooks_budget",
        /// All bytes of list pages, or a tenant's share of them: 503.
        PagesBudget = "pages_budget",
        /// The list pages that are built at a time: 503.
        PagesAtOnce = "pages_at_once",
        /// The requests that wait for a commit: 503.
        CommitQueue = "commit_queue",
        /// The connections of one address: closed.
        ConnectionsPerAddress = "connections_per_address",
        /// The requests under way of one client behind a trusted proxy: 503.
        RequestsPerClient = "requests_per_client",
        /// The requests of a tenant in a second: 429.
        RequestsPerSecond = "requests_per_second",
        /// The messages of a tenant that wait: 429.
        MessagesWaiting = "messages_waiting",
        /// The calls to Meta of a tenant under way: its message goes back into the queue.
        CallsUnderWay = "calls_under_way",
        /// The live readers of feeds, of a tenant: 429, or of all: 503.
        FeedReaders = "feed_readers",
        /// The wrong keys of one address in a minute: 429.
        WrongKeys = "wrong_keys",
    }
}

label! {
    /// A number of bytes that requests or answers under way may have.
    Budget "budget" {
        /// Bodies on the API.
        Requests = "requests",
        /// Bodies of webhooks.
        Webhooks = "webhooks",
        /// List pages.
        Pages = "pages",
    }
}

impl Budget {
    /// The limit that refuses what finds no room in it.
    pub const fn limit(self) -> Limit {
        match self {
            Self::Requests => Limit::RequestsBudget,
            Self::Webhooks => Limit::WebhooksBudget,
            Self::Pages => Limit::PagesBudget,
        }
    }
}
