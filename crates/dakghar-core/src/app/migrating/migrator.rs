//! Moves an installation from one store to another. A run may be killed at any moment; the next run goes on.
//!
//! The record of the migration is in the target before anything else. From then until it says `finished`, nobody sends
//! from the target. The source is only read, and held so that nobody changes it. Every crash leaves a state that the
//! next run heals:
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | record and first page, page and place | records beyond the place | the next run puts them again; they are absorbed |
//! | place and next page | nothing | the next run goes on there |
//! | last page and comparison | all is copied | the next run compares from the beginning |
//! | comparison and retirement | the same | the same |
//! | retirement and `finished` | neither side starts | the next run compares again and finishes |
//! | `finished` and the answer | the target may be used | the next run says so |
//!
//! The order of the last two keeps two halves from sending: the source retires before the target may send.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::MigrateError;
use super::progress::{Phase, Plan, Progress, Report};
use crate::app::tenants::token_purpose;
use crate::domain::migration::{Checksum, Kind, KindProgress, Migration, Place, Record, Retirement, Stage};
use crate::ports::{Clock, IdGenerator, MigrationSource, MigrationTarget, Saved, SourcePage};
use crate::vault::Vault;

/// Records read, written and compared at a time. The source gives fewer where they are large.
const PAGE: u32 = 4_000;
/// Records erased at a time.
const CLEARED_AT_ONCE: u32 = 4_000;

/// One source and one target.
#[derive(Clone)]
pub struct Migrator {
    /// The installation that is left.
    pub source: Arc<dyn MigrationSource>,
    /// The store it moves to.
    pub target: Arc<dyn MigrationTarget>,
    /// The vault that the target's processes will use.
    pub vault: Arc<Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for the migration's id.
    pub ids: Arc<dyn IdGenerator>,
    /// The location of the source, for people.
    pub origin: String,
    /// The location of the target, for people.
    pub successor: String,
}

impl Migrator {
    /// Returns the work that [`Migrator::run`] would do, or the reason it would refuse. Changes nothing.
    pub async fn plan(&self, start_over: bool) -> Result<Plan, MigrateError> {
        self.check_key().await?;
        let retirement = self.source.retirement().await.map_err(MigrateError::Source)?;
        let Some(migration) = self.target.migration().await.map_err(MigrateError::Target)? else {
            if let Some(retirement) = retirement {
                return Err(MigrateError::Retired(retirement));
            }
            self.check_empty().await?;
            self.check_jobs().await?;
            return Ok(Plan::Begin);
        };
        let is_same_state = migration.source_state == self.source.state().await.map_err(MigrateError::Source)?;
        let (origin, started_at) = (migration.origin.clone(), migration.started_at);
        if migration.stage == Stage::Finished {
            let is_own = retirement.is_some_and(|retirement| retirement.migration_id == migration.id);
            return if is_same_state || is_own {
                Ok(Plan::Finished(migration))
            } else {
                Err(MigrateError::OtherFinished { origin, started_at })
            };
        }
        if let Some(retirement) = retirement.filter(|retirement| retirement.migration_id != migration.id) {
            return Err(MigrateError::Retired(retirement));
        }
        self.check_jobs().await?;
        if start_over {
            return Ok(Plan::StartOver(migration));
        }
        if is_same_state {
            return Ok(Plan::Continue(migration));
        }
        Err(MigrateError::OtherUnfinished { origin, started_at })
    }

    /// Checks that nothing is under way that the target would not go on with. It is not copied, because what is left to
    /// do can be asked for again, and what is over says nothing new.
    async fn check_jobs(&self) -> Result<(), MigrateError> {
        match self.source.open_redrives().await.map_err(MigrateError::Source)? {
            0 => {}
            open => return Err(MigrateError::OpenRedrives(open)),
        }
        match self.source.open_erasures().await.map_err(MigrateError::Source)? {
            0 => {}
            open => return Err(MigrateError::OpenErasures(open)),
        }
        match self.source.open_signups().await.map_err(MigrateError::Source)? {
            0 => {}
            open => return Err(MigrateError::OpenSignups(open)),
        }
        match self.source.open_departures().await.map_err(MigrateError::Source)? {
            0 => Ok(()),
            open => Err(MigrateError::OpenDepartures(open)),
        }
    }

    /// Returns the number of records of each kind in the source.
    pub async fn totals(&self) -> Result<Vec<(Kind, u64)>, MigrateError> {
        let mut totals = Vec::with_capacity(Kind::ALL.len());
        for kind in Kind::ALL {
            totals.push((kind, self.source.count(kind).await.map_err(MigrateError::Source)?));
        }
        Ok(totals)
    }

    /// Does everything that is left to do. Returns the record of the finished migration. With `start_over`, an
    /// unfinished migration into the target is erased first, whatever source it came from.
    pub async fn run(&self, start_over: bool, report: Report<'_>) -> Result<Migration, MigrateError> {
        let mut migration = match self.plan(start_over).await? {
            Plan::Finished(migration) => return Ok(migration),
            Plan::Continue(migration) => migration,
            Plan::Begin => {
                let mut migration = self.new_migration(Stage::Copying, 0).await?;
                self.save(&mut migration).await?;
                migration
            }
            Plan::StartOver(old) => {
                let mut migration = self.new_migration(Stage::Clearing, old.version).await?;
                self.save(&mut migration).await?;
                migration
            }
        };
        if migration.stage == Stage::Clearing {
            for kind in Kind::ALL {
                self.clear(kind, report).await?;
            }
            migration.stage = Stage::Copying;
            self.save(&mut migration).await?;
        }
        for index in 0..migration.kinds.len() {
            self.copy(&mut migration, index, report).await?;
        }
        for progress in &mut migration.kinds {
            progress.checksum = Some(self.compare(progress.kind, progress.total, report).await?);
        }
        let now = self.clock.now();
        let retirement = Retirement {
            migration_id: migration.id.clone(),
            successor: self.successor.clone(),
            at: now,
        };
        self.source.retire(&retirement).await.map_err(MigrateError::Source)?;
        migration.stage = Stage::Finished;
        migration.finished_at = Some(now);
        self.save(&mut migration).await?;
        Ok(migration)
    }

    /// Checks that every token of the source opens. Otherwise the target could accept messages and never send them.
    pub async fn check_key(&self) -> Result<(), MigrateError> {
        let mut page = self.page(Kind::Tenants, None).await?;
        while !page.records.is_empty() {
            for record in &page.records {
                let Record::Tenant(tenant) = record else { continue };
                for number in &tenant.phone_numbers {
                    let purpose = token_purpose(&number.phone_number_id);
                    self.vault
                        .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
                        .await
                        .map_err(|why| MigrateError::WrongKey {
                            tenant_id: tenant.id,
                            why,
                        })?;
                }
            }
            page = self.page(Kind::Tenants, page.end.as_ref()).await?;
        }
        self.check_key_of_apps().await
    }

    /// Checks that the secrets of the apps open: otherwise the target would refuse what Meta signed.
    async fn check_key_of_apps(&self) -> Result<(), MigrateError> {
        let mut page = self.page(Kind::Apps, None).await?;
        while !page.records.is_empty() {
            for record in &page.records {
                let Record::App(app) = record else { continue };
                let opened = self.vault.check_data_key(&app.id, &app.wrapped_data_key).await;
                opened.map_err(|why| MigrateError::WrongKeyOfApp {
                    app_id: app.id.clone(),
                    why,
                })?;
            }
            page = self.page(Kind::Apps, page.end.as_ref()).await?;
        }
        self.check_key_of_installation().await
    }

    /// Checks that the secrets of the installation open: otherwise no API key would be right in the target.
    async fn check_key_of_installation(&self) -> Result<(), MigrateError> {
        for record in self.page(Kind::InstallationSecrets, None).await?.records {
            let Record::InstallationSecrets(secrets) = record else {
                continue;
            };
            let opened = self.vault.open_installation(&secrets).await;
            opened.map_err(MigrateError::WrongKeyOfInstallation)?;
        }
        Ok(())
    }

    /// Checks that nobody uses the target. The secrets that a process made there when it was started are not in use then, and
    /// make room for those of the source.
    async fn check_empty(&self) -> Result<(), MigrateError> {
        let mut held = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::InstallationSecrets) {
            let count = self.target.count(kind).await.map_err(MigrateError::Target)?;
            if count > 0 {
                held.push((kind, count));
            }
        }
        if held.is_empty() {
            Ok(())
        } else {
            Err(MigrateError::TargetInUse(held))
        }
    }

    /// Makes a migration that has not copied anything. It is to be saved over this version.
    async fn new_migration(&self, stage: Stage, version: u64) -> Result<Migration, MigrateError> {
        let id = URL_SAFE_NO_PAD.encode(&self.ids.secret_bytes()[16..]);
        let totals = self.totals().await?;
        Ok(Migration {
            id,
            origin: self.origin.clone(),
            source_state: self.source.state().await.map_err(MigrateError::Source)?,
            stage,
            kinds: totals
                .into_iter()
                .map(|(kind, total)| KindProgress {
                    kind,
                    total,
                    copied: 0,
                    place: None,
                    checksum: None,
                })
                .collect(),
            started_at: self.clock.now(),
            finished_at: None,
            version,
        })
    }

    async fn save(&self, migration: &mut Migration) -> Result<(), MigrateError> {
        match self.target.save_migration(migration).await {
            Ok(Saved::Done) => {
                migration.version += 1;
                Ok(())
            }
            Ok(Saved::Stale) => Err(MigrateError::Overtaken),
            Err(error) => Err(MigrateError::Target(error)),
        }
    }

    async fn page(&self, kind: Kind, after: Option<&Place>) -> Result<SourcePage, MigrateError> {
        let page = self.source.page(kind, after, PAGE).await;
        page.map_err(MigrateError::Source)
    }

    async fn clear(&self, kind: Kind, report: Report<'_>) -> Result<(), MigrateError> {
        let total = self.target.count(kind).await.map_err(MigrateError::Target)?;
        let mut done = 0;
        loop {
            let cleared = self.target.clear(kind, CLEARED_AT_ONCE).await;
            let cleared = cleared.map_err(MigrateError::Target)?;
            if cleared == 0 {
                return Ok(());
            }
            done += cleared;
            report(Progress {
                phase: Phase::Clearing,
                kind,
                done,
                total,
            });
        }
    }

    /// Copies one kind from its present place to its end. The next page is read while one is being written.
    async fn copy(&self, migration: &mut Migration, index: usize, report: Report<'_>) -> Result<(), MigrateError> {
        let KindProgress {
            kind, total, copied, ..
        } = migration.kinds[index];
        let tell = |done| {
            report(Progress {
                phase: Phase::Copying,
                kind,
                done,
                total,
            });
        };
        let mut page = self.page(kind, migration.kinds[index].place.as_ref()).await?;
        if kind == Kind::InstallationSecrets && copied == 0 {
            self.make_room(kind, &page.records, report).await?;
        }
        tell(migration.kinds[index].copied);
        while !page.records.is_empty() {
            let records = arrived(page.records);
            let (put, next) = futures_util::join!(self.target.put(&records), self.page(kind, page.end.as_ref()));
            put.map_err(MigrateError::Target)?;
            let progress = &mut migration.kinds[index];
            progress.copied += records.len() as u64;
            progress.place = page.end;
            self.save(migration).await?;
            tell(migration.kinds[index].copied);
            page = next?;
        }
        Ok(())
    }

    /// Erases secrets of the target that a process made there when it was started: they have the same name. Those that a run
    /// at the same time has copied stay.
    async fn make_room(&self, kind: Kind, records: &[Record], report: Report<'_>) -> Result<(), MigrateError> {
        let stored = self.target.stored(records).await.map_err(MigrateError::Target)?;
        let mut both = stored.iter().zip(records);
        if records.is_empty() || both.any(|(stored, record)| stored.as_ref().is_some_and(|stored| stored != record)) {
            self.clear(kind, report).await?;
        }
        Ok(())
    }

    /// Reads one kind from both stores and compares record by record. Returns the checksum.
    async fn compare(&self, kind: Kind, total: u64, report: Report<'_>) -> Result<[u8; 32], MigrateError> {
        let (mut source_sum, mut target_sum) = (Checksum::new(), Checksum::new());
        let mut done = 0;
        let mut page = self.page(kind, None).await?;
        while !page.records.is_empty() {
            let expected = arrived(page.records);
            let (stored, next) = futures_util::join!(self.target.stored(&expected), self.page(kind, page.end.as_ref()));
            for (expected, stored) in expected.iter().zip(stored.map_err(MigrateError::Target)?) {
                let Some(stored) = stored else {
                    return Err(MigrateError::Missing {
                        kind,
                        id: expected.id(),
                    });
                };
                if stored != *expected {
                    return Err(MigrateError::Different {
                        kind,
                        id: expected.id(),
                    });
                }
                source_sum.add(expected);
                target_sum.add(&stored);
                done += 1;
            }
            report(Progress {
                phase: Phase::Comparing,
                kind,
                done,
                total,
            });
            page = next?;
        }
        if done != total {
            return Err(MigrateError::SourceMiscounts {
                kind,
                counted: total,
                found: done,
            });
        }
        let target_count = self.target.count(kind).await.map_err(MigrateError::Target)?;
        if target_count != done {
            return Err(MigrateError::Surplus {
                kind,
                source_count: done,
                target_count,
            });
        }
        let sum = source_sum.finish();
        if target_sum.finish() == sum {
            Ok(sum)
        } else {
            Err(MigrateError::Checksum(kind))
        }
    }
}

/// Returns the records as they must be in the target. They differ only in the place in the source's own queue.
fn arrived(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        if let Record::Message(message) = record {
            message.arrive_unqueued();
        }
    }
    records
}
