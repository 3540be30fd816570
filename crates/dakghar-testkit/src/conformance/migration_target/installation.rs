//! Records of the installation: its secrets, and apps.

use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::domain::migration::Record;

use super::{TargetUnderTest, VERSION};
use crate::samples::sealed_secrets;

/// Secrets that were saved before.
pub(super) fn secrets() -> Vec<Record> {
    let saved = (0..3).map(|_| SealedSecrets {
        version: VERSION,
        ..sealed_secrets()
    });
    saved.map(Record::InstallationSecrets).collect()
}

pub(super) async fn assert_secrets(under_test: &TargetUnderTest, secrets: SealedSecrets) {
    let found = under_test.stores.installation.find_secrets(&secrets.name).await;
    assert_eq!(found, Ok(Some(secrets)));
}

pub(super) async fn assert_app(under_test: &TargetUnderTest, app: MetaApp) {
    assert_eq!(under_test.stores.apps.find_app(&app.id).await, Ok(Some(app)));
}
