//! A conversation of which much waits: it costs no more than one of which little does, holds up no other, and is delivered in
//! its order when it goes on.

use std::collections::BTreeMap;

use dakghar_core::app::NewReplay;
use dakghar_core::domain::ConversationId;
use dakghar_core::domain::callback::{WAITING_APART_MAX, WaitingLine};

use super::*;
use crate::world::random::Random;

/// More than there is to do.
const STEPS_MAX: usize = 2_000;
const ONE: &str = "15550001";
const OTHER: &str = "15550002";

impl Story {
    fn in_order() -> Self {
        Self::new(|endpoint| endpoint.order = DeliveryOrder::Conversation)
    }

    fn hear(&self, person: &str, count: usize) {
        for _ in 0..count {
            self.hears(person);
        }
    }

    fn waiting(&self) -> Vec<WaitingLine> {
        let progress = at_once(self.world.store.progress(&[self.endpoint.id])).pop();
        let progress = progress.expect("one answer").expect("no outage");
        progress.map_or_else(Vec::new, |progress| progress.waiting)
    }

    /// Takes steps for as long as there is something to do now, so many at most. Returns in how many of them something was
    /// read and nothing called.
    pub(super) fn work(&mut self, steps: usize) -> usize {
        let (mut run, callbacks) = (self.run.take().expect("it runs"), self.callbacks.clone());
        let (run, looks) = self.world.step(async move {
            run.wake();
            let mut looks = 0;
            for _ in 0..steps {
                let Ok(CallbacksStep::Begin(calls)) = run.step().await else {
                    panic!("no outage, and nobody else delivers");
                };
                if calls.is_empty() && run.wait_max() != Some(Duration::ZERO) {
                    break;
                }
                looks += usize::from(calls.is_empty());
                for call in calls {
                    let ended = callbacks.make(call).await;
                    run.ended(ended);
                }
            }
            (run, looks)
        });
        self.run = Some(run);
        looks
    }

    /// Of each line it is known how many wait in it: all of its conversation between its ends that are no exceptions.
    fn counts_what_waits(&self, persons: &[&str]) {
        let open = self.open();
        let number = &self.tenant.phone_numbers[0].phone_number_id;
        for line in self.waiting() {
            let (from, to) = (line.after.number() + 1, line.to.number());
            let conversation = |place: u64| {
                let person = persons[usize::try_from(place).expect("a place") - 1];
                ConversationId::of(&self.tenant.id, number, &samples::person(person))
            };
            let of_line = |place: &u64| conversation(*place) == line.conversation_id && !open.contains(place);
            assert_eq!(line.entries, (from..=to).filter(of_line).count() as u64, "{line:?}");
        }
    }

    /// Delivers for so long, a second at a time.
    fn deliver_for(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.work(STEPS_MAX);
            self.run_for(Duration::from_secs(1));
        }
    }

    /// The place of every attempt, and whether it was taken.
    fn attempted(&self) -> Vec<(u64, bool)> {
        let all = self.world.receivers.posted().into_iter();
        let attempt = |posted: dakghar_testkit::memory::Posted| {
            let body = String::from_utf8(posted.body).expect("text");
            let place = body.split(' ').next().and_then(|place| place.parse().ok());
            (place.expect("a place"), posted.is_taken)
        };
        all.map(attempt).collect()
    }

    /// The places that were posted since this was last asked.
    fn places(&mut self) -> Vec<u64> {
        let posted = self.posted();
        let place = |body: &String| body.split(' ').next().and_then(|place| place.parse().ok());
        posted.iter().map(|body| place(body).expect("a place")).collect()
    }
}

#[test]
fn what_waits_behind_one_that_fails_takes_the_room_of_no_other() {
    let mut story = Story::in_order();
    story.hear(ONE, 1);
    story.refuse(1);
    story.work(STEPS_MAX);
    assert_eq!(story.places(), [1]);
    story.hear(ONE, 400);
    story.hear(OTHER, 2);
    story.deliver_for(2);
    assert_eq!((story.places(), story.after()), (vec![402, 403], 403));
    assert_eq!(
        story.open().len(),
        1 + WAITING_APART_MAX,
        "the rest has none of its own"
    );
    let waiting = story.waiting();
    let range = |line: &WaitingLine| (line.after.number(), line.to.number());
    assert_eq!(waiting.iter().map(range).collect::<Vec<_>>(), [(33, 401)]);
    assert_eq!(
        (waiting[0].entries, story.status().open),
        (368, 1 + 400),
        "all of them are shown"
    );

    let since = NewReplay::FailedSince(Timestamp::from_millis(0));
    let preview = story.preview(&since);
    assert_eq!((preview.events, preview.waiting), (33, 368));

    // Whoever takes over knows of it, and what comes later stands behind.
    story.load();
    story.hear(OTHER, 1);
    story.hear(ONE, 3);
    story.deliver_for(2);
    assert_eq!(story.places(), [404]);
    assert_eq!(range(&story.waiting()[0]), (33, 407));
    assert_eq!(story.waiting()[0].entries, 371);
    story.deliver_for(8);
    let mut places = story.places();
    while story.after() < 407 || !story.open().is_empty() {
        story.deliver_for(1);
        places.extend(story.places());
    }
    let expected: Vec<u64> = (1..=401).chain(405..=407).collect();
    assert_eq!((places, story.waiting()), (expected, vec![]), "each once, in order");
    story.hear(ONE, 2);
    story.deliver_for(1);
    assert_eq!(story.places(), [408, 409]);
}

/// Nobody who delivers in his own order is asked to wait.
#[test]
fn a_walk_for_what_waits_passes_over_what_others_had() {
    let mut story = Story::in_order();
    story.hear(ONE, 1);
    story.refuse(1);
    story.work(STEPS_MAX);
    story.hear(ONE, 40);
    story.hear(OTHER, 350);
    story.hear(ONE, 1);
    story.deliver_for(4);
    let mut places = story.places();
    story.deliver_for(10);
    places.extend(story.places());
    let of_one: Vec<u64> = places
        .iter()
        .copied()
        .filter(|place| *place <= 41 || *place == 392)
        .collect();
    let expected: Vec<u64> = [1].into_iter().chain(1..=41).chain([392]).collect();
    assert_eq!(
        (of_one, places.len()),
        (expected, 1 + 392),
        "none twice but the one that failed"
    );
    assert_eq!((story.open(), story.waiting()), (vec![], vec![]));
}

/// After an outage there is a line of everybody. A page of the feed is read for all of them.
#[test]
fn a_page_of_the_feed_serves_all_lines() {
    let mut story = Story::in_order();
    let persons: Vec<String> = (0..20).map(|n| format!("155500{n:02}")).collect();
    for person in &persons {
        story.hears(person);
    }
    story.refuse(persons.len());
    story.work(STEPS_MAX);
    for _ in 0..60 {
        for person in &persons {
            story.hears(person);
        }
    }
    let (mut posted, mut looks) = (story.posted().len(), 0);
    while story.after() < 1_220 || !story.open().is_empty() || !story.waiting().is_empty() {
        looks += story.work(STEPS_MAX);
        posted += story.posted().len();
        story.run_for(Duration::from_secs(1));
    }
    assert_eq!(posted, 20 + 1_220);
    // The feed has 13 pages; a walk for each line would look at most of them 20 times.
    assert!(looks < 100, "{looks}");
}

#[test]
fn what_waited_and_is_not_wanted_any_more_is_passed_over() {
    let mut story = Story::in_order();
    story.hear(ONE, 1);
    story.refuse(1);
    story.work(STEPS_MAX);
    story.hear(ONE, 50);
    story.deliver_for(2);
    story.places();
    story.endpoint.filter.kinds = vec![KindPattern::parse("status.*").expect("a pattern")];
    story.load();
    story.deliver_for(10);
    assert_eq!(story.places(), (1..=33).collect::<Vec<_>>(), "these are exceptions");
    assert_eq!((story.open(), story.waiting()), (vec![], vec![]));
}

#[test]
fn what_went_out_of_the_feed_while_it_waited_is_told_and_the_rest_is_delivered() {
    let mut story = Story::in_order();
    story.hear(ONE, 1);
    story.refuse(1);
    story.work(STEPS_MAX);
    story.hear(ONE, 60);
    story.deliver_for(1);
    assert_eq!(story.status().waiting, 28);
    story.places();
    story.expire(45);
    story.deliver_for(10);
    // 1 to 33 are exceptions, which keep what they name; 62 tells of the others.
    let expected: Vec<u64> = (1..=33).chain(46..=61).collect();
    let (of_one, told): (Vec<u64>, Vec<u64>) = story.places().into_iter().partition(|place| *place <= 61);
    assert_eq!((of_one, told), (expected, vec![62]));
    assert_eq!(
        (story.open(), story.waiting(), story.status().open),
        (vec![], vec![], 0)
    );
    let events = at_once(
        story
            .world
            .store
            .list(Some(&story.tenant.id), None, PageLimit::items(9)),
    );
    let told = &events.expect("no outage").items[0].raw;
    assert!(told.contains("\"34\"") && told.contains("\"45\""), "{told}");
}

/// Crashes, failures and conversations by chance: nothing is left out, and the first time that each is taken is in order.
#[test]
fn lines_lose_nothing_and_keep_their_order_wherever_a_process_dies() {
    let mut lines = 0;
    for seed in 0..15 {
        let mut random = Random::new(seed);
        let crashes = if seed % 3 == 0 { 0 } else { 150 };
        let mut story = Story::in_order();
        let mut persons = Vec::new();
        for _ in 0..30 {
            for _ in 0..random.below(30) {
                let person = *random.pick(&[ONE, ONE, ONE, OTHER, "15550003"]);
                story.hears(person);
                persons.push(person);
            }
            story.refuse(usize::from(random.chance(400)));
            if random.chance(crashes) {
                story.work(random.below(9));
                story.load();
            }
            story.work(STEPS_MAX);
            if random.chance(crashes) {
                story.load();
            }
            story.counts_what_waits(&persons);
            lines += story.waiting().len();
            story.run_for(random.wait(Duration::from_secs(20)));
        }
        for _ in 0..70 {
            if story.open().is_empty() && story.waiting().is_empty() {
                break;
            }
            story.deliver_for(3);
            story.run_for(Duration::from_hours(1));
        }
        let all = u64::try_from(persons.len()).expect("a few");
        assert_eq!(
            (story.after(), story.open(), story.waiting()),
            (all, vec![], vec![]),
            "seed {seed}"
        );
        let mut taken: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (place, is_taken) in story.attempted() {
            let person = persons[usize::try_from(place).expect("a place") - 1];
            let of_person = taken.entry(person).or_default();
            if is_taken && (crashes == 0 || !of_person.contains(&place)) {
                of_person.push(place);
            }
        }
        for (person, places) in taken {
            let expected = (1..=all).filter(|place| persons[usize::try_from(*place).expect("a place") - 1] == person);
            assert_eq!(places, expected.collect::<Vec<_>>(), "seed {seed}, {person}");
        }
    }
    assert!(lines > 20, "{lines} looks found a line");
}
