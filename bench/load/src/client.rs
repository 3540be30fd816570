//! One HTTP/1.1 connection that is kept, as a client library would keep it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const X_HUB_SIGNATURE_256: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// A contender that does not answer at all must not hold up the run for ever.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// What proves who is asking.
#[derive(Clone, Copy)]
pub(crate) enum Proof<'a> {
    /// Nothing.
    None,
    /// `Authorization: Bearer …`, the whole value.
    Bearer(&'a HeaderValue),
    /// `X-Hub-Signature-256`, the whole value.
    Signature(&'a HeaderValue),
}

/// A connection; opened when first used, and again after a failure or when the server closed it.
pub(crate) struct Connection {
    authority: String,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To `base`, such as `http://127.0.0.1:3000`.
    pub(crate) fn to(base: &str) -> anyhow::Result<Self> {
        let authority = base
            .strip_prefix("http://")
            .context("the base URL must start with http://")?;
        let authority = authority.trim_end_matches('/').to_owned();
        Ok(Self {
            host: HeaderValue::from_str(&authority)?,
            authority,
            sender: None,
        })
    }

    pub(crate) async fn get(&mut self, path: &str, proof: Proof<'_>) -> anyhow::Result<Answer> {
        self.exchange(Method::GET, path, proof, Bytes::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, proof: Proof<'_>, body: Bytes) -> anyhow::Result<Answer> {
        self.exchange(Method::POST, path, proof, body).await
    }

    async fn exchange(&mut self, method: Method, path: &str, proof: Proof<'_>, body: Bytes) -> anyhow::Result<Answer> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse()?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match proof {
            Proof::None => None,
            Proof::Bearer(value) => headers.insert(AUTHORIZATION, value.clone()),
            Proof::Signature(value) => headers.insert(X_HUB_SIGNATURE_256, value.clone()),
        };
        let answer = tokio::time::timeout(ANSWER_MAX, self.send(request)).await;
        let answer = answer.unwrap_or_else(|_| bail!("no answer in {} s", ANSWER_MAX.as_secs()));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        // A server closes what was idle for long, and no client would take that for a failed request.
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        let sender = match &mut self.sender {
            Some(sender) => sender,
            None => self.sender.insert(open(&self.authority).await?),
        };
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            body,
        })
    }
}

async fn open(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its end shows at the next request.
    tokio::spawn(connection);
    Ok(sender)
}
