//! The label of records of the audit log.

use super::instruments::Label;
use super::labels::label;
use crate::domain::audit::AuditClass;

label! {
    /// What was done.
    AuditClassLabel "class" {
        /// To tenants, their limits and their pauses.
        Tenants = "tenants",
        /// To numbers of tenants.
        Numbers = "numbers",
        /// To access tokens.
        Tokens = "tokens",
        /// To keys of tenants.
        Keys = "keys",
        /// To keys of operators.
        OperatorKeys = "operator_keys",
        /// To apps at Meta.
        Apps = "apps",
        /// To endpoints, their secrets and their replays.
        Endpoints = "endpoints",
        /// To the hold of all sending.
        Holds = "holds",
        /// To redrives by filter.
        Redrives = "redrives",
        /// To single messages.
        Messages = "messages",
        /// To people, who are erased.
        Erasures = "erasures",
        /// To data keys.
        DataKeys = "data_keys",
        /// To feeds.
        Feeds = "feeds",
        /// Nothing: what people wrote was read.
        Readings = "readings",
    }
}

impl From<AuditClass> for AuditClassLabel {
    fn from(class: AuditClass) -> Self {
        match class {
            AuditClass::Tenants => Self::Tenants,
            AuditClass::Numbers => Self::Numbers,
            AuditClass::Tokens => Self::Tokens,
            AuditClass::Keys => Self::Keys,
            AuditClass::OperatorKeys => Self::OperatorKeys,
            AuditClass::Apps => Self::Apps,
            AuditClass::Endpoints => Self::Endpoints,
            AuditClass::Holds => Self::Holds,
            AuditClass::Redrives => Self::Redrives,
            AuditClass::Messages => Self::Messages,
            AuditClass::Erasures => Self::Erasures,
            AuditClass::DataKeys => Self::DataKeys,
            AuditClass::Feeds => Self::Feeds,
            AuditClass::Readings => Self::Readings,
        }
    }
}
