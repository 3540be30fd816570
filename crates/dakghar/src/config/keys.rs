//! The settings of the keys that data is sealed with.

use dakghar_core::domain::Secret;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Keys" {
        MASTER_KEY: Kind::Secret, "", "At least 32 bytes; wraps every tenant's data key. Unset: generated into DATA_DIR. Required with MONGO_URI.";
        MASTER_KEY_PREVIOUS: Kind::Secret, "", "The master key before the present one: access tokens, API keys and callbacks from its time stay valid while it is set, so keep it.";
    }
}

const MASTER_KEY_BYTES_MIN: usize = 32;

/// The keys that data is sealed with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The master key; generated when absent.
    pub master_key: Option<Secret>,
    /// The master key before it.
    pub master_key_previous: Option<Secret>,
}

impl Keys {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            master_key: reader.secret(&MASTER_KEY),
            master_key_previous: reader.secret(&MASTER_KEY_PREVIOUS),
        }
    }

    /// Requires the settings that must be set.
    pub(super) fn require(&self, is_production: bool, is_distributed: bool, reader: &mut Reader<'_>) {
        if self.master_key.is_some() {
            return;
        }
        if is_production {
            reader.problem("MASTER_KEY is required in production");
        } else if is_distributed {
            reader.problem("MASTER_KEY is required with MONGO_URI, because all processes must share it");
        }
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let is_long_enough = |key: &Option<Secret>| {
            key.as_ref()
                .is_none_or(|key| key.reveal().len() >= MASTER_KEY_BYTES_MIN)
        };
        reader.require(
            is_long_enough(&self.master_key),
            "MASTER_KEY must have at least 32 bytes",
        );
        reader.require(
            is_long_enough(&self.master_key_previous),
            "MASTER_KEY_PREVIOUS must have at least 32 bytes",
        );
    }
}
