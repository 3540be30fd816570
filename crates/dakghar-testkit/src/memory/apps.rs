//! Apps at Meta.

use async_trait::async_trait;
use dakghar_core::domain::AppId;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::{AppStore, Saved, StoreError};

use super::MemoryStore;

#[async_trait]
impl AppStore for MemoryStore {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.with(|state| {
            if state.apps.contains_key(&app.id) {
                return Saved::Stale;
            }
            state.apps.insert(app.id.clone(), app.clone());
            Saved::Done
        })
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.with(|state| match state.apps.get_mut(&app.id) {
            Some(stored) if stored.version == app.version => {
                *stored = MetaApp {
                    version: app.version + 1,
                    ..app.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError> {
        self.with(|state| state.apps.get(id).cloned())
    }

    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError> {
        self.with(|state| state.apps.values().cloned().map(Ok).collect())
    }

    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError> {
        self.with(|state| state.apps.remove(id).is_some())
    }
}
