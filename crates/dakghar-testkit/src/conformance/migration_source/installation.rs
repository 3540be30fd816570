//! Secrets of the installation.

use dakghar_core::domain::migration::Record;
use dakghar_core::ports::Saved;

use super::SourceUnderTest;
use crate::samples::sealed_secrets;

/// Secrets of the installation.
pub(super) async fn fill_installation(under_test: &SourceUnderTest) -> Vec<Record> {
    let secrets = [sealed_secrets(), sealed_secrets(), sealed_secrets()];
    for secrets in &secrets {
        let inserted = under_test.stores.installation.insert_secrets(secrets).await;
        assert_eq!(inserted, Ok(Saved::Done));
    }
    secrets.map(Record::InstallationSecrets).to_vec()
}
