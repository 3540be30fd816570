//! The one place that loads, saves and changes messages.

use std::collections::HashMap;
use std::sync::Arc;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::outcomes::Outcomes;
use super::stale::{ROUNDS_MAX, Step};
use crate::domain::audit::FieldChanges;
use crate::domain::message::StatusRecord;
use crate::domain::{Message, MessageKey, PhoneNumberId, Status, Timestamp, Wamid};
use crate::group_commit::GroupCommit;
use crate::ports::{AuditedChange, Carried, MessageStore, Ports, Save, Saved, StatusStore, StoreError};

/// Saves that share commits with other saves.
pub(super) type SaveCommit = GroupCommit<Save, Result<Saved, StoreError>>;

/// Merges into messages what was reported on them.
pub(super) async fn merge_reports(store: &dyn StatusStore, messages: &mut [Message]) -> Result<(), StoreError> {
    merge_into(store, messages.iter_mut().collect()).await
}

/// The same for one message of which all reports were read.
pub(super) fn merge_read(message: &mut Message, reports: &[StatusRecord]) {
    if message.delivery.status.may_be_further() {
        message.merge_reports(reports.iter().map(|report| report.reported.clone()).collect());
    }
}

async fn merge_into(store: &dyn StatusStore, mut messages: Vec<&mut Message>) -> Result<(), StoreError> {
    messages.retain(|message| message.delivery.status.may_be_further());
    if messages.is_empty() {
        return Ok(());
    }
    let keys: Vec<MessageKey> = messages.iter().map(|message| message.key()).collect();
    let reports = store.reports_of(&keys).await?;
    for (message, reports) in messages.into_iter().zip(reports) {
        message.merge_reports(reports);
    }
    Ok(())
}

/// The result of a change.
#[derive(Debug)]
pub(super) enum Change {
    /// Saved; this is the message as it is stored now.
    Saved(Message),
    /// The change needed no save; this is the copy that it saw.
    Left(Message),
    /// There is no such message.
    Gone,
}

/// The start of a change: a copy that was read before, or only the key.
pub(super) enum Start {
    Read(Box<Message>),
    Unread(MessageKey),
}

/// Loads, saves and changes messages. Saves share commits.
#[derive(Clone)]
pub(super) struct Messages {
    store: Arc<dyn MessageStore>,
    statuses: Arc<dyn StatusStore>,
    saves: SaveCommit,
    ledger: Ledger,
    outcomes: Arc<Outcomes>,
}

impl Messages {
    pub(super) fn new(ports: &Ports, saves: SaveCommit) -> Self {
        Self {
            store: ports.messages.clone(),
            statuses: ports.statuses.clone(),
            saves,
            ledger: Ledger::new(ports),
            outcomes: Arc::new(Outcomes::new(ports)),
        }
    }

    /// Those who wait for what becomes of messages: every save of this process is told to them.
    pub(super) const fn outcomes(&self) -> &Arc<Outcomes> {
        &self.outcomes
    }

    /// Returns the message under a key.
    pub(super) async fn load(&self, key: &MessageKey) -> Result<Option<Message>, StoreError> {
        let found = self.store.load(std::slice::from_ref(key)).await;
        Ok(found.into_iter().next().transpose()?.flatten())
    }

    /// Returns the messages in the order of the keys. Each may fail on its own.
    pub(super) async fn load_all(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        if keys.is_empty() {
            return Vec::new();
        }
        self.store.load(keys).await
    }

    /// As [`MessageStore::know_by_gateway_id`].
    pub(super) async fn know_by_gateway_id(&self, key: &MessageKey) -> Result<bool, StoreError> {
        self.store.know_by_gateway_id(key).await
    }

    /// Returns messages that were sent, by their number and Meta's id, of whatever tenant they are.
    pub(super) async fn find_by_wamid(
        &self,
        refs: &[(PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        self.store.find_by_wamid(refs).await
    }

    /// As [`load_portion`].
    pub(super) async fn load_portion(&self, keys: &mut Vec<MessageKey>) -> Portion {
        load_portion(&*self.store, keys).await
    }

    /// As [`load_portion`], dead letters with what was reported on them.
    pub(super) async fn load_reported(&self, keys: &mut Vec<MessageKey>) -> Result<Portion, StoreError> {
        let mut portion = self.load_portion(keys).await;
        let found = portion.iter_mut().map(|(_, found)| found);
        let mut messages: Vec<_> = found.flatten().flatten().collect();
        messages.retain(|message| message.delivery.status.is_dead_letter());
        merge_into(&*self.statuses, messages).await?;
        Ok(portion)
    }

    /// Saves the copy, which had this status when it was read, and raises its version, unless another writer saved first.
    pub(super) async fn save(&self, message: &mut Message, was: Status) -> Result<Saved, Failure> {
        let saved = self.saves.submit(Save::after(was, message)).await??;
        if saved == Saved::Done {
            message.delivery.version += 1;
            self.outcomes.tell(message);
        }
        Ok(saved)
    }

    /// Changes one message. If another writer saved first, starts again from the stored message.
    pub(super) async fn change(
        &self,
        start: Start,
        step: impl FnMut(&mut Message) -> Step + Send,
    ) -> Result<Change, Failure> {
        let through = Through::Commit(&self.saves);
        let verdicts = change_all(&*self.store, through, vec![start], step).await;
        let verdict = verdicts.into_iter().next();
        let verdict = verdict.map_or(Ok(Change::Gone), |(_, verdict)| verdict);
        if let Ok(Change::Saved(message)) = &verdict {
            self.outcomes.tell(message);
        }
        verdict
    }

    /// Cancels one message, unless a call may have delivered it.
    pub(super) async fn cancel(&self, start: Start, now: Timestamp) -> Result<Change, Failure> {
        let step = |message: &mut Message| if message.cancel(now) { Step::Save } else { Step::Leave };
        self.change(start, step).await
    }
}

impl Messages {
    /// Changes one message as [`Messages::change`] does, and records that in the audit log in the same transaction.
    pub(super) async fn change_by(
        &self,
        deed: &Deed<'_>,
        start: Start,
        mut step: impl FnMut(&mut Message) -> Step + Send,
    ) -> Result<Change, Failure> {
        let (key, mut read) = match start {
            Start::Read(message) => (message.key(), Some(*message)),
            Start::Unread(key) => (key, None),
        };
        for _ in 0..ROUNDS_MAX {
            let message = match read.take() {
                Some(message) => Some(message),
                None => self.load(&key).await?,
            };
            let Some(mut message) = message else {
                return Ok(Change::Gone);
            };
            let was = message.delivery.status;
            if step(&mut message) == Step::Leave {
                return Ok(Change::Left(message));
            }
            let mut fields = FieldChanges::default();
            fields.shown("status", Some(was.as_str()), Some(message.delivery.status.as_str()));
            let save = AuditedChange::SaveMessage(Box::new(Save::after(was, &message)));
            let carried = self.ledger.carry_out(&save, deed, fields.into_vec()).await?;
            if carried == Carried::Done {
                message.delivery.version += 1;
                self.outcomes.tell(&message);
                return Ok(Change::Saved(message));
            }
        }
        Err(Failure::KeptChanging("message"))
    }
}

/// Changes the messages of a commit. Each gets a verdict of its own.
pub(super) async fn change_each(
    store: &dyn MessageStore,
    keys: Vec<MessageKey>,
    step: impl FnMut(&mut Message) -> Step + Send,
) -> Vec<(MessageKey, Result<Change, Failure>)> {
    let starts = keys.into_iter().map(Start::Unread).collect();
    change_all(store, Through::Store, starts, step).await
}

/// What was read, each message under its key. Each may fail on its own.
pub(super) type Portion = Vec<(MessageKey, Result<Option<Message>, StoreError>)>;

/// Reads as many messages as one load has bytes for, and leaves the keys of the others. Takes at least one key away, so
/// that whoever goes on until none is left comes to an end.
async fn load_portion(store: &dyn MessageStore, keys: &mut Vec<MessageKey>) -> Portion {
    if keys.is_empty() {
        return Portion::new();
    }
    let asked = std::mem::take(keys);
    let found = store.load(&asked).await;
    let mut portion: Portion = asked.into_iter().zip(found).collect();
    let is_read = |found: &Result<Option<Message>, StoreError>| !matches!(found, Err(StoreError::NotReadYet));
    if portion.iter().any(|(_, found)| is_read(found)) {
        let later = portion.extract_if(.., |(_, found)| !is_read(found));
        keys.extend(later.map(|(key, _)| key));
    }
    portion
}

/// The route of a save to the store.
enum Through<'a> {
    /// In a commit shared with other saves.
    Commit(&'a SaveCommit),
    /// Directly, because the caller is itself a commit.
    Store,
}

impl Through<'_> {
    /// Saves messages, each with the status that it had when it was read.
    async fn save(&self, store: &dyn MessageStore, messages: &[(Status, Message)]) -> Vec<Result<Saved, Failure>> {
        let saves = messages.iter().map(|(was, message)| Save::after(*was, message));
        match self {
            Self::Store => {
                let saves: Vec<Save> = saves.collect();
                let saved = store.save(&saves).await.into_iter();
                saved.map(|saved| saved.map_err(Failure::from)).collect()
            }
            Self::Commit(commit) => {
                let mut saved = Vec::with_capacity(messages.len());
                for save in saves {
                    let outcome = commit.submit(save).await.map_err(Failure::from);
                    saved.push(outcome.and_then(|saved| saved.map_err(Failure::from)));
                }
                saved
            }
        }
    }
}

/// The one loop that starts again when another writer saved first.
async fn change_all(
    store: &dyn MessageStore,
    through: Through<'_>,
    starts: Vec<Start>,
    mut step: impl FnMut(&mut Message) -> Step + Send,
) -> Vec<(MessageKey, Result<Change, Failure>)> {
    let mut verdicts = Vec::with_capacity(starts.len());
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for start in starts {
        match start {
            Start::Read(message) => read.push(*message),
            Start::Unread(key) => unread.push(key),
        }
    }
    // Each message has tries of its own: those that a load has no bytes for come later, and have lost nothing. Each
    // round reads at least one, and none more than `ROUNDS_MAX` times, so the rounds end.
    let mut tries: HashMap<MessageKey, usize> = HashMap::new();
    loop {
        for (key, found) in load_portion(store, &mut unread).await {
            match found {
                Ok(Some(message)) => read.push(message),
                Ok(None) => verdicts.push((key, Ok(Change::Gone))),
                Err(error) => verdicts.push((key, Err(error.into()))),
            }
        }
        let mut changed = Vec::with_capacity(read.len());
        for mut message in read.drain(..) {
            let was = message.delivery.status;
            match step(&mut message) {
                Step::Save => changed.push((was, message)),
                Step::Leave => verdicts.push((message.key(), Ok(Change::Left(message)))),
            }
        }
        let saved = if changed.is_empty() {
            Vec::new()
        } else {
            through.save(store, &changed).await
        };
        for ((_, mut message), saved) in changed.into_iter().zip(saved) {
            match saved {
                Ok(Saved::Done) => {
                    message.delivery.version += 1;
                    verdicts.push((message.key(), Ok(Change::Saved(message))));
                }
                Ok(Saved::Stale) => {
                    let key = message.key();
                    let tries = tries.entry(key).or_default();
                    *tries += 1;
                    if *tries < ROUNDS_MAX {
                        unread.push(key);
                    } else {
                        verdicts.push((key, Err(Failure::KeptChanging("message"))));
                    }
                }
                Err(failure) => verdicts.push((message.key(), Err(failure))),
            }
        }
        if unread.is_empty() {
            return verdicts;
        }
    }
}
