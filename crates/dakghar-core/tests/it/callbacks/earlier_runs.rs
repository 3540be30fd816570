//! Runs of an endpoint whose calls end after a later run of it has begun: it was paused and resumed, or came back to the
//! process that had it before.

use dakghar_core::app::{ExpectedVersion, OutgoingCall, RetentionPass};
use dakghar_core::domain::audit::Principal;

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
    let mut story = Story::new(|_| ());
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

#[test]
fn an_exception_of_an_earlier_run_is_not_written_over_by_what_it_writes_too_late() {
    let mut story = Story::new(|_| ());
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

#[test]
fn what_an_earlier_run_writes_in_time_is_tried_by_the_later_one() {
    let mut story = Story::new(|_| ());
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

#[test]
fn what_is_written_of_an_endpoint_after_its_removal_is_forgotten_with_what_is_old() {
    let mut story = Story::new(|_| ());
    let kept = Endpoint {
        seat: 1,
        url: "https://example.com/other".to_owned(),
        secrets: Vec::new(),
        ..samples::endpoint(story.tenant.id)
    };
    let removed = std::mem::replace(&mut story.endpoint, kept.clone());
    assert_eq!(
        at_once(story.world.store.insert_endpoint(&kept)),
        Ok(EndpointInserted::Done)
    );
    story.events(1);
    // Neither of them has saved anything yet.
    let of_removed = story.leave_behind();
    let of_kept = story.leave_behind();
    let (endpoints, tenant_id) = (story.process.endpoints(), story.tenant.id);
    let id = removed.id.to_string();
    let removing = async move {
        let removing = endpoints.remove(&tenant_id, &id, &ExpectedVersion::ANY, Principal::CLI);
        removing.await
    };
    story.world.step(removing).expect("removed");
    story.refuse(1);
    story.world.receivers.answer_status(&kept.url, 500);
    for run in [of_removed, of_kept] {
        assert_eq!(story.end(run), CallbacksSaved::Done);
    }
    let left = |endpoint: &Endpoint| {
        let store = &story.world.store;
        let progress = at_once(store.progress(&[endpoint.kept_under])).pop();
        let progress = progress.expect("one answer").expect("no outage");
        let exceptions = at_once(store.count_exceptions(&endpoint.kept_under, ExceptionsAsked::Open));
        (progress.is_some(), exceptions)
    };
    assert_eq!([left(&removed), left(&kept)], [(true, Ok(1)), (true, Ok(1))]);
    let retention = story.process.retention();
    let pass = async move {
        let mut pass = RetentionPass::default();
        while !retention.step(&mut pass).await?.is_through {}
        Ok::<_, Failure>(())
    };
    story.world.step(pass).expect("no outage");
    assert_eq!([left(&removed), left(&kept)], [(false, Ok(0)), (true, Ok(1))]);
}
