//! Secrets of an installation.

use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::IdGenerator;

use super::IDS;

/// New sealed secrets, under a name of their own.
pub fn sealed_secrets() -> SealedSecrets {
    SealedSecrets {
        name: format!("installation_{:08}", IDS.count()),
        wrapped_data_key: IDS.secret_bytes().to_vec(),
        sealed: IDS.secret_bytes().to_vec(),
        version: 0,
    }
}
