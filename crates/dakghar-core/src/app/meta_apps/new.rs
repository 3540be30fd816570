//! An app that is to be added.

use crate::domain::Secret;

/// An app, as it is described by whoever adds it.
#[derive(Clone, Debug)]
pub struct NewMetaApp {
    /// Meta's id of it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its secret.
    pub secret: Secret,
    /// What Meta will name when it verifies the webhook URL; made up when absent.
    pub verify_token: Option<Secret>,
}
