//! The activity of a connection: nothing, the head of a request, or an answer under way.
//!
//! Only flags and counts, no clock: the watch looks at intervals and compares.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::heads::{BodyLength, Heads};

/// The activity of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    in_flight: AtomicUsize,
    started: AtomicUsize,
    bytes_written: AtomicUsize,
    head_begun: AtomicBool,
    is_http2: AtomicBool,
    has_bare_lf: AtomicBool,
    /// The body of the request that was given out last, until the stream has learned of it.
    body: Mutex<Option<BodyLength>>,
}

/// The activity of a connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Requests are being answered.
    Answering,
    /// The head of a request is arriving, after this many requests.
    Head(usize),
    /// Nothing, or a client is reading answers. Holds the number of requests so far, and how much of the answers the
    /// client has read.
    Nothing(usize, Written),
}

/// The amount a client has read, in coarse steps: acknowledgements alone take long to make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written(usize);

const WRITTEN_STEP_BYTES: usize = 4 * 1024;

impl Activity {
    pub(super) fn now(&self) -> Doing {
        let started = self.started.load(Ordering::Relaxed);
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            Doing::Answering
        } else if self.head_begun.load(Ordering::Relaxed) {
            Doing::Head(started)
        } else {
            let written = self.bytes_written.load(Ordering::Relaxed);
            Doing::Nothing(started, Written(written / WRITTEN_STEP_BYTES))
        }
    }

    /// Notes that a request with such a body has arrived. It is under way until the returned value is dropped.
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool, body: BodyLength) -> InFlight {
        *self.body.lock() = Some(body);
        self.is_http2.store(is_http2, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.started.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Says that something goes on behind the head of an answer, until the returned value is dropped.
    pub(super) fn resume(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// True if a line of a head has ended in a bare LF.
    pub(super) fn has_bare_lf(&self) -> bool {
        self.has_bare_lf.load(Ordering::Relaxed)
    }

    fn bytes_sent(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = polled {
            self.bytes_written.fetch_add(*count, Ordering::Relaxed);
        }
    }

    fn bytes_arrived(&self) {
        // On HTTP/2, pings and window updates arrive between requests. There the idle time is limit enough.
        if self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_http2.load(Ordering::Relaxed) {
            self.head_begun.store(true, Ordering::Relaxed);
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes arrive and leave, and looks at the heads of requests.
#[derive(Debug)]
pub(super) struct WatchedStream<S> {
    inner: S,
    activity: Arc<Activity>,
    heads: Heads,
}

impl<S: AsyncRead + Unpin> WatchedStream<S> {
    pub(super) const fn over(inner: S, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            activity,
            heads: Heads::new(),
        }
    }

    /// Reads more from the client, or what was held back behind the last head.
    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut held = self.heads.take_held();
        if !held.is_empty() {
            let count = held.len().min(buf.remaining());
            let count = self.heads.pass(&held[..count]);
            buf.put_slice(&held[..count]);
            held.drain(..count);
            self.heads.hold(held);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        let count = self.heads.pass(fresh);
        if count < fresh.len() {
            self.heads.hold(fresh[count..].to_vec());
            buf.set_filled(before + count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(body) = this.activity.body.lock().take() {
            this.heads.request_begins(body);
        }
        if this.heads.waits() {
            // The head is in hyper's buffer. It reads on when it has given the request out.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = this.poll_more(cx, buf);
        this.activity
            .has_bare_lf
            .store(this.heads.has_bare_lf(), Ordering::Relaxed);
        if buf.filled().len() > before {
            this.activity.bytes_arrived();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.activity.bytes_sent(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.activity.bytes_sent(&polled);
        polled
    }
}
