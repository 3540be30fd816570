//! Clocks are set forward and back under the real program and under its MongoDB server, with Debian's `faketime`.
//!
//! The embedded store goes by the clock of the program's machine, the distributed one by that of the MongoDB server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, Match, StatusPlan};
use dakghar_testkit::Port;
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, text};

/// Runs tests with the clock of each part that has one.
macro_rules! under_each_clock {
    ($($name:ident: $($whose:ident)*;)*) => {
        $(mod $name {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $whose() { super::$name(super::Whose::$whose).await; })*
        })*
    };
}

under_each_clock!(
    a_clock_that_is_set_back_stops_nothing: embedded worker server;
    a_clock_that_is_ahead_for_a_moment_moves_nothing: embedded worker server;
    what_was_accepted_while_the_clock_was_ahead_goes_out_after_a_kill: embedded server;
    a_message_for_later_follows_the_wall: embedded server;
    what_is_older_than_it_is_kept_is_erased_and_what_waits_is_not: embedded server;
    a_clock_that_is_ahead_at_the_start_erases_nothing: embedded server;
);

/// Whose clock is set.
#[expect(non_camel_case_types, reason = "they are the names of tests too")]
#[derive(Clone, Copy)]
enum Whose {
    /// The program's, on the embedded store.
    embedded,
    /// The program's, on the distributed store.
    worker,
    /// The MongoDB server's.
    server,
}

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;
const STEPS_S: [i64; 3] = [MINUTE_S, HOUR_S, DAY_S];
/// The time that anything of a test may take, also where MongoDB must be started anew on a busy machine.
const SOON_MS: i64 = 240_000;
/// A time that is off by so much follows a clock that is wrong.
const OFF_MS: i64 = 40_000;
/// For so long MongoDB may stand still, or the program may need to go on after it was started anew.
const STANDS_STILL_MS: i64 = 30_000;
/// A step is seen in this time: the server is asked for its time each second.
const SEEN_MS: i64 = 1_500;
/// The wait that Meta asks for in these tests, in seconds.
const WAIT_S: u64 = 3;

/// Where Debian puts the library.
fn library() -> Option<PathBuf> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let paths = folders.map(|folder| format!("/usr/lib/{folder}/faketime/libfaketimeMT.so.1"));
    let found = paths.iter().map(PathBuf::from).find(|path| path.is_file());
    if found.is_none() {
        skip_without("faketime");
    }
    found
}

/// A clock that can be set.
struct Clock(PathBuf);

impl Clock {
    /// Shows a time that is wrong by so much, from now on. Renamed into place, so that half a file is never read.
    fn set(&self, wrong_by_s: i64) {
        let next = self.0.with_extension("next");
        std::fs::write(&next, format!("{wrong_by_s:+}\n")).expect("a file");
        std::fs::rename(next, &self.0).expect("a file");
    }

    /// The variables under which a program has this clock.
    fn environment(&self, library: &Path) -> [(&'static str, String); 6] {
        [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Only the wall clock can be set.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}

/// An installation with a clock that can be set.
async fn start(whose: Whose, folder: &Path) -> Option<(Product, Clock)> {
    start_wrong_by(whose, folder, 0).await
}

/// An installation whose clock is wrong by so much from the start.
async fn start_wrong_by(whose: Whose, folder: &Path, wrong_by_s: i64) -> Option<(Product, Clock)> {
    let library = library()?;
    let clock = Clock(folder.join("clock"));
    clock.set(wrong_by_s);
    let environment = clock.environment(&library);
    let setup = match whose {
        Whose::embedded => Setup::on(Backend::Embedded),
        Whose::worker => Setup::on(Backend::Distributed),
        Whose::server => Setup::on(Backend::Fragile),
    };
    let mut setup = setup
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 3_000)
        // A call that is slow must not be settled by a status meanwhile.
        .statuses(StatusPlan::none());
    if matches!(whose, Whose::server) {
        setup.server_environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    } else {
        setup.environment.extend(environment);
    }
    Some((setup.start().await, clock))
}

fn true_now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// When the message was accepted, as the program thinks, in milliseconds.
fn accepted_ms(message: &Value) -> i64 {
    let at: jiff::Timestamp = text(&message["createdAt"]).parse().expect("a time");
    at.as_millisecond()
}

/// Waits until Meta has taken the message; answers it.
async fn until_sent(product: &Product, tenant: &Tenant, id: &str) -> Value {
    product.until_status(tenant, id, "sent").await
}

/// A message that goes out now. Answers when it was accepted, as the program thinks.
async fn goes_out(product: &mut Product, tenant: &Tenant) -> i64 {
    let begun = true_now_ms();
    let of_tenant = format!("/tenants/{}", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "idempotency_key": begun.to_string()});
    let mut accepted = Value::Null;
    let mut moved_at = begun;
    while true_now_ms() - begun < SOON_MS {
        // A client asks again while MongoDB stands still.
        let (status, answer) = if accepted.is_null() {
            product
                .call("POST", &format!("{of_tenant}/send"), Some(body.clone()))
                .await
        } else {
            product
                .call(
                    "GET",
                    &format!("{of_tenant}/messages/{}", text(&accepted["messageId"])),
                    None,
                )
                .await
        };
        match status {
            200 | 202 if accepted.is_null() => accepted = answer,
            200 if answer["status"] == "sent" => return accepted_ms(&answer),
            200 => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            _ => assert_eq!(status, 503, "{answer:#}"),
        }
        if true_now_ms() - moved_at > STANDS_STILL_MS
            && let Some((mongo, _)) = product.own_servers()
        {
            // Some of its threads wait by the clock that was set, and so for an hour or a day.
            mongo.restart().await;
            moved_at = true_now_ms();
        }
    }
    panic!("it took {} ms: {accepted:#}\n{}", true_now_ms() - begun, product.log());
}

/// Sends one message after the other until a step of a clock must have been seen. Answers when each was accepted.
async fn go_out_until_seen(product: &mut Product, tenant: &Tenant) -> Vec<i64> {
    let until = true_now_ms() + SEEN_MS;
    let mut accepted = Vec::new();
    while true_now_ms() < until {
        accepted.push(goes_out(product, tenant).await);
    }
    accepted
}

async fn a_clock_that_is_set_back_stops_nothing(whose: Whose) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut product, clock)) = start(whose, folder.path()).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    let mut last = goes_out(&mut product, &tenant).await;
    for step in STEPS_S {
        clock.set(-step);
        for accepted in go_out_until_seen(&mut product, &tenant).await {
            assert!(accepted >= last, "time ran back by {} ms", last - accepted);
            last = accepted;
        }
    }
}

async fn a_clock_that_is_ahead_for_a_moment_moves_nothing(whose: Whose) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut product, clock)) = start(whose, folder.path()).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    for step in STEPS_S {
        for set_to in [step, 0] {
            clock.set(set_to);
            for accepted in go_out_until_seen(&mut product, &tenant).await {
                let off = accepted - true_now_ms();
                assert!(
                    (-SOON_MS..OFF_MS).contains(&off),
                    "{step}, {set_to}: accepted {off} ms off"
                );
            }
        }
    }
    product.restart().await;
    let off = goes_out(&mut product, &tenant).await - true_now_ms();
    assert!(
        (-SOON_MS..OFF_MS).contains(&off),
        "accepted {off} ms off after a restart"
    );
}

async fn what_was_accepted_while_the_clock_was_ahead_goes_out_after_a_kill(whose: Whose) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut product, clock)) = start(whose, folder.path()).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    for step in STEPS_S {
        product.kill();
        clock.set(step);
        product.spawn("serve");
        product.ready().await;
        let [sending, waiting, later] = under_way(&product, &tenant, step).await;
        let scheduled_at = product.message(&tenant, &later).await["scheduledAt"].clone();
        product.kill();
        product.sim.clear_rules();
        clock.set(0);
        product.spawn("serve");
        product.ready().await;

        let off = goes_out(&mut product, &tenant).await - true_now_ms();
        assert!((-SOON_MS..OFF_MS).contains(&off), "{step}: accepted {off} ms off");
        until_sent(&product, &tenant, &waiting).await;
        product.until_status(&tenant, &sending, "dead").await;
        let later = product.message(&tenant, &later).await;
        assert_eq!(
            (&later["status"], &later["scheduledAt"]),
            (&json!("queued"), &scheduled_at),
            "{step}"
        );
    }
}

/// A message whose call is under way, one that waits as Meta asked it to, and one for later.
async fn under_way(product: &Product, tenant: &Tenant, ahead_s: i64) -> [String; 3] {
    let path = format!("/tenants/{}/send", tenant.id);
    let rule = |person: &str, fault| {
        let to = Match {
            to: Some(person.to_owned()),
            ..Match::default()
        };
        product.sim.add_rule(FaultRule::always(fault).when(to));
    };
    rule("919111111112", Fault::Slow { ms: 60_000 });
    let wait = Fault::GraphError {
        code: 131_016,
        subcode: None,
        http: Some(503),
        is_transient: Some(true),
        details: None,
        retry_after_seconds: Some(WAIT_S),
    };
    rule("919111111113", wait);
    let ahead = jiff::SignedDuration::from_secs(ahead_s + DAY_S);
    let date = (jiff::Timestamp::now() + ahead).to_string();
    let later = json!({"to": "+919111111111", "text": "later", "sendAt": date});
    let later = text(&product.post(&path, later).await["messageId"]);
    let waiting = product.send(tenant, "+919111111113").await;
    let waits = async || {
        let message = product.message(tenant, &waiting).await;
        message["attempts"] == 1 && message["status"] == "queued"
    };
    assert!(eventually(waits).await, "{}", product.message(tenant, &waiting).await);
    [until_sending(product, tenant).await, waiting, later]
}

/// A message whose call is under way. On a busy machine, one may have ended before that was seen.
async fn until_sending(product: &Product, tenant: &Tenant) -> String {
    loop {
        let path = format!("/tenants/{}/send", tenant.id);
        let body = json!({"to": "+919111111112", "text": "hello", "unknownOutcome": "fail"});
        let id = text(&product.post(&path, body).await["messageId"]);
        let is_taken = async || product.message(tenant, &id).await["status"] != "queued";
        assert!(eventually(is_taken).await, "{id} is not taken");
        if product.message(tenant, &id).await["status"] == "sending" {
            return id;
        }
    }
}

async fn a_message_for_later_follows_the_wall(whose: Whose) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut product, clock)) = start(whose, folder.path()).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    let path = format!("/tenants/{}/send", tenant.id);
    clock.set(-HOUR_S);
    go_out_until_seen(&mut product, &tenant).await;
    // The time that never runs back has come to it soon, and others go out; the wall has not.
    let send_at = jiff::Timestamp::now() + Duration::from_secs(1);
    let later = json!({"to": "+919111111111", "text": "later", "sendAt": send_at.to_string()});
    let later = text(&product.post(&path, later).await["messageId"]);
    let past = send_at.as_millisecond() + 2_000;
    while true_now_ms() < past {
        goes_out(&mut product, &tenant).await;
    }
    assert_eq!(product.message(&tenant, &later).await["status"], "queued");
    clock.set(0);
    until_sent(&product, &tenant, &later).await;
}

/// Whether there are a message, and conversations.
async fn has(product: &Product, tenant: &Tenant, id: &str) -> (bool, bool) {
    let message = product.try_get(&format!("/tenants/{}/messages/{id}", tenant.id)).await;
    let conversations = product.get(&format!("/tenants/{}/conversations", tenant.id)).await;
    let has_conversation = !conversations["data"].as_array().expect("a page").is_empty();
    (message == Some(200), has_conversation)
}

/// Before this, a clock shows the time of a machine that had none at its start; nothing else is believed to be so old at
/// once.
const LONG_AGO: &str = "2025-06-01T00:00:00Z";

async fn what_is_older_than_it_is_kept_is_erased_and_what_waits_is_not(whose: Whose) {
    let folder = tempfile::tempdir().expect("a folder");
    let long_ago: jiff::Timestamp = LONG_AGO.parse().expect("a time");
    let wrong_by_s = long_ago.as_second() - jiff::Timestamp::now().as_second();
    let Some((mut product, clock)) = start_wrong_by(whose, folder.path(), wrong_by_s).await else {
        return;
    };
    let tenant = product.tenant("111111111111111", "token").await;
    let neighbour = product.tenant("222222222222222", "token").await;
    let mut old = Vec::new();
    for tenant in [&tenant, &neighbour] {
        let id = product.send(tenant, "+919111111111").await;
        until_sent(&product, tenant, &id).await;
        old.push(id);
    }
    product.post(&format!("/tenants/{}/pause", tenant.id), json!({})).await;
    let waits = product.send(&tenant, "+919222222222").await;
    let limits = json!({"limits": {"retentionDays": 30}});
    let (status, _) = product
        .call("PATCH", &format!("/tenants/{}", tenant.id), Some(limits))
        .await;
    assert_eq!(status, 200);
    assert_eq!(has(&product, &tenant, &old[0]).await, (true, true));

    product.kill();
    clock.set(0);
    product.restart().await;
    let is_erased = async || has(&product, &tenant, &old[0]).await == (false, false);
    assert!(eventually(is_erased).await, "it is not erased");
    assert!(has(&product, &tenant, &waits).await.0, "what waits is not old");
    assert_eq!(
        has(&product, &neighbour, &old[1]).await,
        (true, true),
        "its neighbour keeps all"
    );
    product.post(&format!("/tenants/{}/resume", tenant.id), json!({})).await;
    until_sent(&product, &tenant, &waits).await;
}

/// The portions that the program has looked at since its start, for records that are old.
async fn portions_looked_at(product: &Product, port: &Port) -> u64 {
    let asked = product
        .http
        .get(format!("http://127.0.0.1:{port}/metrics"))
        .send()
        .await;
    let Ok(answer) = asked else { return 0 };
    let text = answer.text().await.expect("metrics");
    let series = "dakghar_store_call_seconds_count{method=\"erasure_erase_aged\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(series));
    count.map_or(0, |count| count.parse().expect("a count"))
}

async fn a_clock_that_is_ahead_at_the_start_erases_nothing(whose: Whose) {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((mut product, clock)) = start(whose, folder.path()).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    let limits = json!({"limits": {"retentionDays": 30}});
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(product.call("PATCH", &path, Some(limits)).await.0, 200);
    let send = async |product: &Product| {
        let body = json!({"to": "+919111111111", "text": "once", "idempotency_key": "key-1"});
        let answer = product.post(&format!("/tenants/{}/send", tenant.id), body).await;
        text(&answer["messageId"])
    };
    let id = send(&product).await;
    until_sent(&product, &tenant, &id).await;

    let port = Port::claim();
    product.set("METRICS_ADDR", format!("127.0.0.1:{port}"));
    for wrong_by_s in [40 * DAY_S, 0] {
        product.kill();
        clock.set(wrong_by_s);
        product.restart().await;
        // Messages, conversations and events of the one tenant that has a limit.
        let is_through = async || portions_looked_at(&product, &port).await >= 3;
        assert!(eventually(is_through).await, "nobody looked for what is old");
        assert_eq!(has(&product, &tenant, &id).await, (true, true), "{wrong_by_s}");
    }
    assert_eq!(send(&product).await, id, "the key guards it");
    assert_eq!(
        product.sim.call_counts().values().sum::<u64>(),
        1,
        "Meta was called once"
    );
}

/// Every message of a burst has a slot of its own, and a job with a delay; their timers come a minute later.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_api_process_accepts_whose_clock_is_ahead_is_not_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(library) = library() else { return };
    for ahead_s in [65, HOUR_S] {
        let clock = Clock(folder.path().join("clock"));
        clock.set(ahead_s);
        let mut setup = Setup::on(Backend::Distributed).role("api").statuses(StatusPlan::none());
        setup.environment.extend(clock.environment(&library));
        let mut product = setup.start().await;
        let mut worker = product.command();
        worker
            .arg("worker")
            .env_remove("LD_PRELOAD")
            .env("PORT", Port::claim().to_string());
        product.spawn_command(worker);
        let tenant = product.tenant("111", "EAAG-real").await;
        let begun = true_now_ms();
        let sends = (0..30).map(|_| product.send(&tenant, "+919111111111"));
        let ids = futures_util::future::join_all(sends).await;
        for id in &ids {
            until_sent(&product, &tenant, id).await;
        }
        let took = true_now_ms() - begun;
        assert!(took < OFF_MS, "{ahead_s}: it took {took} ms");
    }
}
