//! Meta's dialog: the way in which it tells the page that opened it what a customer chose.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// When the message of the dialog comes, which names the account and the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogMessage {
    /// Before the code.
    #[default]
    Before,
    /// After the code.
    After,
    /// Never.
    Lost,
}

/// The way of the dialog from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DialogPlan {
    /// When its message comes.
    pub message: DialogMessage,
    /// The time between message and code, in milliseconds.
    pub apart_ms: u32,
}

impl Default for DialogPlan {
    fn default() -> Self {
        Self {
            message: DialogMessage::Before,
            apart_ms: 50,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Dialog(Mutex<DialogPlan>);

impl Dialog {
    pub(crate) fn plan(&self) -> DialogPlan {
        *self.0.lock()
    }

    pub(crate) fn set_plan(&self, plan: DialogPlan) {
        *self.0.lock() = plan;
    }
}
