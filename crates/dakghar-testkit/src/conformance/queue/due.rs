//! The number of messages that are due, and since when.

use std::time::Duration;

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::DueWork;

use super::{JOB_SECONDS_MAX, QueueUnderTest, in_ms, now};
use crate::samples::{With as _, tenant_id};

/// The wait between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Messages of each priority.
const EACH: u64 = 400;
/// The most that a queue fetches before somebody asks for it, which is taken. It may all be of one priority.
const FETCHED_MAX: u64 = 300;

/// Looks until nearly so many are due of each priority. More must never be.
async fn until_due(port: &QueueUnderTest, each: u64) -> Vec<Option<Timestamp>> {
    let counted = async {
        loop {
            let due: Vec<DueWork> = port.queue.due_work().await.expect("the queue answers");
            let priorities: Vec<_> = due.iter().map(|due| due.priority).collect();
            assert_eq!(priorities, Priority::ALL, "each once");
            assert!(due.iter().all(|due| due.count <= EACH), "{due:?}");
            let is_enough = |due: &DueWork| match each {
                0 => due.count == 0,
                each => due.count + FETCHED_MAX >= each,
            };
            if due.iter().all(is_enough) {
                return due.iter().map(|due| due.oldest_slot_at).collect();
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), counted);
    counted.await.unwrap_or_else(|_| panic!("{each} are due in a minute"))
}

pub async fn what_is_due_is_counted_by_priority_until_it_is_done_with_the_slot_that_waits(port: QueueUnderTest) {
    let tenant = tenant_id();
    assert_eq!(until_due(&port, 0).await, [None; 3], "nothing has no age");
    let began = now();
    let (soon, far) = (in_ms(300), began + Duration::from_mins(30));
    let message = |priority, slot_at| {
        QueueUnderTest::message(tenant, slot_at).with(|message| message.accepted.priority = priority)
    };
    let mut messages = Vec::new();
    for _ in 0..EACH {
        messages.push(message(Priority::High, began));
        messages.push(message(Priority::Normal, soon));
        messages.push(message(Priority::Normal, far));
        messages.push(message(Priority::Low, began));
    }
    port.put(&messages).await;
    let due = until_due(&port, EACH).await;
    let [Some(high), Some(normal), Some(low)] = due[..] else {
        panic!("{due:?}");
    };
    assert!(
        normal >= soon && normal < far,
        "its slot, and not when it was put in: {due:?}"
    );
    // A queue may know of a slot that has passed only when it was put in.
    let put = now();
    assert!(high >= began && high <= put && low >= began && low <= put, "{due:?}");

    let mut left = messages.len() - messages.len() / 4;
    while left > 0 {
        let jobs = port.take(left).await;
        left -= jobs.len();
        port.settle(jobs).await;
    }
    assert_eq!(
        until_due(&port, 0).await,
        [None; 3],
        "what is not due yet has no age either"
    );
}
