//! The audit log: changes go into it with themselves ([`Ledger`]), people read it, and whoever asks is told if it is whole.
//!
//! A change and its record are one transaction, and so are a record and the end of the chain. So no crash comes between them.

mod ledger;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::failure::Failure;
use super::reading::{CursorSigner, Page, PageRequest};
use super::retention_time::RetentionTime;
use crate::domain::Problem;
use crate::domain::audit::{AuditChain, AuditEntry, AuditFault, AuditQuery, AuditRecord, ChainCheck, ChainLink};
use crate::domain::page::PageLimit;
use crate::ports::{AuditStore, Ports, Walked};

pub use ledger::{Deed, Ledger};

/// Records that are read at once to be checked.
pub const CHECKED_AT_ONCE: u32 = 500;
const DAY: Duration = Duration::from_hours(24);

/// The audit log, for those who read it.
pub struct Auditing {
    store: Arc<dyn AuditStore>,
    ledger: Ledger,
    cursors: CursorSigner,
    time: RetentionTime,
    /// 0 is for ever.
    days: u32,
    /// 1 while the chain is not whole, as this process found it last.
    is_broken: Gauge,
}

/// A check of the whole chain under way.
#[derive(Debug)]
pub struct AuditCheck {
    check: ChainCheck,
    chain: AuditChain,
    /// The number of records that were found whole.
    pub checked: u64,
}

/// The finding of a step of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditCheckStep {
    /// So far it is whole, and there is more.
    Goes,
    /// All of it is whole, up to this end.
    Whole(AuditChain),
    /// It is not whole. This is the first place where that shows.
    Broken(AuditFault),
}

impl Auditing {
    pub(super) fn new(ports: &Ports, cursor_secret: &[u8; 32], days: u32) -> Self {
        Self {
            store: ports.audit.clone(),
            ledger: Ledger::new(ports),
            cursors: CursorSigner::new(cursor_secret),
            time: RetentionTime::new(ports),
            days,
            is_broken: ports.metrics.audit_broken.clone(),
        }
    }

    /// Records what changes nothing by itself, such as a reading. Whoever cannot record it must not do it.
    pub async fn note(&self, deed: &Deed<'_>) -> Result<(), Failure> {
        Ok(self.ledger.note(deed).await?)
    }

    /// Returns the records that match, the newest first. Begin and end of the page in `query` are not looked at.
    pub async fn list(&self, mut query: AuditQuery, page: &PageRequest) -> Result<Page<AuditEntryAt>, Failure> {
        (query.before, query.limit) = (None, PageLimit::default());
        let list = format!("audit?{query:?}");
        query.before = match &page.cursor {
            Some(cursor) => Some(self.open(&list, cursor)?),
            None => None,
        };
        query.limit = PageLimit::items(page.limit);
        let listed = self.store.audit_list(&query).await?;
        let next = listed.next.map(|number| self.cursors.sign(&list, &number.to_string()));
        Ok(Page {
            items: listed.items.iter().filter_map(AuditEntryAt::of).collect(),
            next_cursor: next,
        })
    }

    fn open(&self, list: &str, cursor: &str) -> Result<u64, Problem> {
        let position = self.cursors.open(list, cursor)?;
        // What was signed here is a number.
        Ok(position.parse().unwrap_or_default())
    }

    /// Returns where the chain begins and ends.
    pub async fn chain(&self) -> Result<AuditChain, Failure> {
        Ok(self.store.audit_chain().await?)
    }

    /// Returns records behind a number, in their order.
    pub async fn walk(&self, after: u64) -> Result<Vec<Walked>, Failure> {
        Ok(self.store.audit_walk(after, CHECKED_AT_ONCE).await?)
    }

    /// Drops records that are older than they are kept, a portion at a time. Returns how many; 0 means that there are no more.
    pub async fn drop_old(&self) -> Result<u64, Failure> {
        if self.days == 0 {
            return Ok(0);
        }
        let before = self.time.look().await? - DAY * self.days;
        Ok(self.store.drop_audit(before, CHECKED_AT_ONCE).await?)
    }

    /// Notes what a check of this process has found.
    pub fn note_whole(&self, is_whole: bool) {
        self.is_broken.set(i64::from(!is_whole));
    }

    /// Begins a check of the chain.
    pub async fn begin_check(&self) -> Result<AuditCheck, Failure> {
        let chain = self.store.audit_chain().await?;
        Ok(AuditCheck {
            check: ChainCheck::behind(chain.anchor),
            chain,
            checked: 0,
        })
    }

    /// Checks the next records. After an error the same step can be taken again.
    pub async fn check_step(&self, check: &mut AuditCheck) -> Result<AuditCheckStep, Failure> {
        let at = check.check.at().number;
        let walked = self.store.audit_walk(at, CHECKED_AT_ONCE).await?;
        if walked.is_empty() {
            return self.end_of(check).await;
        }
        for (number, record) in &walked {
            // What was written since the end was looked up is looked at behind it.
            if *number > check.chain.head.number {
                return self.end_of(check).await;
            }
            if let Err(fault) = check.check.take(*number, record.as_ref()) {
                return self.judge(check, fault).await;
            }
            check.checked += 1;
        }
        Ok(AuditCheckStep::Goes)
    }

    /// There is nothing more up to the end of the chain that is known. Another record may have come since.
    async fn end_of(&self, check: &mut AuditCheck) -> Result<AuditCheckStep, Failure> {
        if let Err(fault) = check.check.end(check.chain.head) {
            return self.judge(check, fault).await;
        }
        let behind = self.store.audit_walk(check.chain.head.number, 1).await?;
        let Some((number, _)) = behind.first() else {
            return Ok(AuditCheckStep::Whole(check.chain));
        };
        // A record and the end of the chain are written together: whoever sees the one sees the other.
        let chain = self.store.audit_chain().await?;
        if chain.head.number < *number {
            return Ok(AuditCheckStep::Broken(AuditFault::Beyond(*number)));
        }
        check.chain = chain;
        Ok(AuditCheckStep::Goes)
    }

    /// Old records may have been dropped since the check began: then it begins again behind them.
    async fn judge(&self, check: &mut AuditCheck, fault: AuditFault) -> Result<AuditCheckStep, Failure> {
        let chain = self.store.audit_chain().await?;
        if chain.anchor.number < fault.number() || chain.anchor == check.chain.anchor {
            return Ok(AuditCheckStep::Broken(fault));
        }
        (check.check, check.chain, check.checked) = (ChainCheck::behind(chain.anchor), chain, 0);
        Ok(AuditCheckStep::Goes)
    }

    /// Checks the whole chain at once, for whoever waits for it.
    pub async fn check(&self) -> Result<(u64, Result<AuditChain, AuditFault>), Failure> {
        let mut check = self.begin_check().await?;
        loop {
            match self.check_step(&mut check).await? {
                AuditCheckStep::Goes => {}
                AuditCheckStep::Whole(chain) => return Ok((check.checked, Ok(chain))),
                AuditCheckStep::Broken(fault) => return Ok((check.checked, Err(fault))),
            }
        }
    }
}

/// A record, as it is shown.
#[derive(Clone, Debug)]
pub struct AuditEntryAt {
    /// Its place in the chain.
    pub link: ChainLink,
    /// What it says.
    pub entry: AuditEntry,
}

impl AuditEntryAt {
    /// Reads a record. A text that cannot be read is found by a check.
    pub fn of(record: &AuditRecord) -> Option<Self> {
        Some(Self {
            link: record.link(),
            entry: record.entry()?,
        })
    }
}
