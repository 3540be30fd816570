//! The promises of a group commit to those who wait for it.

use super::*;
use futures_executor::block_on;
use parking_lot::Mutex;

impl Weighed for u32 {
    fn bytes(&self) -> usize {
        10
    }
}

impl Weighed for &'static str {
    fn bytes(&self) -> usize {
        self.len()
    }
}

fn limits(waiting_max: usize) -> Limits {
    Limits {
        batch_max: 8,
        batch_bytes_max: 1_000,
        commits_max: 1,
        waiting_max,
        waiting_bytes_max: 10_000,
        refused: Counter::default(),
    }
}

#[test]
fn requests_that_come_at_once_are_one_commit_and_enter_together_or_not_at_all() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let (group, run) = GroupCommit::new(limits(10), move |batch: Vec<u32>| {
        seen.lock().push(batch.len());
        async move { batch.into_iter().map(|n| n * 2).collect() }
    });
    let answers = block_on(async {
        let asks = async {
            let answers = group.submit_all((0..8).collect()).await;
            drop(group);
            answers
        };
        futures_util::join!(asks, run).0
    });
    let answers: Vec<u32> = answers.expect("room").into_iter().flatten().collect();
    assert_eq!(answers, [0, 2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(*sizes.lock(), [8]);

    let few = Limits {
        waiting_bytes_max: 25,
        ..limits(10)
    };
    let (group, _run) = GroupCommit::new(few, |batch: Vec<u32>| async { batch });
    assert!(group.post(1));
    assert_eq!(block_on(group.submit_all(vec![1, 2])), Err(Rejected::Full));
    assert!(group.post(2), "what was refused takes no room");
}

/// The batches of a group with these limits in which three requests wait, then so many that came in together, then two.
fn batches_around(limits: Limits, together: u32) -> Vec<Vec<u32>> {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let seen = batches.clone();
    let (group, mut run) = GroupCommit::new(limits, move |batch: Vec<u32>| {
        seen.lock().push(batch.clone());
        async move { batch }
    });
    block_on(async {
        (0..3).for_each(|n| assert!(group.post(n)));
        let many: Vec<u32> = (100..100 + together).collect();
        let answers = group.submit_all(many.clone());
        futures_util::pin_mut!(answers);
        assert!(futures_util::poll!(&mut answers).is_pending());
        (3..5).for_each(|n| assert!(group.post(n)));
        assert!(futures_util::poll!(&mut run).is_pending());
        let answers: Vec<u32> = answers.await.expect("room").into_iter().flatten().collect();
        assert_eq!(answers, many);
    });
    let batches = batches.lock();
    batches.clone()
}

#[test]
fn requests_that_came_in_together_are_one_commit_whatever_waits_before_and_delay_others_by_no_more() {
    let together = |count: u32| (100..100 + count).collect::<Vec<u32>>();
    // Eight have room in a commit, but not behind three.
    assert_eq!(
        batches_around(limits(100), 8),
        [vec![0, 1, 2], together(8), vec![3, 4]],
        "by their number"
    );
    assert_eq!(
        batches_around(limits(100), 20),
        [vec![0, 1, 2], together(20), vec![3, 4]],
        "more than a commit has room for"
    );
    let few_bytes = Limits {
        batch_bytes_max: 50,
        ..limits(100)
    };
    assert_eq!(
        batches_around(few_bytes.clone(), 4),
        [vec![0, 1, 2], [together(4), vec![3]].concat(), vec![4]],
        "by their bytes"
    );
    assert_eq!(
        batches_around(few_bytes, 7),
        [vec![0, 1, 2], together(7), vec![3, 4]],
        "more bytes than a commit has room for"
    );
    let shared = [vec![0, 1, 2], together(5)].concat();
    assert_eq!(
        batches_around(limits(100), 5),
        [shared, vec![3, 4]],
        "where they fit they share a commit"
    );
}

#[test]
fn requests_that_wait_share_a_commit_and_each_gets_its_own_answer() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let (group, run) = GroupCommit::new(limits(100), move |batch: Vec<u32>| {
        seen.lock().push(batch.len());
        async move { batch.into_iter().map(|n| n * 2).collect() }
    });
    let answers = block_on(async {
        let asks = join_all((0..20).map(|n| {
            let group = group.clone();
            async move { group.submit(n).await }
        }));
        drop(group);
        futures_util::join!(asks, run).0
    });
    assert_eq!(answers, (0..20).map(|n| Ok(n * 2)).collect::<Vec<_>>());
    assert_eq!(*sizes.lock(), [8, 8, 4]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test sends a handful")]
fn beside_a_commit_under_way_only_one_as_large_starts() {
    let mut started = Vec::new();
    let (ends, end) = mpsc::unbounded();
    let end = Arc::new(futures_util::lock::Mutex::new(end));
    let (starts, mut start) = mpsc::unbounded();
    let two_at_a_time = Limits {
        commits_max: 2,
        ..limits(100)
    };
    let (group, mut run) = GroupCommit::new(two_at_a_time, move |batch: Vec<u32>| {
        let _ = starts.unbounded_send(batch.len());
        let end = end.clone();
        async move {
            end.lock().await.next().await;
            batch
        }
    });
    let mut post = |count: u32, end: bool| {
        (0..count).for_each(|n| assert!(group.post(n)));
        if end {
            let _ = ends.unbounded_send(());
        }
        assert!(block_on(async { futures_util::poll!(&mut run) }).is_pending());
        started.extend(std::iter::from_fn(|| start.try_recv().ok()));
        started.clone()
    };
    assert_eq!(post(4, false), [4], "an idle group waits for nothing");
    assert_eq!(post(3, false), [4], "smaller than what is under way");
    assert_eq!(post(1, false), [4, 4], "as large");
    assert_eq!(post(5, false), [4, 4], "two are under way");
    assert_eq!(post(0, true), [4, 4, 5], "larger than the one that is left");
    assert_eq!(post(2, true), [4, 4, 5], "smaller again");
    assert_eq!(post(0, true), [4, 4, 5, 2], "nothing is under way");
}

#[test]
fn a_commit_ends_at_its_bytes_and_a_larger_request_has_one_to_itself() {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let seen = batches.clone();
    let small = Limits {
        batch_bytes_max: 5,
        ..limits(100)
    };
    let (group, run) = GroupCommit::new(small, move |batch: Vec<&'static str>| {
        seen.lock().push(batch.clone());
        async move { batch }
    });
    for text in ["aa", "bb", "cc", "dddddddd", "e", "ffff"] {
        assert!(group.post(text));
    }
    drop(group);
    block_on(run);
    assert_eq!(
        *batches.lock(),
        [vec!["aa", "bb"], vec!["cc"], vec!["dddddddd"], vec!["e", "ffff"]]
    );
}

#[test]
fn past_the_bytes_that_may_wait_the_caller_is_told() {
    let bounded = Limits {
        waiting_bytes_max: 5,
        ..limits(100)
    };
    let (group, mut run) = GroupCommit::new(bounded.clone(), |batch: Vec<&'static str>| async move { batch });
    assert!(group.post("dddddddd"), "alone it may wait, however large");
    assert!(!group.post("a"));
    assert_eq!(bounded.refused.get(), 1);
    assert!(block_on(async { futures_util::poll!(&mut run) }).is_pending());
    assert!(
        group.post("aaa") && group.post("bb"),
        "what was committed waits no more"
    );
    assert!(!group.post("c"));
}

#[test]
fn past_the_bound_the_caller_is_told_and_it_is_counted() {
    let bounded = limits(1);
    let (group, _run) = GroupCommit::new(bounded.clone(), |batch: Vec<u32>| async move { batch });
    block_on(async {
        let first = group.submit(1);
        futures_util::pin_mut!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(group.submit(2).await, Err(Rejected::Full));
        assert_eq!(bounded.refused.get(), 1);
    });
}

#[test]
fn a_stopped_group_says_so() {
    let (group, run) = GroupCommit::new(limits(1), |batch: Vec<u32>| async move { batch });
    drop(run);
    assert_eq!(block_on(group.submit(1)), Err(Rejected::Closed));
}
