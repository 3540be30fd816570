//! A bad network: a TCP proxy between a client and a server, whose faults a test sets while both are at work.
//!
//! Faults hold for connections that exist and for those that come, unless they say otherwise. Bytes are never changed
//! or reordered, only held back, swallowed or cut off, as networks do. A [`Hold`] makes a fault happen at a certain
//! request, which a fault that is set by the clock rarely meets.

mod connection;
mod owner;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Port;

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

/// What is held back of a connection on which certain bytes were requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The request itself and what follows it: the server never hears of it, unless it is released.
    Request,
    /// Its reply and what follows it: the server does it, and the client does not learn of that.
    Reply,
}

/// Catches connections on which these bytes are sent to the server.
#[derive(Clone, Debug)]
struct Trap {
    bytes: Arc<[u8]>,
    hold: Hold,
}

#[derive(Clone, Debug, Default)]
struct Faults {
    to_server: Flow,
    to_client: Flow,
    delay: Duration,
    trap: Option<Trap>,
    /// Connections caught under an earlier number are let go.
    releases: u64,
    /// Connections begun under an earlier number are reset.
    generation: u64,
    /// Connections begun under an earlier number send no more to the client.
    half_closed: u64,
    /// Connections begun under an earlier number lose everything.
    silenced: u64,
    /// Connections of these processes are reset, now and when they come.
    shut_out: Arc<[u32]>,
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
    port: Port,
    shared: Arc<Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

/// What the proxy and its connections share.
struct Shared {
    upstream_port: AtomicU16,
    faults: watch::Sender<Faults>,
    accepted: AtomicUsize,
    /// Connections caught by a trap so far.
    caught: watch::Sender<usize>,
}

impl FaultProxy {
    /// Starts a proxy, without any fault, in front of the server on this port of this machine.
    pub async fn start(upstream_port: u16) -> Self {
        let proxy = Self {
            port: Port::claim(),
            shared: Arc::new(Shared {
                upstream_port: AtomicU16::new(upstream_port),
                faults: watch::Sender::default(),
                accepted: AtomicUsize::default(),
                caught: watch::Sender::default(),
            }),
            listener: Mutex::new(None),
        };
        proxy.listen().await;
        proxy
    }

    /// The port to connect to, on this machine; always the same.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Connections taken so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Lets new connections lead to the server on this port; the present ones stay where they are.
    pub fn lead_to(&self, upstream_port: u16) {
        self.shared.upstream_port.store(upstream_port, Ordering::SeqCst);
    }

    /// Sets what happens to the bytes of one direction.
    pub fn set_flow(&self, toward: Toward, flow: Flow) {
        self.change(|faults| *faults.flow_mut(toward) = flow);
    }

    /// Holds back every piece of data, in both directions, for this long. Connecting takes no longer.
    pub fn set_delay(&self, delay: Duration) {
        self.change(|faults| faults.delay = delay);
    }

    /// Both directions of the present connections, and of those that come, lead nowhere; nobody is told.
    pub fn blackhole(&self) {
        self.set_flow(Toward::Server, Flow::Swallow);
        self.set_flow(Toward::Client, Flow::Swallow);
    }

    /// Both directions of the present connections lead nowhere, and nobody is told; new ones work.
    pub fn silence_present(&self) {
        self.change(|faults| faults.silenced += 1);
    }

    /// The server works on, but its replies are lost.
    pub fn drop_replies(&self) {
        self.set_flow(Toward::Client, Flow::Swallow);
    }

    /// Catches every connection on which these bytes are sent to the server, and holds it there. One trap at a time.
    /// A caught connection ends with [`FaultProxy::cut`] or goes on with [`FaultProxy::release`].
    pub fn trap(&self, bytes: &[u8], hold: Hold) {
        let trap = Trap {
            bytes: bytes.into(),
            hold,
        };
        self.change(|faults| faults.trap = Some(trap));
    }

    /// Connections caught so far.
    pub fn caught(&self) -> usize {
        *self.shared.caught.borrow()
    }

    /// Waits until so many connections were caught, counted since the start of the proxy.
    pub async fn until_caught(&self, connections: usize) {
        let mut caught = self.shared.caught.subscribe();
        // The sender lives as long as this proxy.
        let _ = caught.wait_for(|caught| *caught >= connections).await;
    }

    /// Takes the trap away and lets caught connections go on as if nothing had been.
    pub fn release(&self) {
        self.change(|faults| {
            faults.trap = None;
            faults.releases += 1;
        });
    }

    /// Takes the trap away, but holds on to the connections it caught.
    pub fn disarm(&self) {
        self.change(|faults| faults.trap = None);
    }

    /// Resets the present connections; new ones work.
    pub fn cut(&self) {
        self.change(|faults| faults.generation += 1);
    }

    /// Resets the connections of these processes, the present ones and those that come.
    pub fn shut_out(&self, processes: &[u32]) {
        self.change(|faults| faults.shut_out = processes.into());
    }

    /// Ends the replies of the present connections in good order; requests still pass.
    pub fn half_close(&self) {
        self.change(|faults| faults.half_closed += 1);
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
        self.change(|faults| {
            *faults = Faults {
                releases: faults.releases + 1,
                generation: faults.generation,
                half_closed: faults.half_closed,
                silenced: faults.silenced,
                ..Faults::default()
            };
        });
        self.listen().await;
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.faults.send_modify(change);
    }

    /// Takes connections, if it does not already.
    async fn listen(&self) {
        if self.listener.lock().is_some() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port())).await;
        let listener = listener.expect("the port is this proxy's own");
        let shared = self.shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection::serve(client, shared.clone()));
            }
        });
        *self.listener.lock() = Some(task);
    }
}

impl Shared {
    fn upstream(&self) -> SocketAddr {
        let port = self.upstream_port.load(Ordering::SeqCst);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
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
