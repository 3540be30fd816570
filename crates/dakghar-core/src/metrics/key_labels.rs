//! The labels of what is counted of API keys.

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
