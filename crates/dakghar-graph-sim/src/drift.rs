//! Changes at Meta without anybody at the gateway: of fields of numbers and accounts, and of who gets their webhooks.
//!
//! Fields are Meta's own, and lie over what a number or an account would show otherwise.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Numbers and accounts that have drifted at most.
const DRIFTED_MAX: usize = 100_000;

/// A change, as the control API names it. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The number that `number` is about.
    #[serde(default)]
    pub phone_number_id: Option<String>,
    /// The account that `account` and `subscriptions` are about; that of the number when absent.
    #[serde(default)]
    pub waba_id: Option<String>,
    /// Fields of the number from now on, in Meta's form, such as `quality_rating`; `null` takes one back.
    #[serde(default)]
    pub number: Map<String, Value>,
    /// The same of the account, such as `account_review_status`.
    #[serde(default)]
    pub account: Map<String, Value>,
    /// Who gets the webhooks of the account from now on.
    #[serde(default)]
    pub subscriptions: Option<Vec<SubscribedApp>>,
}

/// An app that gets the webhooks of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscribedApp {
    /// The app.
    pub app_id: String,
    /// Where they go instead of the app's own URL.
    #[serde(default)]
    pub override_callback_uri: Option<String>,
}

impl Drift {
    /// A change of these fields of a number.
    ///
    /// # Panics
    /// `fields` is no JSON object.
    pub fn of_number(phone_number_id: &str, fields: Value) -> Self {
        let Value::Object(number) = fields else {
            panic!("{fields} is no object");
        };
        Self {
            phone_number_id: Some(phone_number_id.to_owned()),
            number,
            ..Self::default()
        }
    }

    /// A change of these fields of an account.
    ///
    /// # Panics
    /// `fields` is no JSON object.
    pub fn of_account(waba_id: &str, fields: Value) -> Self {
        let Value::Object(account) = fields else {
            panic!("{fields} is no object");
        };
        Self {
            waba_id: Some(waba_id.to_owned()),
            account,
            ..Self::default()
        }
    }

    /// From now on these apps get the webhooks of an account, each at its own URL or at the one that is named.
    pub fn of_subscriptions(waba_id: &str, apps: &[(&str, Option<&str>)]) -> Self {
        let subscribed = apps.iter().map(|(app_id, url)| SubscribedApp {
            app_id: (*app_id).to_owned(),
            override_callback_uri: url.map(str::to_owned),
        });
        Self {
            waba_id: Some(waba_id.to_owned()),
            subscriptions: Some(subscribed.collect()),
            ..Self::default()
        }
    }
}

/// The fields that have drifted, by the id of their number or account.
#[derive(Debug, Default)]
pub(crate) struct Drifted(Mutex<HashMap<String, Map<String, Value>>>);

impl Drifted {
    /// Returns false if there is no room.
    pub(crate) fn put(&self, id: &str, fields: Map<String, Value>) -> bool {
        let mut all = self.0.lock();
        if all.len() >= DRIFTED_MAX && !all.contains_key(id) {
            return false;
        }
        let known = all.entry(id.to_owned()).or_default();
        for (name, value) in fields {
            if value.is_null() {
                known.remove(&name);
            } else {
                known.insert(name, value);
            }
        }
        true
    }

    /// Returns a node with the fields that have drifted.
    pub(crate) fn over(&self, id: &str, mut node: Value) -> Value {
        if let (Some(fields), Value::Object(shown)) = (self.0.lock().get(id), &mut node) {
            shown.extend(fields.clone());
        }
        node
    }
}
