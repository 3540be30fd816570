//! The suite of [`ListenerStore`](dakghar_core::ports::ListenerStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::listening::{Gap, Listener};

use super::stores::Stores;
use crate::samples::at;

/// Runs the suite of `ListenerStore`: `listener_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! listener_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, listeners:
            a_listener_is_kept_as_it_is
            of_a_process_only_the_latest_is_kept
            processes_keep_their_own
            what_is_old_is_forgotten
            a_gap_that_ended_later_is_not_forgotten
            many_may_keep_at_once
        }
    };
}

fn listener(process: &str, heard_until: u64) -> Listener {
    Listener {
        process: process.into(),
        heard_until: at(heard_until),
        gap: None,
        has_ended: false,
    }
}

fn gap(from: u64, until: u64) -> Gap {
    Gap {
        from: at(from),
        until: at(until),
    }
}

async fn kept(stores: &Stores) -> Vec<Listener> {
    let mut listeners = stores.listeners.listeners().await.expect("the store answers");
    listeners.sort_by(|one, other| one.process.cmp(&other.process));
    listeners
}

async fn keep(stores: &Stores, listeners: &[Listener]) {
    for listener in listeners {
        assert_eq!(stores.listeners.keep_listener(listener).await, Ok(()));
    }
}

pub async fn a_listener_is_kept_as_it_is(stores: Stores) {
    assert_eq!(kept(&stores).await, []);
    let ended = Listener {
        gap: Some(gap(3, 7)),
        has_ended: true,
        ..listener("b", 9)
    };
    let listeners = [listener("a", 5), ended];
    keep(&stores, &listeners).await;
    assert_eq!(kept(&stores).await, listeners);
}

pub async fn of_a_process_only_the_latest_is_kept(stores: Stores) {
    let later = Listener {
        gap: Some(gap(5, 6)),
        ..listener("a", 10)
    };
    keep(&stores, &[listener("a", 5), later.clone()]).await;
    assert_eq!(kept(&stores).await, [later]);
    let without = listener("a", 15);
    keep(&stores, std::slice::from_ref(&without)).await;
    assert_eq!(kept(&stores).await, [without]);
}

pub async fn processes_keep_their_own(stores: Stores) {
    let listeners = [listener("a", 5), listener("b", 6), listener("c", 7)];
    keep(&stores, &listeners).await;
    assert_eq!(kept(&stores).await, listeners);
}

pub async fn what_is_old_is_forgotten(stores: Stores) {
    keep(&stores, &[listener("a", 5), listener("b", 10), listener("c", 15)]).await;
    assert_eq!(stores.listeners.forget_listeners(at(10)).await, Ok(()));
    assert_eq!(kept(&stores).await, [listener("b", 10), listener("c", 15)]);
    assert_eq!(stores.listeners.forget_listeners(at(20)).await, Ok(()));
    assert_eq!(kept(&stores).await, []);
}

pub async fn a_gap_that_ended_later_is_not_forgotten(stores: Stores) {
    let with_gap = |until| Listener {
        gap: Some(gap(4, until)),
        ..listener("a", 5)
    };
    keep(&stores, &[with_gap(10)]).await;
    assert_eq!(stores.listeners.forget_listeners(at(10)).await, Ok(()));
    assert_eq!(kept(&stores).await, [with_gap(10)]);
    assert_eq!(stores.listeners.forget_listeners(at(11)).await, Ok(()));
    assert_eq!(kept(&stores).await, []);
}

pub async fn many_may_keep_at_once(stores: Stores) {
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let stores = stores.clone();
            tokio::spawn(async move { stores.listeners.keep_listener(&listener(&n.to_string(), n)).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(kept(&stores).await.len(), 10);
}
