//! A bad network: a TCP proxy between a client and a server, whose faults a test sets while both are at work.
//!
//! Faults hold for connections that exist and for those that come. Bytes are never changed or reordered, only held
//! back, swallowed or cut off, as networks do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::servers::free_port;

/// Bytes moved at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They arrive.
    #[default]
    Pass,
    /// They are held back and arrive once the direction passes again, as after a short break of the network.
    Stall,
    /// They are lost. A connection that lost bytes gets nothing more in this direction, ever.
    Swallow,
    /// So many more bytes arrive, counted over all connections; a connection that has more to move is reset.
    CutAfter(u64),
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// Requests.
    Server,
    /// Replies.
    Client,
}

#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    to_server: Flow,
    to_client: Flow,
    delay: Duration,
    /// Connections begun under an earlier number are reset.
    generation: u64,
    /// Connections begun under an earlier number send no more to the client.
    half_closed: u64,
}

impl Faults {
    const fn flow(&self, toward: Toward) -> Flow {
        match toward {
            Toward::Server => self.to_server,
            Toward::Client => self.to_client,
        }
    }

    const fn flow_mut(&mut self, toward: Toward) -> &mut Flow {
        match toward {
            Toward::Server => &mut self.to_server,
            Toward::Client => &mut self.to_client,
        }
    }
}

/// A proxy in front of one server. Ends, with all its connections, when dropped.
pub struct FaultProxy {
    port: u16,
    upstream: SocketAddr,
    faults: Arc<watch::Sender<Faults>>,
    accepted: Arc<AtomicUsize>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl FaultProxy {
    /// Starts a proxy, without any fault, in front of the server on this port of this machine.
    pub async fn start(upstream_port: u16) -> Self {
        let proxy = Self {
            port: free_port(),
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, upstream_port)),
            faults: Arc::new(watch::Sender::new(Faults::default())),
            accepted: Arc::default(),
            listener: Mutex::new(None),
        };
        proxy.listen().await;
        proxy
    }

    /// The port to connect to, on this machine; always the same.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Connections taken so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Sets what happens to the bytes of one direction.
    pub fn set_flow(&self, toward: Toward, flow: Flow) {
        self.faults.send_modify(|faults| *faults.flow_mut(toward) = flow);
    }

    /// Holds back every piece of data, in both directions, for this long. Connecting takes no longer.
    pub fn set_delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Both directions of the present connections, and of those that come, lead nowhere; nobody is told.
    pub fn blackhole(&self) {
        self.set_flow(Toward::Server, Flow::Swallow);
        self.set_flow(Toward::Client, Flow::Swallow);
    }

    /// The server works on, but its replies are lost.
    pub fn drop_replies(&self) {
        self.set_flow(Toward::Client, Flow::Swallow);
    }

    /// Resets the present connections; new ones work.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.generation += 1);
    }

    /// Ends the replies of the present connections in good order; requests still pass.
    pub fn half_close(&self) {
        self.faults.send_modify(|faults| faults.half_closed += 1);
    }

    /// Resets the present connections and refuses new ones: the server seems to be down.
    pub async fn refuse(&self) {
        let listener = self.listener.lock().take();
        if let Some(listener) = listener {
            listener.abort();
            // It ends with the error of having been aborted; then the port is free.
            let _ = listener.await;
        }
        self.cut();
    }

    /// Ends every fault. Connections that lost bytes stay broken.
    pub async fn heal(&self) {
        self.faults.send_modify(|faults| {
            *faults = Faults {
                generation: faults.generation,
                half_closed: faults.half_closed,
                ..Faults::default()
            };
        });
        self.listen().await;
    }

    /// Takes connections, if it does not already.
    async fn listen(&self) {
        if self.listener.lock().is_some() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let listener = listener.expect("the port of the proxy is still free");
        let (upstream, faults, accepted) = (self.upstream, self.faults.clone(), self.accepted.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(client, upstream, faults.clone()));
            }
        });
        *self.listener.lock() = Some(task);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.lock().take() {
            listener.abort();
        }
        self.cut();
    }
}

/// Moves the bytes of one connection until both directions have ended, or it is reset.
async fn serve(mut client: TcpStream, upstream: SocketAddr, faults: Arc<watch::Sender<Faults>>) {
    let mut seen = faults.subscribe();
    let born = *seen.borrow();
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        // A failure only costs latency.
        let _ = stream.set_nodelay(true);
    }
    let ended_well = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let requests = pump(client_read, server_write, Toward::Server, &faults, born);
        let replies = pump(server_read, client_write, Toward::Client, &faults, born);
        tokio::select! {
            result = async { tokio::try_join!(requests, replies) } => result.is_ok(),
            _ = seen.wait_for(|faults| faults.generation != born.generation) => false,
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

/// Moves the bytes of one direction until its end, which counts as a piece of data as well.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    toward: Toward,
    faults: &watch::Sender<Faults>,
    born: Faults,
) -> io::Result<()> {
    let mut seen = faults.subscribe();
    let mut has_lost = false;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = tokio::select! {
            length = from.read(&mut chunk) => length?,
            () = half_closed(&mut seen, born), if toward == Toward::Client => return to.shutdown().await,
        };
        let delay = seen.borrow().delay;
        tokio::time::sleep(delay).await;
        let passed = pass(length, toward, faults, &mut seen).await;
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
async fn half_closed(seen: &mut watch::Receiver<Faults>, born: Faults) {
    // The sender outlives this, so the wait does not fail.
    let _ = seen.wait_for(|faults| faults.half_closed != born.half_closed).await;
}

/// How many of `length` bytes may pass, once they may; `None` when they are lost.
async fn pass(
    length: usize,
    toward: Toward,
    faults: &watch::Sender<Faults>,
    seen: &mut watch::Receiver<Faults>,
) -> Option<usize> {
    // The sender outlives this, so there is always an answer.
    let is_moving = |faults: &Faults| faults.flow(toward) != Flow::Stall;
    let flow = seen
        .wait_for(is_moving)
        .await
        .map_or(Flow::Pass, |faults| faults.flow(toward));
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
