//! The names of what is recorded. A name never changes its meaning: programs look for it in logs that are years old.

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $text:literal in $class:ident,)*) => {
        /// Something that is recorded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditAction { $($(#[$doc])* $action,)* }

        impl AuditAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// Returns the name, as clients and stores write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$action => $text,)* }
            }

            /// Returns the class that it is counted in.
            pub const fn class(self) -> AuditClass {
                match self { $(Self::$action => AuditClass::$class,)* }
            }
        }
    };
}

/// Actions that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditClass {
    /// Tenants, their limits and their pauses.
    Tenants,
    /// Numbers of tenants.
    Numbers,
    /// Access tokens of numbers.
    Tokens,
    /// Keys of tenants.
    Keys,
    /// Keys of operators.
    OperatorKeys,
    /// Apps at Meta.
    Apps,
    /// Endpoints, their secrets and their replays.
    Endpoints,
    /// The hold of all sending.
    Holds,
    /// Redrives by filter.
    Redrives,
    /// Single messages.
    Messages,
    /// Erasures of people.
    Erasures,
    /// Data keys.
    DataKeys,
    /// Feeds.
    Feeds,
    /// Readings of what people wrote.
    Readings,
}

actions! {
    /// A tenant was registered, with its first number and its first key.
    TenantRegistered = "tenant.registered" in Tenants,
    /// Limits of a tenant were changed.
    TenantLimitsChanged = "tenant.limits.changed" in Tenants,
    /// The `callbackUrl` of a tenant was changed.
    TenantCallbackUrlChanged = "tenant.callback_url.changed" in Tenants,
    /// What is sent again by itself was changed.
    TenantAutoRedriveChanged = "tenant.auto_redrive.changed" in Tenants,
    /// The rules of a tenant for what is sent were changed.
    TenantSendingRulesChanged = "tenant.sending_rules.changed" in Tenants,
    /// A person was noted as one who opted out.
    OptOutSet = "tenant.opt_out.set" in Tenants,
    /// The opt-out of a person was taken back.
    OptOutRemoved = "tenant.opt_out.removed" in Tenants,
    /// Sending was stopped for a tenant.
    TenantPaused = "tenant.paused" in Tenants,
    /// Sending goes on for a tenant.
    TenantResumed = "tenant.resumed" in Tenants,
    /// The removal of a tenant began.
    TenantRemoved = "tenant.removed" in Tenants,
    /// A number was added to a tenant.
    NumberAdded = "tenant.number.added" in Numbers,
    /// Settings of a number were changed.
    NumberChanged = "tenant.number.changed" in Numbers,
    /// A number was removed from a tenant.
    NumberRemoved = "tenant.number.removed" in Numbers,
    /// Sending was stopped for a number.
    NumberPaused = "tenant.number.paused" in Numbers,
    /// Sending goes on for a number.
    NumberResumed = "tenant.number.resumed" in Numbers,
    /// Meta was asked to block people for a number.
    PeopleBlocked = "tenant.number.people.blocked" in Numbers,
    /// Meta was asked to unblock people for a number.
    PeopleUnblocked = "tenant.number.people.unblocked" in Numbers,
    /// Meta was asked to change the profile of a number.
    ProfileChanged = "tenant.number.profile.changed" in Numbers,
    /// Meta was asked to change something else of a number or its account, in Meta's own form.
    PassedToMeta = "tenant.meta.passed" in Numbers,
    /// Access tokens of numbers were replaced.
    TokenReplaced = "tenant.token.replaced" in Tokens,
    /// A link was made: whoever opens it connects a number of theirs.
    SignupInvited = "signup.invited" in Numbers,
    /// A link was taken back before anybody used it.
    SignupCancelled = "signup.cancelled" in Numbers,
    /// A signup was begun: a number is connected with a code of Meta's.
    SignupBegun = "signup.begun" in Numbers,
    /// A signup that had stopped, or waited, was asked to go on.
    SignupRetried = "signup.retried" in Numbers,
    /// It was asked for that a tenant, or some of its numbers, leave.
    DepartureBegun = "departure.begun" in Tenants,
    /// A departure that had stopped, or waited, was asked to go on.
    DepartureRetried = "departure.retried" in Tenants,
    /// A departure was called off.
    DepartureCancelled = "departure.cancelled" in Tenants,
    /// A key of a tenant was made.
    KeyMade = "tenant.key.made" in Keys,
    /// A key of a tenant was given another secret.
    KeyRotated = "tenant.key.rotated" in Keys,
    /// A key of a tenant was revoked.
    KeyRevoked = "tenant.key.revoked" in Keys,
    /// A key of an operator was made.
    OperatorKeyMade = "operator.key.made" in OperatorKeys,
    /// A key of an operator was given another secret.
    OperatorKeyRotated = "operator.key.rotated" in OperatorKeys,
    /// A key of an operator was revoked.
    OperatorKeyRevoked = "operator.key.revoked" in OperatorKeys,
    /// An app was added.
    AppAdded = "app.added" in Apps,
    /// The name of an app, or its login configuration, was changed.
    AppChanged = "app.changed" in Apps,
    /// An app was given another secret.
    AppSecretRotated = "app.secret.rotated" in Apps,
    /// An app was removed.
    AppRemoved = "app.removed" in Apps,
    /// An endpoint was made.
    EndpointMade = "endpoint.made" in Endpoints,
    /// Settings of an endpoint were changed.
    EndpointChanged = "endpoint.changed" in Endpoints,
    /// An endpoint is not called any more until it is resumed.
    EndpointPaused = "endpoint.paused" in Endpoints,
    /// An endpoint is called again.
    EndpointResumed = "endpoint.resumed" in Endpoints,
    /// An endpoint was given another secret.
    EndpointSecretRotated = "endpoint.secret.rotated" in Endpoints,
    /// An endpoint was removed.
    EndpointRemoved = "endpoint.removed" in Endpoints,
    /// A replay of callbacks was asked for.
    ReplayBegun = "endpoint.replay.begun" in Endpoints,
    /// A replay of callbacks was ended on request.
    ReplayCancelled = "endpoint.replay.cancelled" in Endpoints,
    /// All sending was held.
    HoldBegun = "hold.begun" in Holds,
    /// All sending was released.
    HoldReleased = "hold.released" in Holds,
    /// A redrive by filter was begun.
    RedriveBegun = "redrive.begun" in Redrives,
    /// A redrive was paused.
    RedrivePaused = "redrive.paused" in Redrives,
    /// A redrive was resumed.
    RedriveResumed = "redrive.resumed" in Redrives,
    /// A redrive was ended on request.
    RedriveCancelled = "redrive.cancelled" in Redrives,
    /// An operator cancelled a message.
    MessageCancelled = "message.cancelled" in Messages,
    /// An operator sent a dead letter again.
    MessageRedriven = "message.redriven" in Messages,
    /// The erasure of a person was asked for.
    ErasureBegun = "erasure.begun" in Erasures,
    /// Moving data keys to the present wrapping key was asked for.
    DataKeysRotated = "data_keys.rotated" in DataKeys,
    /// What could not be placed in feeds was brought back.
    FeedRetried = "feed.retried" in Feeds,
    /// An operator read what people and a tenant wrote to each other.
    BodiesRead = "bodies.read" in Readings,
    /// Everything of a tenant was exported.
    TenantExported = "tenant.exported" in Readings,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_short_unique_and_made_of_words() {
        let names: HashSet<&str> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), AuditAction::ALL.len());
        for name in names {
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(name.len() <= 40 && name.split('.').all(is_word), "{name}");
        }
    }
}
