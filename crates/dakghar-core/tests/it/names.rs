//! The names of states and reasons: they are stored and told to clients, so none may change.

use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::message::{DeadReason, Direction, EvidenceStatus, Status, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::migration::{Kind, Stage};
use dakghar_core::domain::pacing::Priority;
use dakghar_core::domain::redrive::RedriveStatus;
use dakghar_core::domain::webhook::EventReason;
use dakghar_core::domain::{Enforced, OptOutScope, OptOutSource};
use dakghar_core::ports::JobKind;

/// Checks that these are all the names of a type, in its order, and that each is read back as what it names.
macro_rules! names {
    ($name:ident, $type:ty, $names:expr) => {
        #[test]
        fn $name() {
            let names: Vec<&str> = <$type>::ALL.into_iter().map(<$type>::as_str).collect();
            assert_eq!(names, $names);
            for one in <$type>::ALL {
                assert_eq!(<$type>::parse(one.as_str()), Some(one));
            }
            assert_eq!(<$type>::parse("nothing"), None);
        }
    };
}

names!(names_of_jobs, JobKind, ["send"]);
names!(
    names_of_redrives,
    RedriveStatus,
    ["running", "paused", "done", "cancelled"]
);
names!(names_of_priorities, Priority, ["high", "normal", "low"]);
names!(
    names_of_holds,
    HoldReason,
    [
        "paused",
        "paused_by_operator",
        "credentials_invalid",
        "account_restricted"
    ]
);
names!(
    names_of_dead_letters,
    DeadReason,
    [
        "attempts_exhausted",
        "outcome_unknown",
        "poison",
        "number_removed",
        "opted_out",
        "window_closed"
    ]
);
names!(
    names_of_evidence,
    EvidenceStatus,
    ["sent", "delivered", "read", "played", "failed"]
);
names!(
    names_of_statuses,
    Status,
    [
        "queued",
        "held",
        "sending",
        "in_doubt",
        "cancelled",
        "expired",
        "dead",
        "sent",
        "failed",
        "delivered",
        "read",
        "received"
    ]
);
names!(
    names_of_the_timeline,
    TimelineEvent,
    [
        "accepted",
        "received",
        "waiting",
        "attempt",
        "held",
        "resumed",
        "in_doubt",
        "status",
        "cancelled",
        "expired",
        "dead",
        "redriven"
    ]
);
names!(names_of_policies, UnknownOutcome, ["auto", "resend", "fail"]);
names!(
    names_of_events,
    EventReason,
    [
        "routed",
        "unknown_number",
        "unknown_waba",
        "unknown_message",
        "corrected",
        "malformed",
        "endpoint",
        "hold",
        "token",
        "number"
    ]
);
names!(
    names_of_records,
    Kind,
    [
        "tenants",
        "conversations",
        "messages",
        "statuses",
        "events",
        "apps",
        "operator_keys",
        "installation_secrets",
        "endpoints",
        "callback_progress",
        "callback_exceptions",
        "feed",
        "opt_outs",
        "audit"
    ]
);
names!(names_of_opt_outs, OptOutScope, ["all", "marketing"]);
names!(names_of_their_sources, OptOutSource, ["stop_word", "meta", "api"]);
names!(names_of_what_is_enforced, Enforced, ["none", "marketing", "all"]);
names!(names_of_stages, Stage, ["clearing", "copying", "finished"]);

#[test]
fn names_of_directions() {
    for (direction, name) in [(Direction::Outbound, "outbound"), (Direction::Inbound, "inbound")] {
        assert_eq!(direction.as_str(), name);
        assert_eq!(Direction::parse(name), Some(direction));
    }
    assert_eq!(Direction::parse("nothing"), None);
}
