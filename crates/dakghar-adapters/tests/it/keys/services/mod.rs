//! The promises of every key service, the same ones for a master key, OpenBao, AWS and GCP. `make test-kms`.

#[cfg(feature = "kms-aws")]
mod aws;
mod canned;
mod conformance;
#[cfg(feature = "kms-gcp")]
mod gcp;
mod local;
mod transit;

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::ports::{DataKey, KeyContext, KeyService};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key service with the levers of whoever runs it.
#[async_trait]
pub trait World: Send + Sync {
    /// The service.
    fn service(&self) -> Arc<dyn KeyService>;

    /// The data key wrapped by the same key for this owner, for another purpose than that of a data key.
    async fn wrapped_for_another_purpose(&self, data_key: &DataKey, owner: &TenantId) -> Vec<u8>;
}

/// One that is elsewhere.
#[async_trait]
pub trait Remote: World {
    /// Lets it answer that it does not do it: the key is disabled, or the right was taken away.
    async fn refuse(&self);

    /// Ends that.
    async fn allow(&self);

    /// Nobody listens any more.
    async fn go_away(&self);

    /// It listens, and never answers.
    fn hang(&self);

    /// Ends both.
    async fn come_back(&self);
}

pub fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

pub fn of(id: &TenantId) -> KeyContext<'_> {
    KeyContext { owner: id.into() }
}

pub fn data_key() -> DataKey {
    DataKey::new(Zeroizing::new([7; 32]))
}

/// The cases for any key service.
macro_rules! keeps_its_promises {
    ($world:expr $(, $ignored:meta)?) => {
        crate::keys::services::case!(a_data_key_is_unwrapped_for_its_owner_alone, $world $(, $ignored)?);
        crate::keys::services::case!(a_data_key_is_unwrapped_for_its_purpose_alone, $world $(, $ignored)?);
        crate::keys::services::case!(what_was_damaged_is_not_unwrapped, $world $(, $ignored)?);
        crate::keys::services::case!(a_key_is_asked_for_once_in_its_time, $world $(, $ignored)?);
    };
}

/// Those for one that is elsewhere.
macro_rules! keeps_the_promises_of_a_remote {
    ($world:expr $(, $ignored:meta)?) => {
        crate::keys::services::case!(what_is_refused_says_so_and_is_no_damage, $world $(, $ignored)?);
        crate::keys::services::case!(one_that_is_away_is_used_again_when_it_is_back, $world $(, $ignored)?);
    };
}

macro_rules! case {
    ($case:ident, $world:expr $(, $ignored:meta)?) => {
        #[tokio::test(flavor = "multi_thread")]
        $(#[$ignored])?
        async fn $case() {
            let world = $world;
            crate::keys::services::conformance::$case(&world).await;
        }
    };
}

use {case, keeps_its_promises, keeps_the_promises_of_a_remote};
