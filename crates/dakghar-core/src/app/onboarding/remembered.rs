//! Memory of what could not be stored yet, in this process alone.

use std::collections::VecDeque;

use crate::domain::ids::SignupId;
use crate::domain::{Secret, Timestamp};

/// Signups of which something is remembered at a time. Each takes some kilobytes.
const REMEMBERED_MAX: usize = 1_024;

/// A token that Meta gave and that is sealed nowhere yet.
pub(super) struct GivenToken {
    /// The token.
    pub(super) token: Secret,
    /// The end of the code that it was given for, which tells codes of one signup apart.
    pub(super) code_until: Timestamp,
}

/// Something about each of some signups, the oldest first. Where it is full the oldest goes.
pub(super) struct Remembered<T>(VecDeque<(SignupId, T)>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Remembered<T> {
    /// Remembers something, in place of what is remembered of the same signup. Returns the signup that is forgotten for it.
    pub(super) fn put(&mut self, id: SignupId, what: T) -> Option<SignupId> {
        self.forget(id);
        let oldest = if self.0.len() < REMEMBERED_MAX {
            None
        } else {
            self.0.pop_front()
        };
        self.0.push_back((id, what));
        oldest.map(|(id, _)| id)
    }

    /// Returns what is remembered of a signup.
    pub(super) fn find(&self, id: SignupId) -> Option<&T> {
        let found = self.0.iter().find(|(known, _)| *known == id);
        found.map(|(_, what)| what)
    }

    /// Forgets what is remembered of a signup, and returns it.
    pub(super) fn forget(&mut self, id: SignupId) -> Option<T> {
        let place = self.0.iter().position(|(known, _)| *known == id)?;
        self.0.remove(place).map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: usize) -> SignupId {
        SignupId::from_uuid(Uuid::from_u128(number as u128))
    }

    #[test]
    fn the_oldest_is_forgotten_for_the_newest_and_that_is_told() {
        let mut remembered = Remembered::default();
        for number in 0..REMEMBERED_MAX {
            assert_eq!(remembered.put(id(number), number), None);
        }
        assert_eq!(remembered.put(id(REMEMBERED_MAX), REMEMBERED_MAX), Some(id(0)));
        assert_eq!(remembered.find(id(0)), None);
        assert_eq!(
            remembered.find(id(REMEMBERED_MAX)),
            Some(&REMEMBERED_MAX),
            "never the newest"
        );
        assert_eq!(remembered.0.len(), REMEMBERED_MAX);
    }

    #[test]
    fn a_signup_takes_one_place_and_gives_it_back() {
        let mut remembered = Remembered::default();
        for number in 0..REMEMBERED_MAX {
            remembered.put(id(number), 1);
        }
        assert_eq!(remembered.put(id(7), 2), None, "it is in its own place");
        assert_eq!(remembered.forget(id(7)), Some(2));
        assert_eq!(remembered.forget(id(7)), None);
        assert_eq!(remembered.put(id(REMEMBERED_MAX), 3), None);
    }
}
