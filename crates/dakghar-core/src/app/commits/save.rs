//! Saves of deliveries.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ports::{MessageStore, Save, Saved, StoreError};

/// Saves each message once: a second save of the same version is always stale.
pub(super) async fn commit(messages: Arc<dyn MessageStore>, batch: Vec<Save>) -> Vec<Result<Saved, StoreError>> {
    let mut seen = HashSet::with_capacity(batch.len());
    let is_first: Vec<bool> = batch.iter().map(|save| seen.insert(save.key)).collect();
    let mut firsts = batch;
    let mut keep = is_first.iter();
    firsts.retain(|_| keep.next().is_some_and(|is_first| *is_first));
    let mut saved = messages.save(&firsts).await.into_iter();
    let outcome = |is_first: bool| {
        if is_first {
            saved.next().unwrap_or_else(missing_answer)
        } else {
            Ok(Saved::Stale)
        }
    };
    is_first.into_iter().map(outcome).collect()
}

fn missing_answer<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("an answer is missing".into()))
}
