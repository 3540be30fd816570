//! The time for which the audit log is kept.

use dakghar_core::domain::audit::AUDIT_DAYS_MIN;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Audit log" {
        AUDIT_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The days that records of the audit log are kept: 90 or more, or 0 (for ever). Older ones are dropped from the beginning of its chain, and the rest can still be checked.";
    }
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>) -> u32 {
    let days = reader.integer(&AUDIT_DAYS);
    if days != 0 && days < AUDIT_DAYS_MIN {
        reader.problem(format!("AUDIT_DAYS must be 0 or at least {AUDIT_DAYS_MIN}"));
    }
    days
}
