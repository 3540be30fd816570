//! The store loses its answers to inserts. An SDK repeats after an error, so only what is not sent may be answered with one.

use std::sync::Arc;
use std::time::Duration;

use dakghar_server::worker::watch_withdrawals;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, World, hello, id_of, refused};
use crate::outages::{Fails, failing};

/// An insert and all its repetitions.
const INSERTS: usize = 4;

/// The statuses of the tenant's messages, in the order of their names.
async fn statuses(world: &World) -> Vec<String> {
    let path = format!("/tenants/{}/messages", world.tenant.id);
    let list = world.service.get(&path).await.json;
    let messages = list["data"].as_array().expect("a list");
    let mut statuses: Vec<String> = messages
        .iter()
        .map(|message| message["status"].as_str().expect("a status").to_owned())
        .collect();
    statuses.sort();
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_stays_without_an_answer_is_an_error_and_is_never_sent() {
    let fails = Arc::new(Fails::default());
    let world = World::with(Duration::from_millis(50), failing(&fails)).await;
    tokio::spawn(watch_withdrawals(world.service.app.accepting.withdrawing().clone()));

    *fails.inserts_unanswered.lock() = INSERTS - 1;
    let answer = world.send(&hello("+919111111111")).await;
    assert_eq!(
        answer.status.as_u16(),
        200,
        "confirmed by the last repetition: {}",
        answer.text
    );
    let first = answer.header("x-dakghar-message-id").expect("ours").to_owned();
    assert!(
        !id_of(&answer).is_empty(),
        "nobody sends yet, so it is an id of the gateway"
    );
    assert_eq!(statuses(&world).await, ["queued"]);

    *fails.inserts_unanswered.lock() = INSERTS;
    let answer = world.send(&hello("+919111111112")).await;
    assert_eq!(refused(&answer).0, 503);
    assert_eq!(answer.header("x-dakghar-code"), Some("store_unavailable"));
    let taken_back = async {
        while statuses(&world).await != ["cancelled", "queued"] {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, taken_back).await.expect("it is taken back");

    // The client repeats what failed.
    let again = world.send(&hello("+919111111112")).await;
    assert_eq!(again.status.as_u16(), 200, "{}", again.text);
    let again = again.header("x-dakghar-message-id").expect("ours").to_owned();
    world.work();
    world.until_status(&first, "sent").await;
    world.until_status(&again, "sent").await;
    assert_eq!(world.graph.seen.lock().len(), 2, "each once");
}
