//! The parts of a change: names of settings, and values of those that may be shown.

/// A setting that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name in the API, with the id of the thing it belongs to where there are several.
    pub field: String,
    /// Its value before, if that may be shown and there was one.
    pub before: Option<String>,
    /// Its value now, if that may be shown and there is one.
    pub after: Option<String>,
}

/// Collects changes. A value is in the log only if somebody wrote [`FieldChanges::shown`] for its field; of every other one
/// the log has the name alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldChanges(Vec<FieldChange>);

impl FieldChanges {
    /// Adds a field whose values may be shown, if they differ. Only for numbers, states, ids and names that are ours.
    pub fn shown<T: ToString + PartialEq>(&mut self, field: impl Into<String>, before: Option<T>, after: Option<T>) {
        if before != after {
            self.0.push(FieldChange {
                field: field.into(),
                before: before.map(|value| value.to_string()),
                after: after.map(|value| value.to_string()),
            });
        }
    }

    /// Adds the name of a field, if that has changed. Its values are secrets, or may hold what belongs to people.
    pub fn named(&mut self, field: impl Into<String>, is_changed: bool) {
        if is_changed {
            self.0.push(FieldChange {
                field: field.into(),
                before: None,
                after: None,
            });
        }
    }

    /// Returns the changes.
    pub fn into_vec(self) -> Vec<FieldChange> {
        self.0
    }
}
