//! A webhook receiver that keeps the raw posts and answers as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::{Notify, OwnedRwLockWriteGuard, RwLock};

/// The longest that a test waits for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) signature: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) answered: u16,
}

impl Post {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    posts: Mutex<Vec<Post>>,
    /// Answers of the next posts; 200 when used up.
    answers: Mutex<VecDeque<u16>>,
    arrived: Notify,
    /// Taken for reading by each post between its arrival and its answer.
    gate: Arc<RwLock<()>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    inbox: Arc<Inbox>,
    pub(crate) url: String,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let inbox = Arc::new(Inbox::default());
        let app = Router::new()
            .route("/webhook", post(take))
            .with_state(Arc::clone(&inbox));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { inbox, url }
    }

    pub(crate) fn answer_next(&self, answers: &[u16]) {
        self.inbox.answers.lock().unwrap().extend(answers);
    }

    /// Answers nothing until the guard is dropped.
    pub(crate) async fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.inbox.gate).write_owned().await
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.inbox.posts.lock().unwrap().clone()
    }

    /// Waits until at least `count` posts are there.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Post> {
        let wait = async {
            loop {
                let arrived = self.inbox.arrived.notified();
                let posts = self.posts();
                if posts.len() >= count {
                    return posts;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("posts arrive")
    }

    /// The statuses of all posts answered with 200, in the order of arrival.
    pub(crate) fn statuses(&self) -> Vec<Value> {
        self.taken("statuses")
    }

    /// The inbound messages of all posts answered with 200, in the order of arrival.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.taken("messages")
    }

    fn taken(&self, what: &str) -> Vec<Value> {
        let posts = self.posts();
        let bodies = posts.iter().filter(|post| post.answered == 200).map(Post::json);
        bodies.flat_map(|body| items(&body, what)).collect()
    }
}

/// All elements of `value.<what>` in a post.
pub(crate) fn items(body: &Value, what: &str) -> Vec<Value> {
    let entries = body["entry"].as_array().unwrap().iter();
    entries
        .flat_map(|entry| entry["changes"].as_array().unwrap())
        .filter_map(|change| change["value"].get(what))
        .flat_map(|items| items.as_array().unwrap().clone())
        .collect()
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let answered = inbox.answers.lock().unwrap().pop_front().unwrap_or(200);
    let signature = headers
        .get("x-hub-signature-256")
        .map(|value| value.to_str().unwrap().to_owned());
    inbox.posts.lock().unwrap().push(Post {
        signature,
        body,
        answered,
    });
    inbox.arrived.notify_waiters();
    let _open = inbox.gate.read().await;
    StatusCode::from_u16(answered).unwrap()
}

/// Waits until something that must come true is true.
pub(crate) async fn until(mut is_true: impl FnMut() -> bool) {
    let wait = async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it comes true");
}
