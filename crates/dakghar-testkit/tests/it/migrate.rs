//! Moving an installation, killed between every two writes, from memory to memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dakghar_core::app::migrating::{MigrateError, Migrator, Plan};
use dakghar_core::domain::callback::{Advance, CallbackProgress};
use dakghar_core::domain::feed;
use dakghar_core::domain::installation::INSTALLATION_SECRETS;
use dakghar_core::domain::migration::{Kind, Migration, Place, Record, Retirement, Stage};
use dakghar_core::domain::{
    AttemptLogId, ConversationId, ConversationTouch, EndpointId, EventId, Message, MessageId, RedriveId, ReplayId,
    Secret, Status, Tenant, TenantId,
};
use dakghar_core::ports::{
    CallbackStore, ConversationStore, Erasure, EventStore, IdGenerator, InstallationStore, MessageStore,
    MigrationSource, MigrationTarget, RedriveStore, Save, Saved, SourcePage, StoreError, TenantStore,
};
use dakghar_testkit::memory::{MemoryStore, installation_secrets, vault, with_token};
use dakghar_testkit::samples::{
    at, callback_exception_full, callback_progress_full, endpoint, event, event_bare, inbound, outbound, outbound_full,
    person, phone_number_id, redrive, tenant, tenant_full, tenant_id, with_key,
};
use dakghar_testkit::{SequentialIds, TestClock};

/// Records on a page, so that every kind has several.
const PAGE: u32 = 3;

/// What happens to a write when its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// It does not happen.
    Before,
    /// It happens, and nobody hears of it.
    After,
}

/// The two stores of a process that dies at one of its writes.
struct Mortal {
    source: Arc<MemoryStore>,
    target: Arc<MemoryStore>,
    death: Death,
    writes_left: AtomicU32,
}

impl Mortal {
    fn is_dead(&self) -> bool {
        self.writes_left.load(Ordering::SeqCst) == 0
    }

    fn check<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if self.is_dead() { Err(dead()) } else { answer }
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.is_dead() {
            return Err(dead());
        }
        let is_last = self.writes_left.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && self.death == Death::Before {
            return Err(dead());
        }
        let answer = write.await;
        if is_last { Err(dead()) } else { answer }
    }
}

fn dead() -> StoreError {
    StoreError::Unavailable("killed".into())
}

#[async_trait]
impl MigrationSource for Mortal {
    async fn state(&self) -> Result<[u8; 32], StoreError> {
        self.check(self.source.state().await)
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.check(MigrationSource::count(&*self.source, kind).await)
    }

    async fn open_redrives(&self) -> Result<u64, StoreError> {
        self.check(self.source.open_redrives().await)
    }

    async fn open_erasures(&self) -> Result<u64, StoreError> {
        self.check(self.source.open_erasures().await)
    }

    async fn open_signups(&self) -> Result<u64, StoreError> {
        self.check(self.source.open_signups().await)
    }

    async fn open_departures(&self) -> Result<u64, StoreError> {
        self.check(self.source.open_departures().await)
    }

    async fn page(&self, kind: Kind, after: Option<&Place>, limit: u32) -> Result<SourcePage, StoreError> {
        self.check(self.source.page(kind, after, limit.min(PAGE)).await)
    }

    async fn retirement(&self) -> Result<Option<Retirement>, StoreError> {
        self.check(self.source.retirement().await)
    }

    async fn retire(&self, retirement: &Retirement) -> Result<(), StoreError> {
        self.write(self.source.retire(retirement)).await
    }
}

#[async_trait]
impl MigrationTarget for Mortal {
    async fn migration(&self) -> Result<Option<Migration>, StoreError> {
        self.check(self.target.migration().await)
    }

    async fn save_migration(&self, migration: &Migration) -> Result<Saved, StoreError> {
        self.write(self.target.save_migration(migration)).await
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.check(MigrationTarget::count(&*self.target, kind).await)
    }

    async fn put(&self, records: &[Record]) -> Result<(), StoreError> {
        self.write(self.target.put(records)).await
    }

    async fn stored(&self, like: &[Record]) -> Result<Vec<Option<Record>>, StoreError> {
        self.check(self.target.stored(like).await)
    }

    async fn clear(&self, kind: Kind, limit: u32) -> Result<u64, StoreError> {
        self.write(self.target.clear(kind, limit.min(PAGE))).await
    }
}

/// Ids that are new in every run.
struct Ids;

static IDS: SequentialIds = SequentialIds::new();

impl IdGenerator for Ids {
    fn tenant_id(&self) -> TenantId {
        IDS.tenant_id()
    }

    fn message_id(&self) -> MessageId {
        IDS.message_id()
    }

    fn event_id(&self) -> EventId {
        IDS.event_id()
    }

    fn endpoint_id(&self) -> EndpointId {
        IDS.endpoint_id()
    }

    fn redrive_id(&self) -> RedriveId {
        IDS.redrive_id()
    }

    fn replay_id(&self) -> ReplayId {
        IDS.replay_id()
    }

    fn attempt_log_id(&self) -> AttemptLogId {
        IDS.attempt_log_id()
    }

    fn jitter(&self) -> f64 {
        IDS.jitter()
    }

    fn secret_bytes(&self) -> [u8; 32] {
        IDS.secret_bytes()
    }
}

/// A run that dies at its `write`-th write.
fn migrator(source: &Arc<MemoryStore>, target: &Arc<MemoryStore>, death: Death, write: u32) -> Migrator {
    let mortal = Arc::new(Mortal {
        source: source.clone(),
        target: target.clone(),
        death,
        writes_left: AtomicU32::new(write),
    });
    Migrator {
        source: mortal.clone(),
        target: mortal,
        vault: vault(),
        clock: Arc::new(TestClock::default()),
        ids: Arc::new(Ids),
        origin: "here".into(),
        successor: "there".into(),
    }
}

/// A run that nothing ends.
fn healthy(source: &Arc<MemoryStore>, target: &Arc<MemoryStore>) -> Migrator {
    migrator(source, target, Death::Before, u32::MAX)
}

async fn run(migrator: &Migrator, start_over: bool) -> Result<Migration, MigrateError> {
    migrator.run(start_over, &|_| ()).await
}

/// An installation with a few pages of everything.
async fn installation() -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let owners = [tenant(), tenant_full(), tenant(), tenant()];
    for owner in &owners {
        let owner = with_token(owner.clone(), &vault(), &Secret::new("token"))
            .await
            .unwrap();
        store.insert(&owner).await.unwrap();
    }
    let mut messages = vec![outbound_full(owners[0].id), outbound(owners[1].id)];
    messages.extend((0..6).map(|n| with_key(owners[2].id, &format!("key {n}"))));
    for answer in store.accept(messages).await {
        answer.unwrap();
    }
    for answer in store.receive(vec![inbound(owners[3].id, "wamid.A").into()]).await {
        answer.unwrap();
    }
    let touches = owners.each_ref().map(|owner| ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: dakghar_core::domain::ConversationKind::Person,
        id: ConversationId::of(&owner.id, &phone_number_id(), &person("1")),
        tenant_id: owner.id,
        phone_number_id: phone_number_id(),
        wa_id: person("1"),
        message_id: outbound(owner.id).accepted.id,
        at: at(1),
        opens_window: true,
    });
    store.touch(&touches).await.unwrap();
    for _ in 0..2 {
        store.record(&[event(owners[0].id), event_bare()]).await.unwrap();
    }
    let advances = owners.each_ref().map(|owner| {
        let id = endpoint(owner.id).id;
        Advance {
            progress: CallbackProgress {
                version: 0,
                ..callback_progress_full(id, owner.id)
            },
            exceptions: vec![callback_exception_full(id, owner.id, feed::Place::new(7))],
            over: Vec::new(),
            attempts: None,
        }
    });
    assert_eq!(store.advance(&advances).await, [const { Ok(Saved::Done) }; 4]);
    make_secrets(&store).await;
    store
}

/// Stores secrets of an installation, as whoever starts it first.
async fn make_secrets(store: &MemoryStore) {
    let sealed = vault().seal_installation(&installation_secrets()).await.unwrap();
    assert_eq!(store.insert_secrets(&sealed).await, Ok(Saved::Done));
}

/// The target holds the source's records, and each queued message has a timer that queues it.
async fn assert_moved(source: &MemoryStore, target: &MemoryStore) {
    for kind in Kind::ALL {
        let page = source.page(kind, None, 1_000).await.unwrap();
        let stored = target.stored(&page.records).await.unwrap();
        assert_eq!(
            MigrationTarget::count(target, kind).await,
            Ok(page.records.len() as u64)
        );
        for (mut record, stored) in page.records.into_iter().zip(stored) {
            if let Record::Message(message) = &mut record {
                message.arrive_unqueued();
                assert!(message.delivery.status != Status::Queued || message.delivery.wake_at.is_some());
            }
            assert_eq!(stored, Some(record));
        }
    }
}

/// Whether a server may start on each side.
async fn may_send(source: &MemoryStore, target: &MemoryStore) -> (bool, bool) {
    let migration = target.migration().await.unwrap();
    let from_target = migration.is_some_and(|migration| migration.obstacle().is_none());
    (source.retirement().await.unwrap().is_none(), from_target)
}

#[tokio::test]
async fn killed_at_any_write_it_goes_on_and_never_lets_both_sides_send() {
    for death in [Death::Before, Death::After] {
        let mut write = 0;
        loop {
            let (source, target) = (installation().await, MemoryStore::new());
            // A process was started there before, and made secrets of its own.
            make_secrets(&target).await;
            write += 1;
            let first = run(&migrator(&source, &target, death, write), false).await;
            assert_ne!(may_send(&source, &target).await, (true, true), "{death:?} {write}");
            if first.is_ok() {
                break;
            }
            let finished = run(&healthy(&source, &target), false).await.unwrap();
            assert_eq!(finished.stage, Stage::Finished);
            assert_moved(&source, &target).await;
            assert_eq!(may_send(&source, &target).await, (false, true), "{death:?} {write}");
            for progress in &finished.kinds {
                assert_eq!(progress.copied, progress.total, "{death:?} {write}");
                assert!(progress.checksum.is_some());
            }
        }
        assert!(write > 20, "only {write} writes");
    }
}

#[tokio::test]
async fn killed_again_and_again_it_gets_there() {
    for death in [Death::Before, Death::After] {
        let (source, target) = (installation().await, MemoryStore::new());
        let mut runs = 0;
        // Three writes: a page, its place, and the one that does not come through.
        while run(&migrator(&source, &target, death, 3), false).await.is_err() {
            runs += 1;
            assert!(runs < 100, "it does not get on");
        }
        assert!(runs > 5, "only {runs} runs");
        assert_moved(&source, &target).await;
    }
}

#[tokio::test]
async fn a_finished_one_says_so_and_writes_nothing() {
    let (source, target) = (installation().await, MemoryStore::new());
    let finished = run(&healthy(&source, &target), false).await.unwrap();
    for start_over in [false, true] {
        let again = migrator(&source, &target, Death::Before, 1);
        assert_eq!(again.plan(start_over).await, Ok(Plan::Finished(finished.clone())));
        assert_eq!(run(&again, start_over).await, Ok(finished.clone()));
    }
    // The target lives on, and that changes nothing.
    target.insert(&tenant()).await.unwrap();
    assert_eq!(run(&healthy(&source, &target), false).await, Ok(finished));
}

#[tokio::test]
async fn a_target_with_other_data_is_refused() {
    let (source, target) = (installation().await, MemoryStore::new());
    target.insert(&tenant()).await.unwrap();
    let refused = run(&healthy(&source, &target), false).await;
    assert_eq!(refused, Err(MigrateError::TargetInUse(vec![(Kind::Tenants, 1)])));
    assert_eq!(target.migration().await, Ok(None), "nothing was written");
}

#[tokio::test]
async fn an_open_redrive_keeps_an_installation_from_leaving() {
    let (source, target) = (installation().await, MemoryStore::new());
    let mut redrive = redrive(None);
    source.insert_redrive(&redrive).await.unwrap();
    for start_over in [false, true] {
        let refused = run(&healthy(&source, &target), start_over).await;
        assert_eq!(refused, Err(MigrateError::OpenRedrives(1)));
    }
    assert_eq!(target.migration().await, Ok(None), "nothing was begun");
    redrive.cancel(at(1)).unwrap();
    source.save_redrive(&redrive).await.unwrap();
    let finished = run(&healthy(&source, &target), false).await.unwrap();
    assert_eq!(finished.stage, Stage::Finished);
    assert_moved(&source, &target).await;
}

#[tokio::test]
async fn a_source_that_was_changed_must_start_over() {
    let (source, target) = (installation().await, MemoryStore::new());
    let killed = run(&migrator(&source, &target, Death::After, 9), false).await;
    assert!(matches!(killed, Err(MigrateError::Target(_))), "{killed:?}");
    // The old installation went on for a while.
    let page = source.page(Kind::Messages, None, 1).await.unwrap();
    let Some(Record::Message(message)) = page.records.into_iter().next() else {
        panic!("there are messages");
    };
    source.erase(&message.accepted.tenant_id, 1).await.unwrap();
    source.accept(vec![outbound(tenant_id())]).await.remove(0).unwrap();

    let refused = run(&healthy(&source, &target), false).await;
    assert!(
        matches!(refused, Err(MigrateError::OtherUnfinished { .. })),
        "{refused:?}"
    );
    // Killed while it starts over, it need not be told again.
    for write in 1..8 {
        let killed = run(&migrator(&source, &target, Death::After, write), true).await;
        assert!(killed.is_err());
        assert_eq!(may_send(&source, &target).await, (true, false));
    }
    run(&healthy(&source, &target), false).await.unwrap();
    assert_moved(&source, &target).await;
}

#[tokio::test]
async fn another_source_is_refused_whether_the_first_is_finished_or_not() {
    let (first, second, target) = (installation().await, installation().await, MemoryStore::new());
    let killed = run(&migrator(&first, &target, Death::After, 9), false).await;
    assert!(killed.is_err());
    let refused = run(&healthy(&second, &target), false).await;
    assert!(
        matches!(refused, Err(MigrateError::OtherUnfinished { .. })),
        "{refused:?}"
    );
    run(&healthy(&first, &target), false).await.unwrap();
    for start_over in [false, true] {
        let refused = run(&healthy(&second, &target), start_over).await;
        assert!(
            matches!(refused, Err(MigrateError::OtherFinished { .. })),
            "{refused:?}"
        );
    }
    assert_moved(&first, &target).await;
}

#[tokio::test]
async fn an_installation_does_not_move_to_two_places() {
    let (source, first, second) = (installation().await, MemoryStore::new(), MemoryStore::new());
    // A copy that was begun and forgotten.
    assert!(run(&migrator(&source, &second, Death::After, 9), false).await.is_err());
    run(&healthy(&source, &first), false).await.unwrap();
    for target in [second, MemoryStore::new()] {
        for start_over in [false, true] {
            let refused = run(&healthy(&source, &target), start_over).await;
            assert!(matches!(refused, Err(MigrateError::Retired(_))), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn two_at_once_end_as_one() {
    let (source, target) = (installation().await, MemoryStore::new());
    let (one, other) = (healthy(&source, &target), healthy(&source, &target));
    let (one, other) = tokio::join!(run(&one, false), run(&other, false));
    assert!(one.is_ok() || one == Err(MigrateError::Overtaken), "{one:?}");
    assert!(other.is_ok() || other == Err(MigrateError::Overtaken), "{other:?}");
    run(&healthy(&source, &target), false).await.unwrap();
    assert_moved(&source, &target).await;
}

#[tokio::test]
async fn a_key_that_does_not_open_a_token_is_refused_before_anything_is_written() {
    let (source, target) = (installation().await, MemoryStore::new());
    let locked = Tenant {
        id: tenant_id(),
        ..tenant_full()
    };
    let mut locked = with_token(locked, &vault(), &Secret::new("token")).await.unwrap();
    locked.phone_numbers[1].sealed_token.reverse();
    source.insert(&locked).await.unwrap();
    let refused = run(&healthy(&source, &target), false).await;
    assert!(
        matches!(&refused, Err(MigrateError::WrongKey { tenant_id, .. }) if *tenant_id == locked.id),
        "{refused:?}"
    );
    assert_eq!(target.migration().await, Ok(None));
}

#[tokio::test]
async fn secrets_of_the_installation_that_do_not_open_are_refused_before_anything_is_written() {
    let (source, target) = (installation().await, MemoryStore::new());
    let mut secrets = source.find_secrets(INSTALLATION_SECRETS).await.unwrap().unwrap();
    secrets.wrapped_data_key.reverse();
    assert_eq!(source.save_secrets(&secrets).await, Ok(Saved::Done));
    let refused = run(&healthy(&source, &target), false).await;
    assert!(
        matches!(refused, Err(MigrateError::WrongKeyOfInstallation(_))),
        "{refused:?}"
    );
    assert_eq!(target.migration().await, Ok(None));
}

#[tokio::test]
async fn an_installation_without_stored_secrets_leaves_none_of_the_target() {
    let (source, target) = (installation().await, MemoryStore::new());
    let cleared = MigrationTarget::clear(&*source, Kind::InstallationSecrets, 10).await;
    assert_eq!(cleared, Ok(1), "as an earlier release left it");
    make_secrets(&target).await;
    run(&healthy(&source, &target), false).await.unwrap();
    assert_moved(&source, &target).await;
}

/// A migration that is all copied, but not compared; and one of its messages.
async fn copied() -> (Arc<MemoryStore>, Arc<MemoryStore>, Message) {
    let (source, target) = (installation().await, MemoryStore::new());
    let mut write = 1;
    while source.retirement().await.unwrap().is_none() {
        write += 1;
        let (again, other) = (source.clone(), MemoryStore::new());
        let _ = run(&migrator(&again, &other, Death::After, write), false).await;
    }
    let fresh = installation().await;
    let killed = run(&migrator(&fresh, &target, Death::Before, write), false).await;
    assert!(
        matches!(killed, Err(MigrateError::Source(_))),
        "killed before it retires: {killed:?}"
    );
    let page = fresh.page(Kind::Messages, None, 5).await.unwrap();
    let Some(Record::Message(message)) = page.records.into_iter().next_back() else {
        panic!("there are messages");
    };
    (fresh, target, *message)
}

#[tokio::test]
async fn what_changed_in_the_target_is_named() {
    let (source, target, message) = copied().await;
    let id = message.accepted.id.to_string();
    let mut changed = target.load(&[message.key()]).await.remove(0).unwrap().unwrap();
    changed.delivery.strikes += 1;
    assert_eq!(
        MessageStore::save(&*target, &[Save::quiet(&changed)]).await,
        [Ok(Saved::Done)]
    );
    let kind = Kind::Messages;
    let refused = run(&healthy(&source, &target), false).await;
    assert_eq!(refused, Err(MigrateError::Different { kind, id }));
    assert_eq!(may_send(&source, &target).await, (true, false));
}

#[tokio::test]
async fn what_is_gone_from_the_target_is_named() {
    let (source, target, message) = copied().await;
    while target.clear(Kind::Messages, 100).await.unwrap() > 0 {}
    let kind = Kind::Messages;
    let refused = run(&healthy(&source, &target), false).await;
    assert!(
        matches!(&refused, Err(MigrateError::Missing { kind: found, .. }) if *found == kind),
        "{refused:?} {}",
        message.accepted.id
    );
}

#[tokio::test]
async fn what_the_target_has_too_much_is_counted() {
    let (source, target, _) = copied().await;
    target.record(&[event_bare()]).await.unwrap();
    let refused = run(&healthy(&source, &target), false).await;
    let expected = MigrateError::Surplus {
        kind: Kind::Events,
        source_count: 4,
        target_count: 5,
    };
    assert_eq!(refused, Err(expected));
}
