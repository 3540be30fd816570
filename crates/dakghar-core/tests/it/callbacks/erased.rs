//! Records that are erased while they wait for their receiver.

use dakghar_core::domain::PersonIds;
use dakghar_core::domain::erasure::ErasurePlace;
use dakghar_core::ports::{PersonErasureStore as _, PersonPortion};

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

#[test]
fn what_was_erased_while_it_waited_is_not_handed_over() {
    for (waits, expected) in [(Duration::ZERO, "0 of 2 gone"), (Duration::from_secs(2), "2 of 2 gone")] {
        let mut story = Story::new(|endpoint| endpoint.batch_max = 2);
        story.callbacks = story.process.callbacks(Arc::new(Gone));
        story.load();
        story.hears("15550001");
        story.hears("15550001");
        let mut run = story.run.take().expect("it runs");
        let (run, call) = story.world.step(async move {
            run.wake();
            run.fill().await.expect("no outage");
            let call = run.next_call().expect("a call");
            (run, call)
        });
        let portion = PersonPortion {
            tenant_id: story.tenant.id,
            person: PersonIds::new([samples::person("15550001")]),
            before: story.world.clock.now() + Duration::from_secs(1),
            place: ErasurePlace::Messages,
            from: None,
            limit: 100,
        };
        let erased = at_once(story.world.store.erase_person(&portion)).expect("no outage");
        assert_eq!(erased.erased, 2);
        story.run_for(waits);
        let callbacks = story.callbacks.clone();
        story.world.step(async move {
            let mut run = run;
            let ended = callbacks.make(call).await;
            run.ended(ended);
        });
        assert_eq!(story.posted(), [expected], "after {waits:?}");
    }
}
