//! The chain of records: where it begins and ends, and whether it is whole.

use std::fmt;

use super::record::{AuditRecord, ChainLink};

/// Where the chain begins and ends. One record of the store, written with each record of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditChain {
    /// The last record that was dropped because it was old. The first one that is left follows it.
    pub anchor: ChainLink,
    /// The last record.
    pub head: ChainLink,
}

impl AuditChain {
    /// The id of the one record that stores have of it.
    pub const ID: &str = "chain";

    /// Takes a record in that was moved here from another store. Records may come in any order, and again.
    pub fn take_in(&mut self, record: &AuditRecord) {
        let before = record.before();
        if self.is_empty() || before.number < self.anchor.number {
            self.anchor = before;
        }
        if record.number > self.head.number {
            self.head = record.link();
        }
    }

    /// Returns the number of records that there must be.
    pub const fn len(&self) -> u64 {
        self.head.number.saturating_sub(self.anchor.number)
    }

    /// True if there is no record.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why the chain is not whole, and at which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFault {
    /// The record of this number is not as it was written.
    Edited(u64),
    /// There is no record of this number, and one behind it.
    Missing(u64),
    /// The record of this number does not follow the one before it: records were put in another order, or made anew.
    Misplaced(u64),
    /// The records from this number on were cut off.
    CutOff(u64),
    /// There is a record of this number, which is behind the end of the chain.
    Beyond(u64),
}

impl AuditFault {
    /// Returns the first number at which the chain is not whole.
    pub const fn number(self) -> u64 {
        match self {
            Self::Edited(number)
            | Self::Missing(number)
            | Self::Misplaced(number)
            | Self::CutOff(number)
            | Self::Beyond(number) => number,
        }
    }
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited(number) => write!(f, "record {number} was edited"),
            Self::Missing(number) => write!(f, "record {number} is missing"),
            Self::Misplaced(number) => write!(f, "record {number} does not follow the one before it"),
            Self::CutOff(number) => write!(f, "the records from {number} on were cut off"),
            Self::Beyond(number) => write!(f, "record {number} is behind the end of the chain"),
        }
    }
}

/// A check of the chain under way, from its anchor towards its head.
#[derive(Clone, Copy, Debug)]
pub struct ChainCheck {
    at: ChainLink,
}

impl ChainCheck {
    /// Begins behind the anchor of a chain.
    pub const fn behind(anchor: ChainLink) -> Self {
        Self { at: anchor }
    }

    /// Returns the last record that was found whole.
    pub const fn at(&self) -> ChainLink {
        self.at
    }

    /// Takes the record of the next number; `None` is one that cannot be read.
    ///
    /// # Errors
    /// The chain is not whole.
    pub fn take(&mut self, number: u64, record: Option<&AuditRecord>) -> Result<(), AuditFault> {
        let expected = self.at.number + 1;
        if number != expected {
            return Err(AuditFault::Missing(expected));
        }
        let Some(record) = record.filter(|record| record.number == number && record.is_whole()) else {
            return Err(AuditFault::Edited(number));
        };
        if record.previous != self.at.hash {
            return Err(AuditFault::Misplaced(number));
        }
        self.at = record.link();
        Ok(())
    }

    /// Compares where the records end with where the chain does. To be asked when there are no more records up to the head.
    ///
    /// # Errors
    /// The chain is not whole.
    pub fn end(&self, head: ChainLink) -> Result<(), AuditFault> {
        if self.at.number < head.number {
            return Err(AuditFault::CutOff(self.at.number + 1));
        }
        if self.at.number > head.number {
            return Err(AuditFault::Beyond(head.number + 1));
        }
        if self.at.hash != head.hash {
            return Err(AuditFault::Misplaced(head.number));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::audit::{AuditAction, AuditEntry, Principal};
    use crate::domain::ids::AuditId;
    use crate::domain::time::Timestamp;

    fn chain_of(count: u64) -> (Vec<AuditRecord>, ChainLink) {
        let mut end = ChainLink::START;
        let mut records = Vec::new();
        for n in 0..count {
            let id = AuditId::from_uuid(Uuid::from_u128(n.into()));
            let at = Timestamp::from_millis(n.cast_signed());
            let entry = AuditEntry::new(id, at, Principal::CLI, AuditAction::HoldBegun);
            let record = AuditRecord::behind(&end, &entry);
            end = record.link();
            records.push(record);
        }
        (records, end)
    }

    fn check(records: &[AuditRecord], head: ChainLink) -> Result<(), AuditFault> {
        let mut check = ChainCheck::behind(ChainLink::START);
        for record in records {
            check.take(record.number, Some(record))?;
        }
        check.end(head)
    }

    #[test]
    fn a_chain_as_it_was_written_is_whole() {
        for count in [0, 1, 9] {
            let (records, head) = chain_of(count);
            assert_eq!(check(&records, head), Ok(()), "{count}");
        }
    }

    #[test]
    fn every_edit_of_a_record_is_found_at_its_number() {
        let edits: [fn(&mut AuditRecord); 8] = [
            |record| record.text = record.text.replace("hold", "hole"),
            |record| record.at = Timestamp::from_millis(77),
            |record| record.actor = "system".to_owned(),
            |record| record.action = "hold.released".to_owned(),
            |record| record.tenant_id = Some(crate::domain::TenantId::from_uuid(Uuid::from_u128(1))),
            |record| record.id = AuditId::from_uuid(Uuid::from_u128(1 << 90)),
            |record| record.hash[31] ^= 1,
            |record| record.previous[0] ^= 1,
        ];
        for (n, edit) in edits.iter().enumerate() {
            let (mut records, head) = chain_of(9);
            edit(&mut records[4]);
            assert_eq!(check(&records, head), Err(AuditFault::Edited(5)), "edit {n}");
        }
    }

    #[test]
    fn a_record_that_is_hashed_anew_does_not_fit_the_one_behind_it() {
        let (mut records, head) = chain_of(9);
        let mut entry = records[4].entry().expect("readable");
        entry.action = "hold.released".to_owned();
        records[4] = AuditRecord::behind(&records[3].link(), &entry);
        assert_eq!(check(&records, head), Err(AuditFault::Misplaced(6)));
        // The last one has none behind it; the end of the chain says which it was.
        let (mut records, head) = chain_of(9);
        records[8] = AuditRecord::behind(&records[7].link(), &entry);
        assert_eq!(check(&records, head), Err(AuditFault::Misplaced(9)));
    }

    #[test]
    fn what_was_taken_out_moved_or_cut_off_is_found() {
        let (all, head) = chain_of(9);
        let without = |number: u64| {
            let left = all.iter().filter(|record| record.number != number);
            left.cloned().collect::<Vec<_>>()
        };
        assert_eq!(check(&without(1), head), Err(AuditFault::Missing(1)));
        assert_eq!(check(&without(4), head), Err(AuditFault::Missing(4)));
        assert_eq!(check(&without(9), head), Err(AuditFault::CutOff(9)));
        assert_eq!(check(&[], head), Err(AuditFault::CutOff(1)));
        let mut moved = all.clone();
        (moved[3].number, moved[4].number) = (5, 4);
        moved.swap(3, 4);
        assert_eq!(check(&moved, head), Err(AuditFault::Edited(4)));
        assert_eq!(check(&all, all[7].link()), Err(AuditFault::Beyond(9)));
        let mut unreadable = ChainCheck::behind(ChainLink::START);
        assert_eq!(unreadable.take(1, None), Err(AuditFault::Edited(1)));
    }

    #[test]
    fn behind_an_anchor_the_rest_is_whole() {
        let (all, head) = chain_of(9);
        let mut check = ChainCheck::behind(all[3].link());
        for record in &all[4..] {
            assert_eq!(check.take(record.number, Some(record)), Ok(()));
        }
        assert_eq!(check.end(head), Ok(()));
        let mut wrong = ChainCheck::behind(ChainLink {
            hash: [7; 32],
            ..all[3].link()
        });
        assert_eq!(wrong.take(5, Some(&all[4])), Err(AuditFault::Misplaced(5)));
    }
}
