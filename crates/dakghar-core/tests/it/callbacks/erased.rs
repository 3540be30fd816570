//! Records that are erased while they wait for their receiver.

use dakghar_core::domain::PersonIds;
use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure};
use dakghar_core::ports::{PersonErasureStore as _, PersonPortion, Saved};

use super::*;

/// Says of each entry that its record is gone, where it is.
struct Gone;

impl CallbackBodies for Gone {
    fn test(&self, _: &TenantId, _: &str, _: Timestamp) -> Vec<u8> {
        Vec::new()
    }

    fn standard(&self, handed: Handed<'_>) -> Vec<u8> {
        let is_gone = |item: &FeedItem| matches!(item.data, EntryData::Gone);
        let gone = handed.items.iter().filter(|item| is_gone(item)).count();
        format!("{gone} of {} gone", handed.items.len()).into_bytes()
    }
}

impl Story {
    /// Erases the only person of the tenant. It is done at once if `is_done`.
    fn erases(&self, is_done: bool) {
        let now = self.world.clock.now();
        let mut erasure = PersonErasure::new(self.world.ids.erasure_id(), self.tenant.id, Vec::new(), false, now);
        at_once(self.world.store.insert_erasure(&erasure)).expect("no outage");
        let portion = PersonPortion {
            tenant_id: self.tenant.id,
            person: PersonIds::new([samples::person("15550001")]),
            before: now + Duration::from_secs(1),
            place: ErasurePlace::Messages,
            from: None,
            limit: 100,
        };
        let erased = at_once(self.world.store.erase_person(&portion)).expect("no outage");
        assert_eq!(erased.erased, 2);
        if is_done {
            erasure.ended_at = Some(now);
            let saved = at_once(self.world.store.save_erasure(&erasure));
            assert_eq!(saved, Ok(Saved::Done));
        }
    }

    /// Takes the next call, lets `meanwhile` happen, and makes it.
    fn makes_next(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let mut run = self.run.take().expect("it runs");
        let (run, call) = self.world.step(async move {
            run.fill().await.expect("no outage");
            let call = run.next_call().expect("a call");
            (run, call)
        });
        meanwhile(self);
        let (mut run, callbacks) = (run, self.callbacks.clone());
        self.run = Some(self.world.step(async move {
            let ended = callbacks.make(call).await;
            run.ended(ended);
            run
        }));
    }
}

fn two_wait() -> Story {
    let mut story = Story::new(|endpoint| endpoint.batch_max = 1);
    story.callbacks = story.process.callbacks(Arc::new(Gone));
    story.load();
    story.hears("15550001");
    story.hears("15550001");
    story
}

#[test]
fn what_was_erased_while_it_waited_in_memory_is_not_handed_over() {
    for is_done in [false, true] {
        let mut story = two_wait();
        story.makes_next(|_| {});
        story.erases(is_done);
        story.run_for(Duration::from_secs(3));
        story.makes_next(|_| {});
        assert_eq!(story.posted(), ["0 of 1 gone", "1 of 1 gone"], "done: {is_done}");
    }
}

#[test]
fn what_was_erased_while_its_call_waited_to_begin_is_not_handed_over() {
    let mut story = two_wait();
    story.makes_next(|story| {
        story.erases(true);
        story.run_for(Duration::from_secs(6));
    });
    assert_eq!(story.posted(), Vec::<String>::new(), "it goes back");
    story.makes_next(|_| {});
    assert_eq!(story.posted(), ["1 of 1 gone"]);
}

#[test]
fn who_waits_is_handed_what_they_wait_for_where_nobody_was_erased() {
    let mut story = two_wait();
    story.makes_next(|story| story.run_for(Duration::from_secs(60)));
    story.run_for(Duration::from_secs(60));
    story.makes_next(|_| {});
    assert_eq!(story.posted(), ["0 of 1 gone", "0 of 1 gone"]);
}
