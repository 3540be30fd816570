//! Saves the results of a check with the tenant, and tells it of them.

use super::NumberChecks;
use super::asking::Looked;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::auto_redrive::Cause;
use crate::domain::pacing::RELEASE_CHECK;
use crate::domain::standing::NumberTold;
use crate::domain::{PhoneNumberId, Tenant};
use crate::metrics::{NumberChecked, NumberDrift};

/// The consequences of a save.
#[derive(Default)]
struct Follows {
    told: Vec<NumberTold>,
    /// Numbers that were held and go on.
    released: Vec<PhoneNumberId>,
    /// Numbers with another pace.
    paced: Vec<PhoneNumberId>,
}

impl NumberChecks {
    /// Saves what was found of numbers that still have the token which was used, in one save with the events that tell of it.
    pub(super) async fn keep(&self, seen: &Tenant, looked: &[(PhoneNumberId, Looked)]) -> Result<(), Failure> {
        let mut follows = Follows::default();
        if looked.iter().any(|(_, looked)| looked.says_something()) {
            let changed = self.tenants.change_if_there(&seen.id, |tenant| {
                follows = self.apply(seen, tenant, looked);
                Ok(Step::Save)
            });
            if !changed.await? {
                return Ok(());
            }
        }
        self.tell(seen, looked, &follows);
        let now = self.clock.now();
        for number in &follows.paced {
            self.pacer.forget_beyond(number, now + RELEASE_CHECK).await;
        }
        for number in &follows.released {
            self.timers.wake_held(&seen.id, Some(number), now).await?;
        }
        Ok(())
    }

    fn apply(&self, seen: &Tenant, tenant: &mut Tenant, looked: &[(PhoneNumberId, Looked)]) -> Follows {
        let (before, at) = (tenant.clone(), self.clock.present());
        let mut follows = Follows::default();
        for (id, looked) in looked {
            let Some(used) = seen.number(Some(id)) else { continue };
            let number = tenant.number_mut(id);
            let Some(number) = number.filter(|number| number.sealed_token == used.sealed_token) else {
                continue;
            };
            let pace = number.messages_per_second;
            // Meta's answer does not know of events that came meanwhile.
            let is_asked_since = number.standing.is_asked_since(&used.standing);
            if looked.apply(number, at) {
                follows.released.push(id.clone());
            }
            number.standing.is_asked |= is_asked_since;
            if number.messages_per_second != pace {
                follows.paced.push(id.clone());
            }
        }
        for id in &follows.released {
            tenant.auto.ends(Cause::Account, id, self.tenants.redrive_id(), at.now);
        }
        follows.told = NumberTold::of_change(&before, tenant);
        follows
    }

    /// Counts what was found, and logs what is new.
    fn tell(&self, tenant: &Tenant, looked: &[(PhoneNumberId, Looked)], follows: &Follows) {
        for (id, looked) in looked {
            let told = follows.told.iter().find(|told| told.number() == id);
            self.count(looked, told.is_some());
            for kind in told.into_iter().flat_map(NumberTold::kinds) {
                self.metrics.number_changes.of(NumberDrift::from(kind)).inc();
                tracing::info!(
                    tenant_id = %tenant.id, phone_number_id = %id, kind = kind.as_str(),
                    "something of a number has changed at Meta"
                );
            }
            if let Looked::Token(why) = looked {
                tracing::warn!(
                    tenant_id = %tenant.id, phone_number_id = %id, %why,
                    "an access token does not work; its numbers are on hold"
                );
            }
            if let Looked::NoAnswer(why) | Looked::Throttled(why) = looked {
                tracing::debug!(tenant_id = %tenant.id, phone_number_id = %id, %why, "a number could not be checked yet");
            }
        }
    }

    pub(super) fn count(&self, looked: &Looked, is_changed: bool) {
        let result = match looked {
            Looked::Seen { .. } if is_changed => NumberChecked::Changed,
            Looked::Seen { .. } => NumberChecked::Same,
            Looked::Refused(_) => NumberChecked::Refused,
            Looked::Token(_) => NumberChecked::Token,
            Looked::NoAnswer(_) | Looked::Throttled(_) => NumberChecked::NoAnswer,
            Looked::NotYet => return,
        };
        self.metrics.number_checks.of(result).inc();
    }
}
