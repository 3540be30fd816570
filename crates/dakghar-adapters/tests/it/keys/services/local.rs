//! A master key in the settings.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_adapters::keys::LocalKeys;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{DataKey, KeyService};
use dakghar_core::vault::MasterKey;
use dakghar_core::vault::sealing::SealingKey;

use super::{World, keeps_its_promises};

struct Local(MasterKey);

impl Local {
    fn new() -> Self {
        Self(MasterKey::new(&Secret::new("a master key for tests, long enough")).unwrap())
    }
}

#[async_trait]
impl World for Local {
    fn service(&self) -> Arc<dyn KeyService> {
        Arc::new(LocalKeys::new(&self.0, None))
    }

    async fn wrapped_for_another_purpose(&self, data_key: &DataKey, owner: &TenantId) -> Vec<u8> {
        let key = SealingKey::derive(self.0.root(), "data keys", "data keys mark");
        let sealed = key.seal(&[owner.to_string().as_bytes(), b"secret"], data_key.as_bytes());
        sealed.expect("it seals")
    }
}

keeps_its_promises!(Local::new());
