//! Histories of the WhatsApp Business app: how far they have come is kept with the number, after their messages are stored.

use std::sync::Arc;

use futures_util::lock::Mutex;

use crate::app::failure::{Failure, Fault};
use crate::app::stale::Step;
use crate::app::tenants::Tenants;
use crate::domain::standing::Wave;
use crate::domain::webhook::OtherPart;
use crate::domain::{PhoneNumberId, TenantId};
use crate::ports::Clock;

/// Pieces of the history of one number.
pub(super) struct Waves {
    tenant_id: TenantId,
    number: PhoneNumberId,
    waves: Vec<Wave>,
}

impl Waves {
    /// Reads the pieces of this part of a tenant; `None` if it has none.
    pub(super) fn of(tenant_id: TenantId, other: &OtherPart) -> Option<Self> {
        let number = other.phone_number_id.clone()?;
        let waves = other.waves.clone();
        (!waves.is_empty()).then_some(Self {
            tenant_id,
            number,
            waves,
        })
    }
}

/// Keeps how far histories are.
pub(super) struct Histories {
    tenants: Arc<Tenants>,
    clock: Arc<dyn Clock>,
    /// The pieces of a history come all at once, and each save that another one overtook would begin again.
    turn: Mutex<()>,
}

impl Histories {
    pub(super) fn new(tenants: Arc<Tenants>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tenants,
            clock,
            turn: Mutex::new(()),
        }
    }

    /// Notes the pieces with their numbers. It is done before the answer to Meta, and doing it again changes nothing.
    pub(super) async fn keep(&self, all: Vec<Waves>) -> Result<(), Failure> {
        if all.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        for of_number in all {
            match self.keep_of(&of_number).await {
                Err(failure) if failure.fault() == Fault::Surroundings => return Err(failure),
                Err(failure) => {
                    tracing::warn!(tenant_id = %of_number.tenant_id, %failure, "a piece of a history was not counted");
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn keep_of(&self, of_number: &Waves) -> Result<(), Failure> {
        let now = self.clock.wall();
        let changed = self.tenants.change_if_there(&of_number.tenant_id, |tenant| {
            let number = tenant.number_mut(&of_number.number);
            let is_changed = number.is_some_and(|number| number.take_waves(&of_number.waves, now));
            Ok(if is_changed { Step::Save } else { Step::Leave })
        });
        changed.await?;
        Ok(())
    }
}
