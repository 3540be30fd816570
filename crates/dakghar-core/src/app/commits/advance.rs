//! Saves of how far endpoints are.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::callback::Advance;
use crate::ports::{CallbackStore, Saved, StoreError};

/// Writes each endpoint down once: a second save of the same version is always stale.
pub(super) async fn commit(store: Arc<dyn CallbackStore>, batch: Vec<Advance>) -> Vec<Result<Saved, StoreError>> {
    let mut seen = HashSet::with_capacity(batch.len());
    let is_first: Vec<bool> = batch
        .iter()
        .map(|advance| seen.insert(advance.progress.endpoint_id))
        .collect();
    let mut keep = is_first.iter();
    let mut firsts = batch;
    firsts.retain(|_| keep.next().is_some_and(|is_first| *is_first));
    let mut saved = store.advance(&firsts).await.into_iter();
    let missing = || Err(StoreError::Corrupt("an answer is missing".into()));
    let outcome = |is_first: bool| {
        if is_first {
            saved.next().unwrap_or_else(missing)
        } else {
            Ok(Saved::Stale)
        }
    };
    is_first.into_iter().map(outcome).collect()
}
