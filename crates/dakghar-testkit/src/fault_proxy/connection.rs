//! One connection through the proxy.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::{Faults, Flow, Hold, Shared, Toward, owner};

/// Bytes moved at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// Moves the bytes of one connection until both directions have ended, or it is reset.
pub(super) async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut seen = shared.faults.subscribe();
    let born = seen.borrow().clone();
    let Ok(mut server) = TcpStream::connect(shared.upstream()).await else {
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        // A failure only costs latency.
        let _ = stream.set_nodelay(true);
    }
    let ends = client.peer_addr().ok().zip(client.local_addr().ok());
    let ended_well = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let caught = Caught {
            shared: &shared,
            held: Mutex::new(None),
        };
        let requests = pump(client_read, server_write, Toward::Server, &caught, &born);
        let replies = pump(server_read, client_write, Toward::Client, &caught, &born);
        let is_reset = |faults: &Faults| {
            faults.generation != born.generation
                || ends.is_some_and(|(from, to)| faults.shut_out.iter().any(|process| owner::owns(*process, from, to)))
        };
        tokio::select! {
            result = async { tokio::try_join!(requests, replies) } => result.is_ok(),
            _ = seen.wait_for(is_reset) => false,
        }
    };
    if !ended_well {
        reset(&client);
        reset(&server);
    }
}

/// Lets the socket be closed by a reset instead of in good order.
fn reset(stream: &TcpStream) {
    // A socket that refuses is closed already.
    let _ = stream.set_zero_linger();
}

/// Whether this connection fell into a trap; both of its directions look at it.
struct Caught<'a> {
    shared: &'a Shared,
    /// What is held, and the number of releases when it was caught.
    held: Mutex<Option<(Hold, u64)>>,
}

impl Caught<'_> {
    /// Looks for the trap's bytes in the end of what was sent before and in the piece that is to be sent now.
    fn look(&self, faults: &Faults, before: &mut Vec<u8>, piece: &[u8]) {
        let Some(trap) = &faults.trap else {
            before.clear();
            return;
        };
        before.extend_from_slice(piece);
        let is_in = before.windows(trap.bytes.len()).any(|window| *window == *trap.bytes);
        let mut held = self.held.lock();
        if is_in && held.is_none() {
            *held = Some((trap.hold, faults.releases));
            self.shared.caught.send_modify(|caught| *caught += 1);
        }
        let kept = before.len().min(trap.bytes.len() - 1);
        before.drain(..before.len() - kept);
    }

    /// Waits as long as this direction is held back.
    async fn pass(&self, toward: Toward, seen: &mut watch::Receiver<Faults>) {
        let held = *self.held.lock();
        if let Some((hold, under)) = held
            && (hold == Hold::Request) == (toward == Toward::Server)
        {
            // The sender outlives this, so the wait does not fail.
            let _ = seen.wait_for(|faults| faults.releases != under).await;
            *self.held.lock() = None;
        }
    }
}

/// Moves the bytes of one direction until its end, which counts as a piece of data as well.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    toward: Toward,
    caught: &Caught<'_>,
    born: &Faults,
) -> io::Result<()> {
    let faults = &caught.shared.faults;
    let mut seen = faults.subscribe();
    let mut has_lost = false;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut before = Vec::new();
    loop {
        let length = tokio::select! {
            length = from.read(&mut chunk) => length?,
            () = half_closed(&mut seen, born), if toward == Toward::Client => return to.shutdown().await,
        };
        let now = seen.borrow().clone();
        tokio::time::sleep(now.delay).await;
        if toward == Toward::Server {
            caught.look(&now, &mut before, &chunk[..length]);
        }
        caught.pass(toward, &mut seen).await;
        let passed = pass(length, toward, faults, &mut seen, born).await;
        has_lost |= passed.is_none();
        if has_lost {
            if length == 0 {
                // The end of the direction is lost like its bytes: the other side waits on.
                std::future::pending::<()>().await;
            }
            continue;
        }
        let passed = passed.unwrap_or_default();
        to.write_all(&chunk[..passed]).await?;
        if passed < length {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if length == 0 {
            return to.shutdown().await;
        }
    }
}

/// Waits until the connections of `born`'s time send no more to the client.
async fn half_closed(seen: &mut watch::Receiver<Faults>, born: &Faults) {
    // The sender outlives this, so the wait does not fail.
    let _ = seen.wait_for(|faults| faults.half_closed != born.half_closed).await;
}

/// How many of `length` bytes may pass, once they may; `None` when they are lost.
async fn pass(
    length: usize,
    toward: Toward,
    faults: &watch::Sender<Faults>,
    seen: &mut watch::Receiver<Faults>,
    born: &Faults,
) -> Option<usize> {
    // The sender outlives this, so there is always an answer.
    let is_moving = |faults: &Faults| faults.flow(toward) != Flow::Stall;
    let flow = seen.wait_for(is_moving).await.map_or(Flow::Pass, |faults| {
        if faults.silenced == born.silenced {
            faults.flow(toward)
        } else {
            Flow::Swallow
        }
    });
    match flow {
        Flow::Pass | Flow::Stall => Some(length),
        Flow::Swallow => None,
        Flow::CutAfter(_) => {
            let mut passed = length;
            faults.send_modify(|faults| {
                if let Flow::CutAfter(left) = faults.flow_mut(toward) {
                    passed = length.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= passed as u64;
                }
            });
            Some(passed)
        }
    }
}
