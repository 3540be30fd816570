//! The suite of [`MessageStore`](dakghar_core::ports::MessageStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod accepting;
mod finding;
mod moving;
mod receiving;
mod saving;
mod statuses;

pub use accepting::*;
pub use finding::*;
pub use moving::*;
pub use receiving::*;
pub use saving::*;
pub use statuses::*;

/// Runs the suite of `MessageStore`: `message_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! message_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, messages:
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
            an_insert_that_is_repeated_is_stored_once_and_leaves_what_is_there
            an_insert_that_is_repeated_under_a_key_of_another_is_a_replay
            twenty_at_once_under_one_id_store_one
            fifty_at_once_under_one_key_store_one
            a_thousand_in_one_batch_are_all_stored
            inbound_messages_can_be_loaded
            a_wamid_received_again_is_a_duplicate
            a_wamid_twice_in_a_batch_is_stored_once
            each_is_received_once_whatever_the_batches_before_were_like
            two_numbers_may_receive_the_same_wamid
            an_own_message_is_no_duplicate_of_a_received_one
            twenty_at_once_of_one_wamid_store_one
            an_echo_is_received_once_and_found_by_its_wamid
            receiving_moves_the_conversation
            a_repetition_moves_the_conversation_to_the_message_that_is_stored
            messages_load_in_the_order_of_the_keys
            a_foreign_tenant_loads_nothing
            a_load_ends_with_its_bytes_and_the_rest_is_asked_for_again
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
            a_wamid_is_found_for_its_number_only_whoever_sent_it
            of_several_messages_with_a_wamid_the_newest_is_found
            a_received_wamid_is_not_found_as_a_sent_one
            a_message_is_found_by_its_key
            statuses_of_calls_in_a_time_have_arrived
            a_status_that_came_late_shows_nothing
            a_report_shows_that_statuses_arrive
            statuses_arrive_for_one_number_of_one_tenant
            a_backlog_does_not_hide_statuses_before_and_after
        }
    };
}
