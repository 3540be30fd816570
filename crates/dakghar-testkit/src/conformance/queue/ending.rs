//! Jobs end in every way, and so does the queue.

use std::time::Duration;

use dakghar_core::ports::{Disposition, Save, Saved};

use super::{JOB_SECONDS_MAX, QueueUnderTest, in_ms, job_key, now};
use crate::samples::tenant_id;

pub async fn a_finished_message_can_come_again_under_its_next_drive(port: QueueUnderTest) {
    let mut message = QueueUnderTest::message(tenant_id(), now());
    port.put(std::slice::from_ref(&message)).await;
    for (drive, end) in [Disposition::Superseded, Disposition::Dead("poison"), Disposition::Done]
        .into_iter()
        .enumerate()
    {
        let job = port.take_one().await;
        assert_eq!((job.key, job.drive as usize), (job_key(&message), drive));
        message.delivery.drive += 1;
        message.delivery.slot_at = Some(now());
        if let Some(store) = &port.messages {
            assert_eq!(store.save(&[Save::quiet(&message)]).await, [Ok(Saved::Done)]);
            message.delivery.version += 1;
        }
        // The next drive is put in before the job ends, as a worker does.
        port.enqueue(std::slice::from_ref(&message)).await;
        job.finish(end);
    }
    let job = port.take_one().await;
    assert_eq!((job.key, job.drive), (job_key(&message), 3));
    port.settle(vec![job]).await;
}

pub async fn what_cannot_be_read_is_left_alone(port: QueueUnderTest) {
    let tenant = tenant_id();
    let unreadable = QueueUnderTest::message(tenant, now());
    port.put(std::slice::from_ref(&unreadable)).await;
    port.take_one().await.finish(Disposition::Unreadable);
    let next = QueueUnderTest::message(tenant, in_ms(700));
    port.put(std::slice::from_ref(&next)).await;
    let job = port.take_one().await;
    assert_eq!(job.key, job_key(&next));
    port.settle(vec![job]).await;
}

pub async fn a_dropped_job_does_not_stop_the_queue(port: QueueUnderTest) {
    let tenant = tenant_id();
    let messages: Vec<_> = (0..5).map(|_| QueueUnderTest::message(tenant, now())).collect();
    port.put(&messages).await;
    for _ in &messages {
        drop(port.take_one().await);
    }
    let next = QueueUnderTest::message(tenant, now());
    port.put(std::slice::from_ref(&next)).await;
    // Those that were dropped may come again or not.
    loop {
        let job = port.take_one().await;
        let is_next = job.key == job_key(&next);
        port.settle(vec![job]).await;
        if is_next {
            break;
        }
    }
}

pub async fn a_taken_job_can_be_finished_while_the_queue_closes(port: QueueUnderTest) {
    port.put(&[QueueUnderTest::message(tenant_id(), now())]).await;
    let job = port.take_one().await;
    let closing = {
        let queue = port.queue.clone();
        tokio::spawn(async move { queue.close().await })
    };
    tokio::task::yield_now().await;
    port.settle(vec![job]).await;
    let closed = tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), closing).await;
    closed.expect("the queue closes in a minute").expect("no panic");
    // A message that is accepted or tried again while the process ends is for another one to take.
    port.enqueue(&[QueueUnderTest::message(tenant_id(), now())]).await;
}

pub async fn a_closed_queue_still_takes_messages_in(port: QueueUnderTest) {
    port.queue.close().await;
    // `put` demands that the queue takes it.
    port.put(&[QueueUnderTest::message(tenant_id(), now())]).await;
}
