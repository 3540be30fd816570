//! The suite of [`MessageStore`].
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod accepting;
mod conversations;
mod finding;
mod listing;
mod receiving;
mod saving;
mod timers;

use crate::samples::With as _;
use std::sync::Arc;

use dakghar_core::domain::{Message, MessageId, MessageKey, Status};
use dakghar_core::ports::{Acceptance, MessageStore, Received, Save, Saved};

pub use accepting::*;
pub use conversations::*;
pub use finding::*;
pub use listing::*;
pub use receiving::*;
pub use saving::*;
pub use timers::*;

/// What the cases are run against.
pub type Store = Arc<dyn MessageStore>;

/// Runs the suite of `MessageStore`: `message_store_suite!(factory)`, where the factory is an async function without
/// arguments that gives `(Arc<dyn MessageStore>, guard)` or an `Option` of that. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! message_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, message_store:
            accepted_messages_can_be_loaded
            every_field_of_an_outbound_message_survives
            what_a_message_says_survives_to_the_byte
            a_key_used_before_is_a_replay
            a_replay_tells_the_present_status
            a_batch_is_answered_in_its_order
            a_key_used_twice_in_a_batch_is_stored_once
            keys_belong_to_their_tenant
            keys_are_compared_exactly
            messages_without_a_key_are_never_replays
            fifty_at_once_under_one_key_store_one
            a_thousand_in_one_batch_are_all_stored
            inbound_messages_can_be_loaded
            a_wamid_received_again_is_a_duplicate
            a_wamid_twice_in_a_batch_is_stored_once
            each_is_received_once_whatever_the_batches_before_were_like
            two_numbers_may_receive_the_same_wamid
            an_own_message_is_no_duplicate_of_a_received_one
            twenty_at_once_of_one_wamid_store_one
            messages_load_in_the_order_of_the_keys
            a_foreign_tenant_loads_nothing
            a_save_keeps_every_field_that_delivery_changes
            a_save_clears_what_is_no_longer_set
            every_status_and_reason_survives
            a_long_timeline_survives
            a_save_raises_the_version_each_time
            claims_are_saved_like_any_change
            a_claim_of_what_changed_meanwhile_is_stale
            a_stale_save_changes_nothing
            what_was_never_stored_cannot_be_saved
            a_foreign_tenant_saves_nothing
            a_foreign_tenant_saves_nothing_beside_the_owner
            a_stale_save_does_not_spoil_its_batch
            twenty_at_once_from_one_version_save_one
            messages_are_found_by_wamid
            a_wamid_is_found_for_its_tenant_and_number_only
            a_received_wamid_is_not_found_as_a_sent_one
            a_message_is_found_by_its_key
            due_messages_come_most_overdue_first
            messages_are_due_at_their_time_and_not_before
            due_can_be_limited_to_a_status
            due_stops_at_its_limit
            a_changed_timer_is_what_counts
            held_messages_are_woken
            held_messages_of_one_number_are_woken
            nobody_else_is_woken
            statuses_flow_after_a_later_call_was_reported_on
            statuses_flow_for_one_number_of_one_tenant
            a_backlog_does_not_hide_that_statuses_flow
            unsettled_messages_are_counted
            unsettled_messages_are_counted_up_to_the_limit
            a_list_is_newest_first
            a_list_shows_its_tenant_only
            each_filter_of_a_list_counts
            filters_of_a_list_add_up
            pages_of_a_list_have_no_gaps_and_no_repeats
            pages_of_a_filtered_list_have_no_gaps_and_no_repeats
            dead_letters_are_what_ended_badly
            dead_letters_of_one_tenant
            dead_letters_of_everybody_page_by_page
            a_touch_creates_a_conversation
            a_later_touch_moves_a_conversation_forward
            a_late_touch_does_not_move_it_back
            a_late_inbound_touch_still_opens_the_window
            touches_of_one_batch_all_count
            touches_can_be_repeated
            touches_count_whatever_those_before_were_like
            receiving_moves_the_thread
            a_repetition_moves_the_thread_to_the_message_that_is_stored
            twenty_touches_at_once_leave_the_newest
            conversations_come_with_the_newest_first
            pages_of_conversations_have_no_gaps_and_no_repeats
            a_foreign_tenant_sees_no_conversation
        }
    };
}

/// Accepts the messages, each of which must be new.
pub(in crate::conformance) async fn accept_all(store: &Store, messages: &[Message]) {
    for answer in store.accept(messages.to_vec()).await {
        assert_eq!(answer, Ok(Acceptance::Stored));
    }
}

pub(in crate::conformance) async fn receive_all(store: &Store, messages: &[Message]) {
    for answer in store.receive(messages.iter().cloned().map(Into::into).collect()).await {
        assert_eq!(answer, Ok(Received::New));
    }
}

async fn load(store: &Store, key: MessageKey) -> Option<Message> {
    let mut loaded = store.load(&[key]).await;
    assert_eq!(loaded.len(), 1, "one answer for one key");
    loaded.remove(0).expect("the store answers")
}

/// Saves the message, which must be the present one, and raises its version.
async fn save(store: &Store, message: &mut Message) {
    assert_eq!(store.save(&[Save::from(&*message)]).await, [Ok(Saved::Done)]);
    message.delivery.version += 1;
}

/// Stores the message as `Queued` with its other fields, then saves it with this status.
async fn accept_as(store: &Store, status: Status, message: Message) -> Message {
    let mut message = message.with(|message| message.delivery.status = Status::Queued);
    accept_all(store, std::slice::from_ref(&message)).await;
    message.delivery.status = status;
    save(store, &mut message).await;
    message
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.accepted.id).collect()
}
