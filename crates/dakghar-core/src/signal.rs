//! A sign from whoever notices something to the one task that waits for it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// One sign. Raised several times before it is taken, it counts once; raised while nobody waits, it stays.
#[derive(Debug, Default)]
pub struct Signal {
    is_raised: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    /// Raises it.
    pub fn raise(&self) {
        self.is_raised.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until it is raised, and takes it. One task may wait; of two, the earlier one is forgotten.
    pub async fn raised(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_raised.swap(false, Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_signal_that_nobody_waits_for_stays_and_counts_once() {
        let signal = Signal::default();
        assert_eq!(signal.raised().now_or_never(), None);
        signal.raise();
        signal.raise();
        assert_eq!(signal.raised().now_or_never(), Some(()));
        assert_eq!(signal.raised().now_or_never(), None);
    }

    #[test]
    fn who_waits_is_woken() {
        let signal = Signal::default();
        std::thread::scope(|scope| {
            scope.spawn(|| futures_executor::block_on(signal.raised()));
            signal.raise();
        });
    }
}
