//! How much is due, and for how long.

use std::time::Duration;

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::DueWork;

use super::{JOB_SECONDS_MAX, QueueUnderTest, in_ms, now};
use crate::samples::{With as _, tenant_id};

/// The wait between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until so many are due, by priority.
async fn until_due(port: &QueueUnderTest, counts: [u64; 3]) -> Vec<DueWork> {
    let counted = async {
        loop {
            let due = port.queue.due_work().await.expect("the queue answers");
            let priorities: Vec<_> = due.iter().map(|due| due.priority).collect();
            assert_eq!(priorities, Priority::ALL, "each once");
            if due.iter().map(|due| due.count).eq(counts) {
                return due;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), counted);
    counted
        .await
        .unwrap_or_else(|_| panic!("{counts:?} are due in a minute"))
}

fn slots(due: &[DueWork]) -> Vec<Option<Timestamp>> {
    due.iter().map(|due| due.oldest_slot_at).collect()
}

pub async fn what_is_due_is_counted_until_it_is_done_with_the_slot_that_waited_longest(port: QueueUnderTest) {
    let tenant = tenant_id();
    assert_eq!(
        slots(&until_due(&port, [0, 0, 0]).await),
        [None; 3],
        "nothing has no age"
    );
    let began = now();
    let (soon, later, far) = (in_ms(200), in_ms(600), began + Duration::from_mins(30));
    let message = |priority, slot_at| {
        QueueUnderTest::message(tenant, slot_at).with(|message| message.accepted.priority = priority)
    };
    let messages = [
        message(Priority::High, began),
        message(Priority::Normal, later),
        message(Priority::Normal, soon),
        message(Priority::Normal, far),
        message(Priority::Low, began),
        message(Priority::Low, began),
        message(Priority::Low, far),
    ];
    port.put(&messages).await;
    let due = slots(&until_due(&port, [1, 2, 2]).await);
    let [Some(high), Some(normal), Some(low)] = due[..] else {
        panic!("{due:?}");
    };
    assert!(
        normal >= soon && normal < later,
        "of several slots the earliest: {due:?}"
    );
    // A queue may know of a slot that has passed only when it was put in.
    let put = now();
    assert!(high >= began && high <= put && low >= began && low <= put, "{due:?}");

    let mut left = 5;
    while left > 0 {
        let jobs = port.take(left).await;
        left -= jobs.len();
        port.settle(jobs).await;
    }
    assert_eq!(
        slots(&until_due(&port, [0, 0, 0]).await),
        [None; 3],
        "what is not due yet has no age either"
    );
}
