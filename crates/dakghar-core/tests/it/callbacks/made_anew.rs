//! Endpoints that are made under an id that another one had before: by an idempotency key, and by a `callbackUrl`.

use dakghar_core::app::{CreatedEndpoint, EndpointChanges, ExpectedVersion, NewEndpoint, StartAt};
use dakghar_core::domain::IdempotencyKey;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::endpoint::EndpointFormat;

use super::*;

/// A story whose endpoint was made under a key, from the beginning of the feed.
fn under_a_key() -> Story {
    let mut story = Story::new(|_| ());
    make(&mut story);
    story
}

/// Makes the endpoint, and delivers to it from now on.
fn make(story: &mut Story) {
    let (endpoints, tenant_id) = (story.process.endpoints(), story.tenant.id);
    let made = story.world.step(async move {
        let new = NewEndpoint {
            format: EndpointFormat::Standard,
            settings: EndpointChanges {
                url: Some(URL.to_owned()),
                per_second: Some(1_000),
                ..EndpointChanges::default()
            },
            start: StartAt::Beginning,
            secret: None,
        };
        let key = IdempotencyKey::parse("order-1").expect("a key");
        endpoints.create(&tenant_id, &new, Some(&key), Principal::CLI).await
    });
    let Ok(CreatedEndpoint::Made(made)) = made else {
        panic!("{made:?}")
    };
    story.endpoint = made.endpoint;
}

fn remove(story: &Story) -> Result<(), Failure> {
    let (endpoints, tenant_id, id) = (
        story.process.endpoints(),
        story.tenant.id,
        story.endpoint.id.to_string(),
    );
    story.world.step(async move {
        let removed = endpoints.remove(&tenant_id, &id, &ExpectedVersion::ANY, Principal::CLI);
        removed.await
    })
}

/// One that took three entries and did not take two.
fn used() -> Story {
    let mut story = under_a_key();
    story.load();
    story.events(5);
    story.refuse(2);
    story.deliver();
    assert_eq!((story.posted().len(), story.after(), story.open().len()), (5, 5, 2));
    story
}

fn is_as_new(story: &Story) {
    let status = story.status();
    assert_eq!(
        (status.progress.after.number(), status.behind, status.open, status.dead),
        (0, 5, 0, 0)
    );
    let progress = status.progress;
    assert_eq!(
        (progress.delivered, progress.failed, progress.breaker.failures),
        (0, 0, 0)
    );
    assert_eq!(progress.failed_at, None);
}

#[test]
fn removing_an_endpoint_and_forgetting_what_is_kept_of_it() {
    // A crash leaves all of it, or its place without its exceptions, or nothing.
    for forgotten in [0, 2, 500] {
        let mut story = used();
        let (store, tenant_id, former) = (&story.world.store, story.tenant.id, story.endpoint.clone());
        assert_eq!(at_once(store.remove_endpoint(&tenant_id, &former.id, None)), Ok(true));
        let forgets = store.forget_endpoint(&tenant_id, &former.kept_under, forgotten);
        at_once(forgets).expect("no outage");
        make(&mut story);
        assert_eq!(story.endpoint.id, former.id);
        is_as_new(&story);
        story.load();
        story.deliver();
        assert_eq!((story.posted(), story.after()), (firsts(1..=5), 5), "{forgotten}");
        assert_eq!((story.status().progress.delivered, story.open()), (5, vec![]));
    }
}

#[test]
fn whoever_still_delivers_to_one_that_is_gone_writes_nothing_of_the_one_that_is_made_anew() {
    for has_saved in [true, false] {
        let mut story = under_a_key();
        story.events(5);
        story.load();
        if has_saved {
            story.deliver();
        } else {
            story.deliver_and(false);
        }
        story.posted();
        let mut run = story.run.take().expect("it runs");
        remove(&story).expect("removed");
        make(&mut story);
        // A process that was told of neither goes on.
        let _ = story.world.step(async move { run.save().await });
        is_as_new(&story);
        story.load();
        story.deliver();
        assert_eq!((story.posted(), story.after()), (firsts(1..=5), 5), "{has_saved}");
    }
}
