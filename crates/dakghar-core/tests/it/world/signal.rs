//! News for everybody who waits.

use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// Tells everybody who waits that something has changed.
#[derive(Clone, Default)]
pub struct Signal {
    waiting: Arc<Mutex<(u64, Vec<Waker>)>>,
}

impl Signal {
    /// Wakes all who wait.
    pub fn tell(&self) {
        let waiting = {
            let mut guard = self.waiting.lock();
            guard.0 += 1;
            std::mem::take(&mut guard.1)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// How often it told something so far.
    pub fn told(&self) -> u64 {
        self.waiting.lock().0
    }

    /// Waits until it has told more than `seen` times.
    pub async fn more_than(&self, seen: u64) {
        std::future::poll_fn(|context| {
            let mut waiting = self.waiting.lock();
            if waiting.0 > seen {
                return Poll::Ready(());
            }
            if !waiting.1.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.1.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
