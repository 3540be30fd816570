//! The labels of what is counted of API keys, and of data keys.

use super::instruments::Label;
use super::labels::label;

label! {
    /// Whose key a request had.
    KeyUsed "kind" {
        /// A tenant's own.
        Tenant = "tenant",
        /// The operator's, or none where none is needed.
        Operator = "operator",
    }
}

label! {
    /// Why a key that is right was refused.
    KeyRefused "reason" {
        /// Its time was over: 401.
        Expired = "expired",
        /// It may be used from other addresses only: 403.
        Address = "address",
        /// It lacks the scope: 403.
        Scope = "scope",
    }
}

label! {
    /// The end of a call to the key service.
    KeyCall "outcome" {
        /// It did what it was asked.
        Answered = "answered",
        /// The data key is not under its key, belongs to another owner, or is damaged.
        Unreadable = "unreadable",
        /// It does not allow it.
        Refused = "refused",
        /// It could not be reached, or failed.
        Unavailable = "unavailable",
    }
}
