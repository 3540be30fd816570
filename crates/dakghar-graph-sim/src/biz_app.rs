//! Numbers that stay in the WhatsApp Business app: what the app has, and who asked for it when.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::clock;

/// The time in which Meta takes a request, from when the number was connected.
const LIFE: Duration = Duration::from_hours(24);
/// Contacts and messages of one app at most.
const ITEMS_MAX: u32 = 1_000_000;

/// The contents of the app of each number, which are sent when somebody asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppPlan {
    /// Contacts.
    pub contacts: u32,
    /// Messages of the history, a third in each of three phases.
    pub messages: u32,
    /// People with whom they were exchanged, in turn.
    pub people: u32,
    /// Messages in one webhook.
    pub chunk: u32,
    /// True if the owner shares no history.
    pub is_declined: bool,
}

impl Default for AppPlan {
    fn default() -> Self {
        Self {
            contacts: 3,
            messages: 30,
            people: 5,
            chunk: 10,
            is_declined: false,
        }
    }
}

impl AppPlan {
    /// Says why it cannot be played, if it cannot.
    pub(crate) fn flaw(&self) -> Option<String> {
        if self.people == 0 || self.chunk == 0 {
            return Some("people and chunk must be at least 1".to_owned());
        }
        let is_large = self.contacts > ITEMS_MAX || self.messages > ITEMS_MAX;
        is_large.then(|| format!("contacts and messages must be at most {ITEMS_MAX}"))
    }
}

/// A part of an app that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AppData {
    Contacts,
    History,
}

impl AppData {
    /// Reads Meta's name of it.
    pub(crate) fn of_sync_type(name: &str) -> Option<Self> {
        match name {
            "smb_app_state_sync" => Some(Self::Contacts),
            "history" => Some(Self::History),
            _ => None,
        }
    }

    /// The name in rules and in the journal.
    pub(crate) const fn call(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::History => "history",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct BizApps(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    plan: AppPlan,
    connected: HashMap<String, Instant>,
    asked: HashSet<(String, AppData)>,
    requests: u64,
}

impl BizApps {
    pub(crate) fn plan(&self) -> AppPlan {
        self.0.lock().plan
    }

    pub(crate) fn set_plan(&self, plan: AppPlan) {
        self.0.lock().plan = plan;
    }

    /// A number is connected from now on: what its app has can be asked for again.
    pub(crate) fn connect(&self, phone_number_id: &str) {
        let mut inner = self.0.lock();
        inner.connected.insert(phone_number_id.to_owned(), clock::now());
        for what in [AppData::Contacts, AppData::History] {
            inner.asked.remove(&(phone_number_id.to_owned(), what));
        }
    }

    /// Takes a request, once and within a day. Gives its id, or Meta's code.
    pub(crate) fn ask(&self, phone_number_id: &str, what: AppData, seconds_ago: u64) -> Result<String, u32> {
        const ASKED_BEFORE: u32 = 2_593_107;
        const TOO_LATE: u32 = 2_593_108;
        let mut inner = self.0.lock();
        let now = clock::now();
        let connected = *inner.connected.entry(phone_number_id.to_owned()).or_insert(now);
        if now.duration_since(connected) + Duration::from_secs(seconds_ago) >= LIFE {
            return Err(TOO_LATE);
        }
        if !inner.asked.insert((phone_number_id.to_owned(), what)) {
            return Err(ASKED_BEFORE);
        }
        inner.requests += 1;
        Ok(format!("simulated-request-{}", inner.requests))
    }
}
