//! Conversations that are created or moved forward.

use std::sync::Arc;

use crate::domain::ConversationTouch;
use crate::group_commit::GroupCommit;
use crate::ports::{ConversationStore, StoreError};

/// Conversations on their way into the store.
pub(in crate::app) type Touches = GroupCommit<Vec<ConversationTouch>, Result<(), StoreError>>;

/// Commits the conversations of several requests at once.
pub(super) async fn commit(
    conversations: Arc<dyn ConversationStore>,
    batch: Vec<Vec<ConversationTouch>>,
) -> Vec<Result<(), StoreError>> {
    vec![conversations.touch(&batch.concat()).await; batch.len()]
}
