//! Runs of an endpoint whose calls end after a later run of it has begun: it was paused and resumed, or came back to the
//! process that had it before.

use dakghar_core::app::OutgoingCall;

use super::*;

/// A run with a call that is under way.
struct Earlier {
    run: EndpointRun,
    call: OutgoingCall,
}

impl Story {
    /// Has the present run begin a call, and begins a run beside it.
    fn leave_behind(&mut self) -> Earlier {
        let mut run = self.run.take().expect("it runs");
        let earlier = self.world.step(async move {
            run.wake();
            run.fill().await.expect("no outage");
            let call = run.next_call().expect("a call");
            Earlier { run, call }
        });
        self.load();
        earlier
    }

    /// Ends the call of an earlier run, and saves what it brought.
    fn end(&self, earlier: Earlier) -> CallbacksSaved {
        let Earlier { mut run, call } = earlier;
        let callbacks = self.callbacks.clone();
        let saved = self.world.step(async move {
            let ended = callbacks.make(call).await;
            run.ended(ended);
            run.save().await
        });
        saved.expect("no outage")
    }
}

#[test]
fn what_an_earlier_run_writes_too_late_is_not_there() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let mut story = Story::of(kind, |_| ());
        story.events(1);
        let earlier = story.leave_behind();
        story.deliver();
        assert_eq!((story.posted(), story.after()), (firsts(1..=1), 1));
        story.refuse(1);
        assert_eq!(story.end(earlier), CallbacksSaved::Lost);
        assert_eq!(story.exceptions(ExceptionsAsked::Open), []);
        let status = story.status();
        assert_eq!(
            (status.open, status.progress.failed, status.progress.delivered),
            (0, 0, 1)
        );
    }
}

#[test]
fn an_exception_of_an_earlier_run_is_not_written_over_by_what_it_writes_too_late() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let mut story = Story::of(kind, |_| ());
        story.events(1);
        let earlier = story.leave_behind();
        story.refuse(2);
        story.deliver();
        story.run_for(Duration::from_secs(10));
        story.deliver();
        let known = story.exceptions(ExceptionsAsked::Open);
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].attempts, 2);
        story.refuse(1);
        assert_eq!(story.end(earlier), CallbacksSaved::Lost);
        assert_eq!(story.exceptions(ExceptionsAsked::Open), known);
    }
}

#[test]
fn what_an_earlier_run_writes_in_time_is_tried_by_the_later_one() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let mut story = Story::of(kind, |_| ());
        story.events(2);
        let earlier = story.leave_behind();
        story.refuse(1);
        assert_eq!(story.end(earlier), CallbacksSaved::Done);
        assert_eq!(story.open(), [1]);
        // The later one has read how far the endpoint was before that, and is told with its first save.
        assert_eq!(story.deliver_and(true), Some(CallbacksSaved::Lost));
        assert_eq!(story.open(), [1]);
        story.load();
        story.run_for(Duration::from_secs(10));
        story.posted();
        story.deliver();
        assert!(story.posted().contains(&"1 #2".to_owned()));
        assert_eq!((story.open(), story.after()), (vec![], 2));
    }
}
