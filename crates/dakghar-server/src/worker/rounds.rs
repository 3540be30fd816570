//! Several rounds of the same work at a time, of which each may wait for a call of Meta's that hangs.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

/// Rounds at a time: one more than the calls that may hang while everything else goes on.
const ROUNDS: u32 = 4;
/// The time between the first looks of two rounds.
const APART: Duration = Duration::from_millis(500);

/// Works round after round. `work` returns the wait that would be right for one round alone: so many look no more often
/// than one.
pub(super) async fn rounds<Work, Done>(work: Work)
where
    Work: Fn() -> Done,
    Done: Future<Output = Duration>,
{
    join_all((0..ROUNDS).map(|n| one(n, &work))).await;
}

async fn one<Work, Done>(n: u32, work: &Work) -> Infallible
where
    Work: Fn() -> Done,
    Done: Future<Output = Duration>,
{
    sleep(APART * n).await;
    loop {
        let wait = work().await;
        sleep(wait * ROUNDS).await;
    }
}
