//! Open loops: requests are due at times that were fixed before the run, whether or not earlier ones were answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::client::Connection;

/// Requests under way at most; what is due beyond them waits, and its latency counts on.
pub(crate) const UNDER_WAY_MAX: usize = 512;

/// When each request is due within so many seconds, from the start of the run: at equal distances, or at random ones with
/// the same mean.
pub(crate) fn schedule(rate: f64, seconds: f64, is_even: bool) -> Vec<Duration> {
    // The same for every contender.
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut at = 0.0;
    let mut due = Vec::new();
    while at < seconds {
        due.push(Duration::from_secs_f64(at));
        let share: f64 = if is_even {
            1.0
        } else {
            -(1.0 - random.random::<f64>()).ln()
        };
        at += share / rate;
    }
    due
}

/// Begins each request when it is due, over as many connections as are in use at a time, and waits for the last one. A
/// request is told its number, when it is due after the start, and the connection, which it gives back.
pub(crate) async fn when_due<R>(
    base: &str,
    (started, due): (Instant, Vec<Duration>),
    under_way_max: Option<usize>,
    mut request: impl FnMut(u64, Duration, Connection) -> R,
) -> anyhow::Result<()>
where
    R: Future<Output = Connection> + Send + 'static,
{
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let permits = Arc::new(Semaphore::new(under_way_max.unwrap_or(Semaphore::MAX_PERMITS)));
    let mut ticks = ticker(started, due);
    let mut tasks = JoinSet::new();
    while let Some((index, due)) = ticks.recv().await {
        let permit = permits.clone().acquire_owned().await?;
        let connection = idle.lock().pop();
        let connection = match connection {
            Some(connection) => connection,
            None => Connection::to(base)?,
        };
        let (request, idle) = (request(index, due, connection), idle.clone());
        tasks.spawn(async move {
            let connection = request.await;
            idle.lock().push(connection);
            drop(permit);
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// Tells when each request is due. A thread of its own, because its sleep is exact to some ten microseconds and that of
/// the runtime to a millisecond.
fn ticker(started: Instant, due: Vec<Duration>) -> mpsc::UnboundedReceiver<(u64, Duration)> {
    let (tick, ticks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for (index, due) in due.into_iter().enumerate() {
            std::thread::sleep((started + due).saturating_duration_since(Instant::now()));
            if tick.send((index as u64, due)).is_err() {
                return;
            }
        }
    });
    ticks
}
