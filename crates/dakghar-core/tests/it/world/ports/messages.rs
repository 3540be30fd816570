//! The message store at the far end of the wire. Every effect is shown to the promises the moment it happens.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::page::Paged as _;
use dakghar_core::domain::{IdempotencyKey, Message, MessageKey, PhoneNumberId, Status, TenantId, Wamid};
use dakghar_core::ports::{
    Acceptance, LOAD_BYTES_MAX, MessageStore, Received, ReceivedMessage, Save, Saved, StatusStore as _, StoreError,
};

use super::{Near, Shared, at_once, away};
use crate::world::executor::Life;
use crate::world::seen::Seen;
use crate::world::wire::{Call, Luck};

impl Shared {
    /// The message as people see it, without a wire in between.
    pub fn look(&self, key: MessageKey) -> Option<Seen> {
        let mut seen = self.stored(key)?;
        if seen.status().may_be_further() {
            let reports = at_once(self.store.reports_of(&[key])).expect("no outage").remove(0);
            seen.0.merge_reports(reports);
        }
        Some(seen)
    }

    /// The message as stored, without its reports.
    pub(super) fn stored(&self, key: MessageKey) -> Option<Seen> {
        let found = at_once(self.store.load(&[key])).pop().and_then(Result::ok).flatten();
        found.map(Seen)
    }

    fn save_one(&self, by: Life, call: Call, save: Save) -> Saved {
        self.save_as(by, call, save, None)
    }

    /// Saves a message, with its entry if it was not announced.
    pub(super) fn save_as(&self, by: Life, call: Call, save: Save, announced: Option<&Arc<str>>) -> Saved {
        let before = self.stored(save.key);
        let saved = match announced {
            Some(id) => self.store.save_announced(&save, id),
            None => {
                let saved = at_once(MessageStore::save(&*self.store, &[save])).pop();
                saved.expect("an answer").expect("no outage")
            }
        };
        if saved == Saved::Done {
            self.show(by, call, before);
        }
        saved
    }

    /// Shows what became of a message, and tells the queues if it may be due.
    pub(super) fn show(&self, by: Life, call: Call, before: Option<Seen>) {
        let Some(before) = before else { return };
        let after = self.stored(before.key()).expect("it was just saved");
        if after.status() == Status::Queued {
            self.queued.tell();
        }
        self.promises.changed(by, call, &before, &after);
    }

    fn accept_one(&self, by: Life, message: Message) -> Acceptance {
        let key = message.key();
        let is_repeated = self.stored(key).is_some();
        let accepted = at_once(self.store.accept(vec![message])).pop();
        let accepted = accepted.expect("an answer").expect("no outage");
        if accepted == Acceptance::Stored && !is_repeated {
            let seen = self.stored(key).expect("it was just stored");
            self.promises.stored(by, &seen);
            self.queued.tell();
        }
        accepted
    }
}

/// One answer for each item of a batch, as luck has it.
fn each<I, T>(
    luck: &mut Luck,
    items: impl IntoIterator<Item = I>,
    mut effect: impl FnMut(I) -> T,
) -> Vec<Result<T, StoreError>> {
    let one = |item| match luck.draw() {
        (true, true) => Ok(effect(item)),
        (true, false) => {
            effect(item);
            Err(away())
        }
        (false, _) => Err(away()),
    };
    items.into_iter().map(one).collect()
}

/// One answer for all.
fn whole<T>(luck: &mut Luck, effect: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    match luck.draw() {
        (true, true) => effect(),
        (true, false) => effect().and(Err(away())),
        (false, _) => Err(away()),
    }
}

impl Near {
    /// A call that reads or writes as one.
    pub(super) async fn once<T: Send + 'static>(
        &self,
        call: Call,
        effect: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.shared.clone();
        let travelling = move |luck: &mut Luck| whole(luck, || effect(&shared));
        self.shared.wire.call(self.life, call, travelling).await
    }

    /// A call with a batch.
    pub(super) async fn batch<I: Send + 'static, T: Send + 'static>(
        &self,
        call: Call,
        items: Vec<I>,
        effect: impl Fn(&Shared, I) -> T + Send + 'static,
    ) -> Vec<Result<T, StoreError>> {
        let shared = self.shared.clone();
        let travelling = move |luck: &mut Luck| each(luck, items, |item| effect(&shared, item));
        self.shared.wire.call(self.life, call, travelling).await
    }
}

#[async_trait]
impl MessageStore for Near {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        let life = self.life;
        let accept = move |shared: &Shared, message| shared.accept_one(life, message);
        self.batch(Call::Accept, batch, accept).await
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        let life = self.life;
        let receive = move |shared: &Shared, mut message: ReceivedMessage| {
            if shared.wire.dies_before(life, Call::MoveConversation) {
                message.touch = None;
            }
            let received = at_once(shared.store.receive(vec![message])).pop();
            received.expect("an answer").expect("no outage")
        };
        self.batch(Call::Receive, batch, receive).await
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        let load = |shared: &Shared, key| {
            let found = shared.stored(key);
            shared.promises.found(key.tenant_id, found.as_ref());
            found.map(|seen| seen.0)
        };
        let mut bytes = 0;
        let mut found = self.batch(Call::Load, keys.to_vec(), load).await;
        for found in &mut found {
            if bytes >= LOAD_BYTES_MAX {
                *found = Err(StoreError::NotReadYet);
            } else if let Ok(Some(message)) = found {
                bytes += message.bytes();
            }
        }
        let unreadable = self.shared.unreadable_messages.lock();
        let broken = keys.iter().zip(&mut found).filter(|(key, _)| unreadable.contains(key));
        for (key, found) in broken {
            *found = Err(StoreError::Unreadable(format!("{} is broken", key.message_id)));
        }
        drop(unreadable);
        found
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save_in_three_writes(batch).await
    }

    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        let life = self.life;
        let claim = move |shared: &Shared, save: Save| shared.save_one(life, Call::Claim, save);
        self.batch(Call::Claim, batch.to_vec(), claim).await
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        let refs = refs.to_vec();
        let find = move |shared: &Shared| at_once(shared.store.find_by_wamid(&refs));
        self.once(Call::FindByWamid, find).await
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        let (tenant_id, key) = (*tenant_id, key.clone());
        let find = move |shared: &Shared| {
            let found = at_once(shared.store.find_by_idempotency_key(&tenant_id, &key))?;
            shared.promises.found(tenant_id, found.clone().map(Seen).as_ref());
            Ok(found)
        };
        self.once(Call::FindByKey, find).await
    }

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        let (message, number) = (*message, phone_number_id.clone());
        let look = move |shared: &Shared| at_once(shared.store.statuses_arrived(&message, &number, calls));
        self.once(Call::StatusesArrived, look).await
    }
}
