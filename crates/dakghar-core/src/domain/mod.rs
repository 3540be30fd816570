//! The terms of the field as types, and the decisions that need no IO.

pub mod access_token;
pub mod addresses;
pub mod allowance;
pub mod amendment;
pub mod api_key;
pub mod audit;
pub mod auto_redrive;
pub mod breaker;
pub mod callback;
pub mod callback_url;
pub mod conversation;
pub mod country;
pub mod departure;
pub mod endpoint;
pub mod erasure;
pub mod feed;
pub mod graph_error;
pub mod hold;
pub mod ids;
pub mod installation;
pub mod invisible;
pub mod lease;
pub mod leaving;
pub mod limits;
pub mod listening;
pub mod message;
pub mod meta_app;
pub mod migration;
pub mod opaque;
pub mod operator_key;
pub mod opt_out;
pub mod pacing;
pub mod page;
pub mod pair_line;
pub mod person;
pub mod person_name;
pub mod problem;
pub mod quiet_hours;
pub mod quota;
pub mod raw_members;
mod reasons;
pub mod redrive;
pub mod retention;
pub mod retry;
pub mod scopes;
pub mod sealed_secret;
pub mod secret;
pub mod send_error;
pub mod send_request;
pub mod sending_rules;
pub mod signatures;
pub mod signup;
pub mod standing;
pub mod steady;
pub mod steering;
pub mod tenant;
pub mod time;
pub mod told_time;
pub mod trace;
pub mod webhook;

pub use amendment::{AmendedContent, AmendedMessage, Amendment};
pub use api_key::{ApiKey, KeyRefusal, KeySecret, KeyUse};
pub use conversation::{Conversation, ConversationKind, ConversationTouch, WindowOpening};
pub use country::Country;
pub use endpoint::Endpoint;
pub use erasure::{ErasurePlace, PersonErasure, PersonIds};
pub use feed::{
    Arrival, Chunk, EntryFilter, EntryKind, FeedBounds, FeedEntry, KindPattern, Partitions, Place, PlacedEntry, Subject,
};
pub use graph_error::{GraphRefusal, RefusalClass};
pub use hold::{Actor, Hold, HoldReason};
pub use ids::{
    ApiKeyId, AppId, AttemptLogId, AuditId, ConversationId, DepartureId, EndpointId, EntryId, ErasureId, EventId,
    IdempotencyKey, InvalidId, MessageId, MessageKey, PersonId, PhoneNumberId, RedriveId, ReplayId, SignupId, TenantId,
    WaId, WabaId, Wamid,
};
pub use leaving::Leaving;
pub use limits::{LimitChanges, TenantLimit, TenantLimits};
pub use message::{Direction, Message, Status};
pub use operator_key::{OperatorKey, Role, RoleRefusal};
pub use opt_out::{OptOut, OptOutKey, OptOutScope, OptOutSource, PersonMark};
pub use person::{Acquaintance, Person};
pub use person_name::PersonName;
pub use problem::{ErrorCode, FieldError, Problem};
pub use quiet_hours::{QuietFault, QuietFor, QuietHours};
pub use scopes::{Scope, Scopes};
pub use secret::Secret;
pub use sending_rules::{Enforced, SendingRules};
pub use tenant::{PhoneNumber, Tenant};
pub use time::{Present, Timestamp};
pub use trace::TraceContext;
pub use webhook::{EventReason, WebhookEvent};
