//! The key service: unwrapping a data key goes over the wire.

use async_trait::async_trait;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService, StoreError};
use dakghar_testkit::memory::MemoryKeys;

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl KeyService for Near {
    fn key_id(&self) -> KeyId {
        MemoryKeys.key_id()
    }

    fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, KeyError> {
        MemoryKeys.key_id_of(wrapped)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        MemoryKeys.wrap(data_key, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let unwrapped = at_once(MemoryKeys.unwrap(wrapped, context))?;
        let answer = self.once(Call::OpenToken, move |_| Ok(unwrapped)).await;
        answer.map_err(|error: StoreError| KeyError::Unavailable(error.to_string()))
    }
}
