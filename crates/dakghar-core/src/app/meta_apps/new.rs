//! An app that is to be added or changed.

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
    /// Meta's id of its login configuration for Embedded Signup.
    pub signup_config_id: Option<String>,
}

/// Changes of an app. What is absent stays.
#[derive(Clone, Debug, Default)]
pub struct MetaAppChanges {
    /// What people call it.
    pub name: Option<String>,
    /// Meta's id of its login configuration for Embedded Signup; `Some(None)` is none.
    pub signup_config_id: Option<Option<String>>,
}
