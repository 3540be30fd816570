//! One connection, from its first byte to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, HOST, STRICT_TRANSPORT_SECURITY};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Version};
use axum::response::Response;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::Metrics;
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Doing, WatchedStream};
use super::addresses::Peer;
use super::heads::BodyLength;
use crate::http::config::HttpConfig;
use crate::http::connected::Connected;
use crate::http::problem;
use crate::http::tls::Tls;

/// The limits on a connection's activity, counted in looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// Time between two looks.
    look_every: Duration,
    /// Looks that may find no activity.
    idle_looks_max: u32,
}

/// Looks that may find the same head of a request still arriving.
const HEAD_LOOKS_MAX: u32 = 2;
/// The time after the start of a shutdown in which a new connection may still begin its request: its client knew
/// nothing of the shutdown.
const LAST_REQUEST_PATIENCE: Duration = Duration::from_millis(250);
const LAST_REQUEST_LOOK: Duration = Duration::from_millis(5);

impl Deadlines {
    pub(super) fn of(config: &HttpConfig) -> Self {
        let look_every = (config.header_read_timeout / HEAD_LOOKS_MAX).max(Duration::from_millis(1));
        let idle_looks_max = config.idle_timeout.as_millis().div_ceil(look_every.as_millis());
        Self {
            look_every,
            idle_looks_max: u32::try_from(idle_looks_max).unwrap_or(u32::MAX),
        }
    }
}

pub(super) struct Connection {
    pub(super) router: Router,
    pub(super) builder: Arc<Builder<TokioExecutor>>,
    pub(super) deadlines: Deadlines,
    /// Cancelled at a shutdown: the request under way is the last.
    pub(super) shutdown: CancellationToken,
    /// Cancelled to end the connection, whatever is under way.
    pub(super) cut: CancellationToken,
    /// Whose connection it is.
    pub(super) client: Peer,
    pub(super) slot: OwnedSemaphorePermit,
    /// The TLS that comes before everything else, if it does.
    pub(super) tls: Option<Tls>,
    /// Tells browsers to ask by https only, if they are to.
    pub(super) hsts: Option<HeaderValue>,
    pub(super) metrics: Arc<Metrics>,
}

impl Connection {
    pub(super) async fn serve(self, stream: TcpStream) {
        // A failure only makes small answers slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        // It begins here, so that a handshake and what follows it have one time to the first byte together.
        let mut watch = std::pin::pin!(watch(&activity, self.deadlines));
        let Some(tls) = &self.tls else {
            return self.serve_over(stream, &activity, watch).await;
        };
        let handshake = tls.acceptor().accept(stream);
        let shaken = tokio::select! {
            biased;
            shaken = handshake => shaken,
            () = watch.as_mut() => return,
            () = closing(&self.shutdown, &activity) => return,
            () = self.cut.cancelled() => return,
        };
        match shaken {
            Ok(stream) => self.serve_over(stream, &activity, watch).await,
            Err(error) => {
                self.metrics.tls_handshakes_failed.inc();
                tracing::debug!(%error, "no TLS was agreed on");
            }
        }
    }

    /// Serves requests until the end, or until `watch` ends.
    async fn serve_over<S>(self, stream: S, activity: &Arc<Activity>, mut watch: Pin<&mut impl Future<Output = ()>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let watched = TokioIo::new(WatchedStream::over(stream, Arc::clone(activity)));
        let router = TowerToHyperService::new(self.router);
        let begun = Arc::clone(activity);
        let (client, hsts) = (self.client, self.hsts);
        let of_answer = Arc::clone(activity);
        let connected = Connected::new(self.shutdown.clone(), move || of_answer.resume());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let is_http2 = request.version() == Version::HTTP_2;
            let body = body_length(&request);
            let in_flight = begun.begin(is_http2, body);
            request.extensions_mut().insert(connected.clone());
            let broken = refuse(&request, &begun);
            let is_last = !is_http2 && (broken.is_some() || body == BodyLength::Unknown);
            let admitted = broken.map_or_else(|| client.admit(&mut request), Err);
            let answer = admitted.map(|place| (router.call(request), place));
            let hsts = hsts.clone();
            async move {
                let mut answer = match answer {
                    Ok((answer, place)) => {
                        let answer = answer.await;
                        drop(place);
                        answer
                    }
                    Err(refused) => Ok(*refused),
                };
                if let Ok(answer) = &mut answer {
                    finish(answer, is_last, hsts);
                }
                drop(in_flight);
                answer
            }
        });
        let mut serving = std::pin::pin!(self.builder.serve_connection(watched, service));
        let mut closing = std::pin::pin!(closing(&self.shutdown, activity));
        let mut is_closing = false;
        loop {
            tokio::select! {
                biased;
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "connection ended");
                    }
                    break;
                }
                () = closing.as_mut(), if !is_closing => {
                    is_closing = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = watch.as_mut() => break,
                () = self.cut.cancelled() => break,
            }
        }
        drop(self.slot);
    }
}

/// Adds what every answer of the connection tells.
fn finish(answer: &mut Response, is_last: bool, hsts: Option<HeaderValue>) {
    let headers = answer.headers_mut();
    if is_last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(hsts) = hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
}

/// Returns the length of the request's body.
fn body_length(request: &Request<Incoming>) -> BodyLength {
    let known = request.body().size_hint().exact();
    known.map_or(BodyLength::Unknown, BodyLength::Known)
}

/// Returns the answer to a request that somebody between the client and us may understand in another way.
fn refuse(request: &Request<Incoming>, activity: &Activity) -> Option<Box<Response>> {
    let hosts: Vec<&HeaderValue> = request.headers().get_all(HOST).iter().collect();
    let detail = if activity.has_bare_lf() {
        "A line of the request's head ends in LF alone; lines end in CR LF."
    } else if hosts.len() > 1 {
        "The request has more than one Host header."
    } else if hosts.is_empty() && request.version() == Version::HTTP_11 {
        "The request has no Host header, which HTTP/1.1 requires."
    } else if !hosts.iter().all(|host| is_host(host)) {
        "The Host header is not a host with or without a port."
    } else {
        return None;
    };
    let problem = Problem::new(ErrorCode::BadRequest, detail);
    let answer = problem::answer(&problem, "-", request.version(), HeaderMap::new());
    Some(Box::new(answer))
}

/// True for a host with or without a port, and for an empty value, which stands for no host at all.
fn is_host(value: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(value.as_bytes()) else {
        return value.is_empty();
    };
    // Without a user before it, and with nothing but a port behind it.
    let behind = authority.as_str().strip_prefix(authority.host());
    let port = behind.map(|behind| behind.strip_prefix(':').unwrap_or(behind));
    let is_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    is_port && !authority.host().is_empty()
}

/// Ends when the request under way must be the last.
async fn closing(shutdown: &CancellationToken, activity: &Activity) {
    shutdown.cancelled().await;
    let mut patience = LAST_REQUEST_PATIENCE;
    while matches!(activity.now(), Doing::Nothing(0, _)) && !patience.is_zero() {
        tokio::time::sleep(LAST_REQUEST_LOOK).await;
        patience = patience.saturating_sub(LAST_REQUEST_LOOK);
    }
}

/// Ends when the connection did nothing for too long, read nothing of an answer, or took too long to send the head of a
/// request.
async fn watch(activity: &Activity, deadlines: Deadlines) {
    let mut last = activity.now();
    let mut looks = 0;
    loop {
        tokio::time::sleep(deadlines.look_every).await;
        let now = activity.now();
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
        let looks_max = match now {
            Doing::Answering => continue,
            // A client connects because it has something to ask.
            Doing::Head(_) | Doing::Nothing(0, _) => HEAD_LOOKS_MAX,
            Doing::Nothing(..) => deadlines.idle_looks_max,
        };
        if looks >= looks_max {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let is = |text| is_host(&HeaderValue::from_static(text));
        for host in [
            "",
            "x",
            "api.example.org",
            "api.example.org:8080",
            "127.0.0.1:80",
            "[::1]:8080",
            "a_b-c~d",
        ] {
            assert!(is(host), "{host}");
        }
        for other in [
            "a b", "u@x", "u:p@x", "x/y", "x?y", "x#y", "x:y", ":80", "[::1", "\"x\"", "a\tb", "x:1:2",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}
