//! The suite of [`TenantStore`](dakghar_core::ports::TenantStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod finding;
mod inserting;
mod keys;
mod saving;

use dakghar_core::domain::{PhoneNumber, PhoneNumberId, Tenant, TenantId};
use dakghar_core::ports::TenantSaved;

use super::stores::Stores;
use crate::samples::{number, phone};

pub use finding::*;
pub use inserting::*;
pub use keys::*;
pub use saving::*;

/// Runs the suite of `TenantStore`: `tenant_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! tenant_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, tenants:
            every_field_of_a_tenant_survives
            an_unknown_tenant_is_not_found
            tenants_are_found_in_the_order_of_their_ids
            an_id_is_inserted_once
            a_number_belongs_to_one_tenant
            tenants_wait_for_their_first_numbers
            a_refused_insert_leaves_nothing
            ten_at_once_with_one_number_leave_one
            a_save_keeps_every_field
            every_setting_survives
            the_standing_of_a_number_survives
            a_stale_save_of_a_tenant_changes_nothing
            an_unknown_tenant_cannot_be_saved
            ten_saves_at_once_from_one_version_leave_one
            a_save_cannot_take_a_foreign_number
            a_number_given_up_can_be_taken
            the_order_of_numbers_is_kept
            tenants_are_listed_newest_first
            pages_of_tenants_have_no_gaps_and_no_repeats
            numbers_know_their_owners
            accounts_know_their_owners
            numbers_know_who_gave_them_up
            a_removed_tenant_is_gone
            keys_are_added_replaced_and_revoked_with_their_tenant
            the_latest_use_of_a_key_counts_and_makes_no_version
            uses_of_what_is_not_there_are_noted_nowhere
        }
    };
}

async fn insert(stores: &Stores, tenant: &Tenant) {
    assert_eq!(stores.tenants.insert(tenant).await, Ok(TenantSaved::Done));
}

/// Saves the tenant, which must be the present one, and raises its version.
async fn save(stores: &Stores, tenant: &mut Tenant) {
    assert_eq!(stores.tenants.save(tenant, &[]).await, Ok(TenantSaved::Done));
    tenant.version += 1;
}

async fn check(stores: &Stores, expected: &Tenant) {
    assert_eq!(stores.tenants.find(&expected.id).await, Ok(Some(expected.clone())));
}

async fn owner(stores: &Stores, number: &PhoneNumberId) -> Option<TenantId> {
    let mut owners = stores.tenants.owners_of_numbers(std::slice::from_ref(number)).await;
    owners.remove(0).expect("the store answers")
}

fn numbers(digits: &[&str]) -> Vec<PhoneNumber> {
    digits.iter().map(|digits| number(phone(digits))).collect()
}
