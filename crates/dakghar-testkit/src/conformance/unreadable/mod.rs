//! The suite of what a store does about records that it holds but cannot read: each costs only itself.
//!
//! The records are broken past the store, each in another way: a value that means nothing, one of another type, a text or
//! a blob that was cut off, a field that is missing. Every method of a store's ports has a case here that says so in its
//! comment (`tidy` looks for them), so that a new method is not forgotten.

mod apps;
mod callbacks;
mod departures;
mod endpoints;
mod erasures;
mod feed;
mod installation;
mod lists;
mod messages;
mod operators;
mod opt_outs;
mod records;
mod redrives;
mod signups;
mod statuses;

use std::sync::Arc;

use dakghar_core::domain::{
    ApiKeyId, AppId, AttemptLogId, ConversationId, DepartureId, EndpointId, ErasureId, EventId, Message, MessageKey,
    OptOutKey, PhoneNumberId, Place, RedriveId, SignupId, TenantId,
};
use dakghar_core::ports::{Queue, StoreError};
use futures_util::future::BoxFuture;

use super::stores::{Stores, accept_all};

pub use apps::*;
pub use callbacks::*;
pub use departures::*;
pub use endpoints::*;
pub use erasures::*;
pub use feed::*;
pub use installation::*;
pub use lists::*;
pub use messages::*;
pub use operators::*;
pub use opt_outs::*;
pub use records::*;
pub use redrives::*;
pub use signups::*;
pub use statuses::*;

/// The port of the cases.
pub struct Breakable {
    /// The store.
    pub stores: Stores,
    /// The queue over the store, if it reads the store itself.
    pub queue: Option<Arc<dyn Queue>>,
    /// Breaks a record past the store, in the way of this number; the ways repeat after [`WAYS_MAX`] at most.
    pub break_it: Box<dyn Fn(Record, usize) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// The most ways in which a backend breaks one kind of record.
pub const WAYS_MAX: usize = 10;

/// A record to be broken.
#[derive(Clone, Debug)]
pub enum Record {
    /// A message, but not whose it is.
    Message(MessageKey),
    /// What says whose a message is.
    Sender(MessageKey),
    /// A tenant, but not which numbers are its own.
    Tenant(TenantId),
    /// What says whose a number is.
    Owner(PhoneNumberId),
    /// What says who gave a number up.
    PastOwner(PhoneNumberId),
    /// A conversation.
    Conversation(ConversationId),
    /// A webhook event.
    Event(EventId),
    /// A report on a message, by its id; but not which message that is.
    Status(String),
    /// An app.
    App(AppId),
    /// A key of an operator.
    OperatorKey(ApiKeyId),
    /// What a person said, by the tenant and its key; but neither the time, nor that it opts out.
    OptOut(TenantId, OptOutKey),
    /// Secrets of the installation, by their name.
    InstallationSecrets(String),
    /// An endpoint, but not whose it is, nor its seat.
    Endpoint(EndpointId),
    /// How far an endpoint is, but not its version.
    Progress(EndpointId),
    /// An entry that an endpoint has not taken, but not its place, nor whether it is dead.
    Exception(EndpointId, Place),
    /// Attempts to deliver to an endpoint, but not whose they are.
    AttemptLog(EndpointId, AttemptLogId),
    /// An entry of a feed, but not its place.
    Entry(TenantId, Place),
    /// A redrive, but not whose it is, nor its state.
    Redrive(RedriveId),
    /// An erasure of a person, but not whose it is, nor whether it needs work.
    Erasure(ErasureId),
    /// A departure, but not whose it is, nor when it is due or was over.
    Departure(DepartureId),
    /// A signup, but not whose it is, nor its code, nor when it is due.
    Signup(SignupId),
}

/// Runs the suite: `unreadable_suite!(factory)`, where the factory gives `Breakable`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! unreadable_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, unreadable:
            it_is_loaded_as_an_error_of_its_own
            a_repetition_of_its_key_costs_no_other_message
            a_repetition_of_what_was_received_costs_no_other_message
            a_save_of_it_costs_no_other_save
            a_claim_of_it_costs_no_other_claim
            it_does_not_hide_the_wamid_of_another
            its_key_is_an_error_for_the_one_who_asks
            it_does_not_hide_that_statuses_arrived
            what_is_due_behind_it_is_found
            what_a_clock_ahead_has_changed_is_found_beside_it
            what_was_released_is_found_beside_it
            held_messages_beside_it_wake
            the_queue_gives_out_what_is_beside_it
            lists_leave_it_out_and_their_pages_stay_full
            every_filter_passes_it
            dead_letters_leave_it_out
            unsettled_messages_beside_it_are_counted
            messages_beside_it_are_counted_by_number
            it_is_a_tenant_error_of_its_own
            the_list_of_tenants_leaves_it_out
            tenants_beside_it_are_saved
            keys_beside_it_are_noted_as_used
            a_number_of_nobody_knows_whom_costs_no_other_number
            an_account_has_its_other_owners
            a_number_has_its_other_past_owners
            conversations_beside_it_move
            conversations_beside_it_are_listed
            conversations_of_people_beside_it_are_found
            events_beside_it_are_recorded_and_listed
            amendments_beside_it_are_found
            everything_of_its_tenant_is_erased
            what_is_old_beside_it_is_erased
            a_place_says_that_its_entry_cannot_be_read
            reports_beside_it_are_found
            events_beside_it_are_found
            reports_beside_it_are_read
            a_report_on_it_costs_no_other_report
            it_is_an_app_error_of_its_own
            apps_beside_it_are_saved
            the_list_of_operators_leaves_it_out
            keys_of_operators_beside_it_are_saved
            a_broken_key_of_an_operator_is_revoked
            opt_outs_that_cannot_be_read_count
            opt_outs_beside_it_are_kept_and_listed
            secrets_of_the_installation_are_an_error_of_their_own
            it_is_an_endpoint_error_of_its_own
            endpoints_beside_it_are_saved
            it_is_a_progress_error_of_its_own
            exceptions_beside_it_are_listed_and_found
            attempts_beside_it_are_listed
            it_is_forgotten_like_the_others
            it_is_not_gone
            it_is_a_redrive_error_of_its_own
            redrives_beside_it_are_saved_and_forgotten
            redrives_beside_it_are_listed_and_due
            dead_letters_beside_it_are_looked_through
            it_is_an_erasure_error_of_its_own
            erasures_beside_it_are_listed_and_due
            a_person_beside_it_is_erased
            it_is_a_signup_error_of_its_own
            signups_beside_it_are_listed_and_due
            it_is_a_departure_error_of_its_own
            departures_beside_it_are_listed_and_due
        }
    };
}

/// What the answer about a broken record must be: an error of its own.
fn is_unreadable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unreadable(_)))
}

impl Breakable {
    /// Breaks the record in each way that there is, one after the other over these records.
    async fn break_all(&self, records: impl IntoIterator<Item = Record>) {
        for (way, record) in records.into_iter().enumerate() {
            (self.break_it)(record, way).await;
        }
    }

    /// Stores so many messages, of which every one but each third is broken then. Returns both kinds.
    async fn mixed(&self, count: usize, message: impl Fn(usize) -> Message) -> (Vec<Message>, Vec<Message>) {
        let messages: Vec<Message> = (0..count).map(message).collect();
        accept_all(&self.stores, &messages).await;
        let (whole, broken) = thirds(messages);
        self.break_messages(&broken).await;
        (whole, broken)
    }

    async fn break_messages(&self, broken: &[Message]) {
        self.break_all(broken.iter().map(|message| Record::Message(message.key())))
            .await;
    }
}

/// Every third, and the others.
fn thirds<T>(all: Vec<T>) -> (Vec<T>, Vec<T>) {
    let (mut thirds, mut others) = (Vec::new(), Vec::new());
    for (index, item) in all.into_iter().enumerate() {
        if index % 3 == 2 {
            thirds.push(item);
        } else {
            others.push(item);
        }
    }
    (thirds, others)
}

/// So many that two thirds of them are broken in every way.
const MIXED: usize = 3 * WAYS_MAX;
