//! A memory of what Redis was: remembers each look and says when the next one shows a loss.

use super::probe::{Epoch, Reading, Server};

/// The last look.
#[derive(Default)]
pub(super) struct Witness {
    epochs: Vec<String>,
    server: Option<Server>,
}

impl Witness {
    /// Compares with what was seen before, remembers this, and says what points to lost jobs.
    ///
    /// At the first look only a missing mark does: whoever starts looks through the store anyway.
    pub(super) fn compare(&mut self, reading: &Reading) -> Option<&'static str> {
        let loss = self.loss(reading);
        self.epochs = reading.epochs.iter().map(|epoch| epoch.value.clone()).collect();
        // Where it may not be asked any more it may still be the same.
        if reading.server.is_some() {
            self.server.clone_from(&reading.server);
        }
        loss
    }

    fn loss(&self, reading: &Reading) -> Option<&'static str> {
        if reading.epochs.iter().any(|epoch| epoch.is_new) {
            return Some("its data was deleted");
        }
        let is_other = |(epoch, seen): (&Epoch, &String)| epoch.value != *seen;
        if reading.epochs.iter().zip(&self.epochs).any(is_other) {
            return Some("its data was replaced by other or older data");
        }
        let (now, before) = (reading.server.as_ref()?, self.server.as_ref()?);
        if now.run_id != before.run_id {
            return Some("it was started again and may have lost what it had not written yet");
        }
        if now.replication_id != before.replication_id {
            return Some("another server became the primary and may not have had everything");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(epoch: &str, is_new: bool, run_id: &str, replication_id: &str) -> Reading {
        Reading {
            server: Some(Server {
                run_id: run_id.into(),
                replication_id: replication_id.into(),
                is_replica: false,
                is_full: false,
                eviction_policy: "noeviction".into(),
            }),
            epochs: vec![Epoch {
                value: epoch.into(),
                is_new,
            }],
            due: vec![false],
            work: Vec::new(),
        }
    }

    fn losses(readings: &[Reading]) -> Vec<bool> {
        let mut witness = Witness::default();
        readings
            .iter()
            .map(|reading| witness.compare(reading).is_some())
            .collect()
    }

    #[test]
    fn nothing_is_lost_while_nothing_changes() {
        let same = reading("a", false, "r", "p");
        assert_eq!(losses(&[same.clone(), same.clone(), same]), [false, false, false]);
    }

    #[test]
    fn each_sign_counts_once() {
        let start = reading("a", false, "r", "p");
        for changed in [
            reading("b", true, "r", "p"),
            reading("b", false, "r", "p"),
            reading("a", false, "s", "p"),
            reading("a", false, "r", "q"),
        ] {
            let mut later = changed.clone();
            later.epochs[0].is_new = false;
            assert_eq!(losses(&[start.clone(), changed, later]), [false, true, false]);
        }
    }

    #[test]
    fn an_empty_redis_at_the_start_has_lost_everything() {
        assert_eq!(losses(&[reading("a", true, "r", "p")]), [true]);
    }

    #[test]
    fn one_shard_of_several_is_enough() {
        let mut two = reading("a", false, "r", "p");
        two.epochs.push(two.epochs[0].clone());
        let mut changed = two.clone();
        changed.epochs[1].value = "b".into();
        assert_eq!(losses(&[two, changed]), [false, true]);
    }

    #[test]
    fn a_server_that_may_not_be_asked_is_taken_to_be_the_same() {
        let known = reading("a", false, "r", "p");
        let unknown = Reading {
            server: None,
            ..known.clone()
        };
        assert_eq!(losses(&[known.clone(), unknown, known]), [false, false, false]);
    }
}
