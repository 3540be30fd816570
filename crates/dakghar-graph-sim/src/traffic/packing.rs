//! Puts updates into a body: joined with what is there already, or apart from it.

use serde_json::{Map, Value, json};

use super::part::{Part, metadata_of};
use crate::number::Number;
use crate::webhook::to_escaped_json;

/// A body in the making.
pub(super) struct Packing {
    now_seconds: i64,
    entries: Vec<Entry>,
    updates: usize,
}

struct Entry {
    account: String,
    is_timed: bool,
    changes: Vec<Change>,
}

struct Change {
    field: &'static str,
    /// The number to whose lists an element may be added.
    open_for: Option<String>,
    value: Map<String, Value>,
}

impl Packing {
    pub(super) fn at(now_seconds: i64) -> Self {
        Self {
            now_seconds,
            entries: Vec::new(),
            updates: 0,
        }
    }

    pub(super) fn updates(&self) -> usize {
        self.updates
    }

    /// Adds an update of this number. It may share the latest entry of its account, and the latest change of its number.
    pub(super) fn add(&mut self, number: &Number, part: Part, shares_entry: bool, shares_change: bool) {
        self.updates += 1;
        let account = match &part {
            Part::Sample { .. } => "0",
            Part::Element { .. } | Part::Change { .. } => &number.waba_id,
        };
        let found = self.entries.iter().rposition(|entry| entry.account == account);
        let at = found.filter(|_| shares_entry).unwrap_or_else(|| {
            self.entries.push(Entry {
                account: account.to_owned(),
                is_timed: false,
                changes: Vec::new(),
            });
            self.entries.len() - 1
        });
        self.entries[at].add(number, part, shares_change);
    }

    /// The bytes as Meta writes them.
    pub(super) fn into_body(self) -> Vec<u8> {
        let now_seconds = self.now_seconds;
        let entry_of = |entry: Entry| {
            let change_of = |change: Change| json!({"field": change.field, "value": change.value});
            let changes: Vec<Value> = entry.changes.into_iter().map(change_of).collect();
            let mut whole = json!({"id": entry.account, "changes": changes});
            if entry.is_timed {
                whole["time"] = json!(now_seconds);
            }
            whole
        };
        let entries: Vec<Value> = self.entries.into_iter().map(entry_of).collect();
        to_escaped_json(&json!({"object": "whatsapp_business_account", "entry": entries}))
    }
}

impl Entry {
    fn add(&mut self, number: &Number, part: Part, shares_change: bool) {
        match part {
            Part::Element { list, element, contact } => {
                let pnid = &number.phone_number_id;
                let found = self
                    .changes
                    .iter()
                    .rposition(|change| change.open_for.as_deref() == Some(pnid));
                let at = found.filter(|_| shares_change).unwrap_or_else(|| {
                    self.changes.push(Change::open_for(number));
                    self.changes.len() - 1
                });
                self.changes[at].add(list, element, contact);
            }
            Part::Change { field, value, is_timed } => {
                self.is_timed |= is_timed;
                self.changes.push(Change::whole(field, value));
            }
            Part::Sample { value } => self.changes.push(Change::whole("messages", value)),
        }
    }
}

impl Change {
    fn open_for(number: &Number) -> Self {
        let mut value = Map::new();
        value.insert("messaging_product".to_owned(), json!("whatsapp"));
        value.insert("metadata".to_owned(), metadata_of(number));
        Self {
            field: "messages",
            open_for: Some(number.phone_number_id.clone()),
            value,
        }
    }

    fn whole(field: &'static str, value: Value) -> Self {
        let value = match value {
            Value::Object(value) => value,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        Self {
            field,
            open_for: None,
            value,
        }
    }

    fn add(&mut self, list: &str, element: Value, contact: Option<Value>) {
        if let Some(contact) = contact {
            let contacts = self.list("contacts");
            if !contacts.contains(&contact) {
                contacts.push(contact);
            }
        }
        self.list(list).push(element);
    }

    fn list(&mut self, name: &str) -> &mut Vec<Value> {
        let list = self.value.entry(name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("only lists are put under these names")
    }
}
