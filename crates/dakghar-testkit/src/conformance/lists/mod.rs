//! The suite of [`ListStore`](dakghar_core::ports::ListStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod bounds;
mod dead_letters;
mod messages;
mod unsettled;

pub use bounds::*;
pub use dead_letters::*;
pub use messages::*;
pub use unsettled::*;

/// Runs the suite of `ListStore`: `list_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! list_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, lists:
            a_list_is_newest_first
            a_list_shows_its_tenant_only
            each_filter_of_a_list_counts
            filters_of_a_list_add_up
            a_list_of_one_status_has_all_that_may_have_it_by_reports
            pages_of_a_list_have_no_gaps_and_no_repeats
            pages_of_a_filtered_list_have_no_gaps_and_no_repeats
            a_page_of_a_list_ends_at_its_bytes
            a_filter_that_matches_little_gives_partial_pages
            dead_letters_are_what_ended_badly
            dead_letters_of_one_tenant
            dead_letters_of_everybody_page_by_page
            a_page_of_dead_letters_ends_at_its_bytes
            unsettled_messages_are_counted
            unsettled_messages_are_counted_up_to_the_limit
        }
    };
}
