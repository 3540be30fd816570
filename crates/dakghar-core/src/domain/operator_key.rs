//! Keys of operators: people and programs of who runs the installation, each with a role.

use super::api_key::ApiKey;
use super::scopes::{Scope, Scopes};

/// The most keys of operators. All of them are in the memory of every process.
pub const OPERATOR_KEYS_MAX: usize = 100;

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, as with the key of the settings.
    Admin,
    /// Read, without what people and tenants wrote to each other.
    Support,
    /// Register tenants, add numbers, replace access tokens.
    Onboarding,
}

/// Why a role may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleRefusal {
    /// It lacks this scope.
    Scope(Scope),
    /// It has this scope for reading only.
    OnlyReads(Scope),
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Support, Self::Onboarding];

    /// Returns the name, as clients and stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Support => "support",
            Self::Onboarding => "onboarding",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Returns the scopes of the role, at every tenant and at the installation.
    pub fn scopes(self) -> Scopes {
        match self {
            Self::Admin => Scopes::ALL,
            Self::Support => [Scope::Read, Scope::Callbacks].into_iter().collect(),
            Self::Onboarding => Scope::Onboarding.into(),
        }
    }

    /// Says if the role may do what needs this scope, and changes something or only `reads`.
    ///
    /// # Errors
    /// Why not.
    pub fn may(self, scope: Scope, reads: bool) -> Result<(), RoleRefusal> {
        if !self.scopes().has(scope) {
            return Err(RoleRefusal::Scope(scope));
        }
        if self == Self::Support && !reads {
            return Err(RoleRefusal::OnlyReads(scope));
        }
        Ok(())
    }

    /// True if the role may read what people and tenants wrote to each other.
    pub const fn sees_bodies(self) -> bool {
        matches!(self, Self::Admin)
    }
}

/// A key of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKey {
    /// What its owner may do. The scopes of `key` are those of the role.
    pub role: Role,
    /// The rest of it.
    pub key: ApiKey,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_roles_are_read_back_and_each_may_do_less_than_everything_but_one() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
        let unbounded = |role: &Role| Scope::ALL.iter().all(|scope| role.may(*scope, false).is_ok());
        assert_eq!(
            Role::ALL.into_iter().filter(unbounded).collect::<Vec<_>>(),
            [Role::Admin]
        );
    }

    #[test]
    fn support_only_reads_and_sees_no_bodies() {
        for scope in Scope::ALL {
            assert!(Role::Support.may(scope, false).is_err(), "{scope:?}");
            let reads = matches!(scope, Scope::Read | Scope::Callbacks);
            assert_eq!(Role::Support.may(scope, true).is_ok(), reads, "{scope:?}");
        }
        assert_eq!(
            Role::Support.may(Scope::Callbacks, false),
            Err(RoleRefusal::OnlyReads(Scope::Callbacks))
        );
        assert_eq!(
            Role::Support.may(Scope::Send, true),
            Err(RoleRefusal::Scope(Scope::Send))
        );
        let seeing = Role::ALL.into_iter().filter(|role| role.sees_bodies());
        assert_eq!(seeing.collect::<Vec<_>>(), [Role::Admin]);
    }
}
