//! The account of a number, learned from what Meta posts about the number.
//!
//! Events about an account name no number, so they reach only tenants whose account is known. A message and a status
//! name both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::stale::Step;
use crate::app::tenants::Tenants;
use crate::app::tenants::directory::Directory;
use crate::domain::tenant::{PhoneNumber, SharedTenant};
use crate::domain::{PhoneNumberId, TenantId, Timestamp, WabaId};
use crate::ports::Clock;

/// The account that the tests of Meta's dashboard name.
const DASHBOARD: &str = "0";
/// A learned account that changed is followed at most once in this time, and only for what Meta dates within it: what it
/// posts again after days may name the account before.
const FOLLOWED_EVERY: Duration = Duration::from_secs(60 * 60);
/// The rest after an account could not be saved.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);
/// Numbers that are remembered for their rest, or for what was logged about them.
const REMEMBERED_MAX: usize = 10_000;

/// A number that Meta names with another account than we know.
pub(super) struct Heard {
    tenant: SharedTenant,
    number: PhoneNumberId,
    account: WabaId,
    reported_at: Option<Timestamp>,
}

impl Heard {
    /// What a webhook says about the account of a tenant's number; `None` if it is nothing new.
    pub(super) fn of(
        tenant: &SharedTenant,
        number: &PhoneNumberId,
        account: Option<&WabaId>,
        reported_at: Option<Timestamp>,
    ) -> Option<Self> {
        let account = account.filter(|account| account.as_str() != DASHBOARD)?;
        let known = tenant.number(Some(number))?.waba_id.as_ref();
        (known != Some(account)).then(|| Self {
            tenant: tenant.clone(),
            number: number.clone(),
            account: account.clone(),
            reported_at,
        })
    }

    fn known(&self) -> Option<&PhoneNumber> {
        self.tenant.number(Some(&self.number))
    }
}

/// Learns the accounts of numbers.
pub(super) struct Accounts {
    tenants: Arc<Tenants>,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// One webhook at a time learns the account of a number.
    under_way: HashSet<PhoneNumberId>,
    /// When a number's account may be saved again.
    rest_until: HashMap<PhoneNumberId, Timestamp>,
    /// The account of which it was logged that it is not the one given.
    told: HashMap<PhoneNumberId, WabaId>,
}

impl Accounts {
    pub(super) fn new(tenants: Arc<Tenants>, directory: Arc<Directory>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tenants,
            directory,
            clock,
            seen: Mutex::default(),
        }
    }

    /// Saves the accounts that nobody gave, each with one write. A failure costs no webhook: the next one about the
    /// number says it again.
    pub(super) async fn learn(&self, heard: Vec<Heard>) {
        for heard in heard {
            if !self.begin(&heard) {
                continue;
            }
            let is_saved = self.save(&heard).await;
            let mut seen = self.seen.lock();
            seen.under_way.remove(&heard.number);
            let rest = match is_saved {
                Err(()) => REST_AFTER_FAILURE,
                Ok(true) => FOLLOWED_EVERY,
                Ok(false) => continue,
            };
            remember(&mut seen.rest_until, heard.number, self.clock.now() + rest);
        }
    }

    /// True if the account is to be saved now, by this caller.
    fn begin(&self, heard: &Heard) -> bool {
        let Some(known) = heard.known() else { return false };
        let now = self.clock.now();
        let mut seen = self.seen.lock();
        if let Some(given) = known.waba_id.as_ref().filter(|_| !known.waba_is_learned) {
            if seen.told.get(&heard.number) != Some(&heard.account) {
                tracing::warn!(
                    tenant_id = %heard.tenant.id, phone_number_id = %heard.number, waba_id = %given, named = %heard.account,
                    "Meta names another account for the number than the one given; the one given is kept"
                );
                remember(&mut seen.told, heard.number.clone(), heard.account.clone());
            }
            return false;
        }
        let is_of_now = heard.reported_at.is_none_or(|at| now.since(at) < FOLLOWED_EVERY);
        let rests = seen.rest_until.get(&heard.number).is_some_and(|until| now < *until);
        let is_first = known.waba_id.is_none();
        (is_first || is_of_now) && !rests && seen.under_way.insert(heard.number.clone())
    }

    /// Returns true if this call saved it.
    async fn save(&self, heard: &Heard) -> Result<bool, ()> {
        let mut before = None;
        let (tenant_id, number): (&TenantId, _) = (&heard.tenant.id, &heard.number);
        let changed = self
            .tenants
            .change(tenant_id, |tenant| {
                let Some(number) = tenant.number_mut(number) else {
                    return Ok(Step::Leave);
                };
                let is_known = number.waba_id.as_ref() == Some(&heard.account);
                if is_known || (number.waba_id.is_some() && !number.waba_is_learned) {
                    return Ok(Step::Leave);
                }
                before = number.waba_id.replace(heard.account.clone());
                number.waba_is_learned = true;
                Ok(Step::Save)
            })
            .await;
        match changed {
            Ok(changed) if !changed.is_saved => {
                // Another process saved it, and this one remembers the tenant as it was.
                self.directory.refresh(tenant_id);
                Ok(false)
            }
            Ok(_) => {
                let before = before.as_ref().map(WabaId::as_str);
                tracing::info!(
                    %tenant_id, phone_number_id = %number, waba_id = %heard.account, before,
                    "the account of the number was learned"
                );
                Ok(true)
            }
            Err(failure) => {
                tracing::warn!(%tenant_id, phone_number_id = %number, %failure, "the account of a number was not saved");
                Err(())
            }
        }
    }
}

/// Forgets all of them when there are too many: each then costs one look or one line more.
fn remember<T>(by_number: &mut HashMap<PhoneNumberId, T>, number: PhoneNumberId, value: T) {
    if by_number.len() >= REMEMBERED_MAX && !by_number.contains_key(&number) {
        by_number.clear();
    }
    by_number.insert(number, value);
}
