//! Several key services: one wraps, and each unwraps what is under its own key.

use std::sync::Arc;

use async_trait::async_trait;

use super::wrapped;
use crate::domain::breaker::Open;
use crate::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};

/// The key services of a process.
pub struct KeyServices {
    /// The one that wraps, and then the others.
    services: Vec<Arc<dyn KeyService>>,
}

impl KeyServices {
    /// Wraps by `present`. What is under the key of one of the others is unwrapped by it.
    pub fn new(present: Arc<dyn KeyService>, others: Vec<Arc<dyn KeyService>>) -> Self {
        let mut services = vec![present];
        services.extend(others);
        Self { services }
    }

    fn present(&self) -> &dyn KeyService {
        &*self.services[0]
    }
}

#[async_trait]
impl KeyService for KeyServices {
    fn key_id(&self) -> KeyId {
        self.present().key_id()
    }

    fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, KeyError> {
        wrapped::key_id_of(wrapped)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        self.present().wrap(data_key, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let key = wrapped::key_id_of(wrapped)?;
        let service = self.services.iter().find(|service| service.key_id() == key);
        let service = service.ok_or(KeyError::Unreadable(
            "its data key was wrapped under another master key",
        ))?;
        service.unwrap(wrapped, context).await
    }

    async fn look(&self) {
        for service in &self.services {
            service.look().await;
        }
    }

    fn away(&self) -> Option<Open> {
        self.services.iter().find_map(|service| service.away())
    }
}
