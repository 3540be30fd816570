//! What a key may do, as a set of scopes.

/// A part of what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Sending messages, and cancelling those that wait.
    Send,
    /// Reading everything, with what people wrote.
    Read,
    /// Pausing, resuming and redriving, settings of numbers, and keys.
    Manage,
    /// Endpoints: where callbacks go, and what is delivered again.
    Callbacks,
    /// Access tokens of numbers.
    Onboarding,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Send, Self::Read, Self::Manage, Self::Callbacks, Self::Onboarding];

    /// Returns the name, as clients and stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Manage => "manage",
            Self::Callbacks => "callbacks",
            Self::Onboarding => "onboarding",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// True if the scope is in the set.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns the first scope of `wanted` that is not in this set.
    pub fn missing_of(self, wanted: Self) -> Option<Scope> {
        wanted.iter().find(|scope| !self.has(*scope))
    }

    /// True if there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the scopes in the order of them all.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_was_made_of_and_names_what_is_missing() {
        let set: Scopes = [Scope::Read, Scope::Send].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Scope::Send, Scope::Read]);
        assert!(set.has(Scope::Send) && !set.has(Scope::Manage));
        assert_eq!(set.missing_of(set), None);
        assert_eq!(set.missing_of(Scopes::ALL), Some(Scope::Manage));
        assert_eq!(Scopes::ALL.iter().count(), Scope::ALL.len());
        assert!(Scopes::default().is_empty() && !set.is_empty());
    }

    #[test]
    fn names_are_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("Send"), None);
    }
}
