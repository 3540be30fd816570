//! The processes that take webhooks, at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::listening::Listener;
use dakghar_core::ports::{ListenerStore, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

/// The name of a listener that cannot be read.
pub const UNREADABLE: &str = "unreadable";

#[async_trait]
impl ListenerStore for Near {
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError> {
        let listener = listener.clone();
        self.once(Call::KeepListener, move |shared| {
            at_once(shared.store.keep_listener(&listener))
        })
        .await
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StoreError> {
        let listeners = self
            .once(Call::Listeners, |shared| at_once(shared.store.listeners()))
            .await?;
        if listeners.iter().any(|listener| &*listener.process == UNREADABLE) {
            return Err(StoreError::Unreadable(UNREADABLE.into()));
        }
        Ok(listeners)
    }

    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError> {
        self.once(Call::KeepListener, move |shared| {
            at_once(shared.store.forget_listeners(before))
        })
        .await
    }
}
