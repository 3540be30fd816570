//! Saving departures on the way.

use super::Departing;
use super::taken::Halt;
use crate::app::failure::Failure;
use crate::domain::departure::Departure;
use crate::ports::Saved;

impl Departing {
    /// Notes, before it is done, that something changes that cannot be had back.
    pub(super) async fn note_change(&self, departure: &mut Departure) -> Result<(), Halt> {
        if departure.changed_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        (departure.changed_at, departure.updated_at) = (Some(now), now);
        departure.keep_for(&self.process, now);
        if self.save(departure).await? {
            Ok(())
        } else {
            Err(Halt::Stale)
        }
    }

    /// Saves it, and raises its version. Returns false if somebody else saved first.
    pub(super) async fn save(&self, departure: &mut Departure) -> Result<bool, Failure> {
        let is_saved = self.store.save_departure(departure).await? == Saved::Done;
        departure.version += u64::from(is_saved);
        Ok(is_saved)
    }
}
