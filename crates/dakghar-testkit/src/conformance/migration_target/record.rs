//! The record of a migration, which the target keeps beside the data.

use dakghar_core::domain::migration::{Kind, KindProgress, Migration, Place, Stage};
use dakghar_core::ports::Saved;

use super::{TargetUnderTest, put, records};
use crate::samples::at;

/// The record of a migration with every field set.
pub(super) fn migration(version: u64) -> Migration {
    Migration {
        id: "0123456789abcdef".into(),
        origin: "/srv/ডাকঘর/data".into(),
        source_state: [0xab; 32],
        stage: Stage::Copying,
        kinds: Kind::ALL
            .map(|kind| KindProgress {
                kind,
                total: u64::from(u32::MAX) + 10,
                copied: u64::from(u32::MAX) + 5,
                place: (kind != Kind::Events).then(|| Place(format!("after {}", kind.as_str()))),
                checksum: (kind == Kind::Tenants).then_some([7; 32]),
            })
            .to_vec(),
        started_at: at(1),
        finished_at: None,
        version,
    }
}

/// Saves the record, which must be the present one.
pub(super) async fn save(under_test: &TargetUnderTest, migration: &Migration) {
    let saved = under_test.target.save_migration(migration).await;
    assert_eq!(saved, Ok(Saved::Done));
}

pub async fn there_is_no_migration_at_first(under_test: TargetUnderTest) {
    assert_eq!(under_test.target.migration().await, Ok(None));
    put(&under_test, &records(Kind::Tenants)).await;
    assert_eq!(under_test.target.migration().await, Ok(None));
}

pub async fn the_record_of_a_migration_survives(under_test: TargetUnderTest) {
    for (version, stage) in (0..).zip(Stage::ALL) {
        let migration = Migration {
            stage,
            finished_at: (stage == Stage::Finished).then(|| at(2)),
            ..migration(version)
        };
        save(&under_test, &migration).await;
        let expected = Migration {
            version: version + 1,
            ..migration
        };
        assert_eq!(under_test.target.migration().await, Ok(Some(expected)));
    }
}

pub async fn only_the_present_version_of_a_migration_is_saved_over(under_test: TargetUnderTest) {
    let target = &under_test.target;
    assert_eq!(
        target.save_migration(&migration(1)).await,
        Ok(Saved::Stale),
        "there is none"
    );
    save(&under_test, &migration(0)).await;
    for version in [0, 2] {
        let other = Migration {
            origin: "another".into(),
            ..migration(version)
        };
        assert_eq!(target.save_migration(&other).await, Ok(Saved::Stale));
    }
    assert_eq!(target.migration().await, Ok(Some(migration(1))));
    let next = migration(1);
    let (first, second) = tokio::join!(target.save_migration(&next), target.save_migration(&next));
    let mut both = [first, second];
    both.sort_by_key(|saved| saved == &Ok(Saved::Stale));
    assert_eq!(both, [Ok(Saved::Done), Ok(Saved::Stale)]);
}
