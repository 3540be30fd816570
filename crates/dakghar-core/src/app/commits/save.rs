//! Saves under the version that was read: of deliveries, and of how far endpoints are.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::domain::callback::Advance;
use crate::ports::{CallbackStore, MessageStore, Save, Saved, StoreError};

/// Saves each message once.
pub(super) async fn commit(messages: Arc<dyn MessageStore>, mut batch: Vec<Save>) -> Vec<Result<Saved, StoreError>> {
    let is_first = keep_firsts(&mut batch, |save| save.key);
    answers(is_first, messages.save(&batch).await)
}

/// Writes each endpoint down once.
pub(super) async fn advance(store: Arc<dyn CallbackStore>, mut batch: Vec<Advance>) -> Vec<Result<Saved, StoreError>> {
    let is_first = keep_firsts(&mut batch, |advance| advance.progress.endpoint_id);
    answers(is_first, store.advance(&batch).await)
}

/// Keeps the first of each key, and returns which they were.
fn keep_firsts<T, K: Eq + Hash>(batch: &mut Vec<T>, key: impl Fn(&T) -> K) -> Vec<bool> {
    let mut seen = HashSet::with_capacity(batch.len());
    let is_first: Vec<bool> = batch.iter().map(|save| seen.insert(key(save))).collect();
    let mut keep = is_first.iter();
    batch.retain(|_| keep.next().is_some_and(|is_first| *is_first));
    is_first
}

/// The answers of the whole batch: a second save of the same version is always stale.
fn answers(is_first: Vec<bool>, of_firsts: Vec<Result<Saved, StoreError>>) -> Vec<Result<Saved, StoreError>> {
    let mut of_firsts = of_firsts.into_iter();
    let answer = |is_first: bool| {
        if is_first {
            of_firsts.next().unwrap_or_else(missing_answer)
        } else {
            Ok(Saved::Stale)
        }
    };
    is_first.into_iter().map(answer).collect()
}

fn missing_answer<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("an answer is missing".into()))
}
