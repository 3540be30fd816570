//! Live reading of feeds: nothing is missed and nothing comes twice, whatever dies.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dakghar_testkit::Port;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::Measured;
use crate::product::{ADMIN_KEY, Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_stream_misses_nothing_and_doubles_nothing_over_kills,
    a_long_poll_is_answered_by_what_comes_and_goes_on_behind_it,
    the_shell_shows_a_feed_as_it_grows_over_a_restart,
    live_readers_are_counted_and_have_the_bounds_of_the_settings,
);

const EVENT_STREAM: &str = "text/event-stream";
/// Longer than any test reads.
const PATIENCE: Duration = Duration::from_mins(5);

/// A message comes in.
async fn receive(product: &Product, number: usize) {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "time": 1_760_000_000, "changes": [
        {"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "1555", "phone_number_id": "111"},
            "messages": [{
                "from": "919111111111", "id": format!("wamid.{number}"), "timestamp": "1760000000", "type": "text",
                "text": {"body": "hello"},
            }],
        }},
    ]}]});
    let posted = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(posted.unwrap(), 200);
}

/// A client of a stream that connects again whenever it ends, with the last event that it has.
struct Reader {
    events: Arc<parking_lot::Mutex<Vec<(String, Value)>>>,
    connected: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Asks for what it accepts at this path behind the feed's.
    fn start(product: &Product, tenant: &Tenant, path: &'static str, accept: &'static str) -> Self {
        let http = product.http.clone();
        let port = product.port.number();
        let url = format!("http://127.0.0.1:{port}/tenants/{}/feed{path}", tenant.id);
        let events = Arc::<parking_lot::Mutex<Vec<(String, Value)>>>::default();
        let connected = Arc::<AtomicBool>::default();
        let (seen, is_connected) = (events.clone(), connected.clone());
        let task = tokio::spawn(async move {
            let mut last: Option<String> = None;
            loop {
                let mut asked = http
                    .get(&url)
                    .bearer_auth(ADMIN_KEY)
                    .header("accept", accept)
                    .timeout(PATIENCE);
                if let Some(last) = &last {
                    asked = asked.header("last-event-id", last);
                }
                if let Ok(mut answer) = asked.send().await
                    && answer.status() == 200
                {
                    let mut rest = String::new();
                    while let Ok(Some(bytes)) = answer.chunk().await {
                        rest.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
                        is_connected.store(true, Ordering::Relaxed);
                        while let Some((block, behind)) = rest.split_once("\n\n") {
                            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                            last = field("id: ").map(str::to_owned).or(last);
                            if let Some(data) = field("data: ") {
                                let data = serde_json::from_str(data).expect("JSON");
                                seen.lock().push((last.clone().expect("an id"), data));
                            }
                            rest = behind.to_owned();
                        }
                    }
                }
                is_connected.store(false, Ordering::Relaxed);
                sleep(Duration::from_millis(50)).await;
            }
        });
        Self {
            events,
            connected,
            task,
        }
    }

    fn places(&self) -> Vec<String> {
        self.events.lock().iter().map(|(id, _)| id.clone()).collect()
    }
}

fn up_to(count: usize) -> Vec<String> {
    (1..=count).map(|place| place.to_string()).collect()
}

async fn a_stream_misses_nothing_and_doubles_nothing_over_kills(backend: Backend) {
    let mut product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let reader = Reader::start(&product, &tenant, "", EVENT_STREAM);
    let by_path = Reader::start(&product, &tenant, "/stream", "*/*");
    let mut received = 0;
    for round in 0..4 {
        for reader in [&reader, &by_path] {
            assert!(
                eventually(async || reader.connected.load(Ordering::Relaxed)).await,
                "round {round}"
            );
        }
        for _ in 0..10 {
            receive(&product, received).await;
            received += 1;
        }
        // In the middle of what it is told.
        product.kill();
        product.restart().await;
    }
    receive(&product, received).await;
    received += 1;
    for reader in [&reader, &by_path] {
        let all = eventually(async || reader.places().len() >= received).await;
        assert!(all, "{:?}\n{}", reader.places(), product.log());
        assert_eq!(reader.places(), up_to(received), "each once, in order, without a gap");
    }
    let events = reader.events.lock().clone();
    for (number, (_, data)) in events.iter().enumerate() {
        assert_eq!(data["data"]["wamid"], format!("wamid.{number}"));
    }
    // A stop in good order ends the stream as well, within the time of a drain.
    let code = timeout(Duration::from_secs(60), product.terminate()).await;
    assert_eq!(code.expect("it stops"), Some(0), "{}", product.log());
    assert!(
        !product.log().contains("their connections are cut"),
        "{}",
        product.log()
    );
    reader.task.abort();
    by_path.task.abort();
}

async fn a_long_poll_is_answered_by_what_comes_and_goes_on_behind_it(backend: Backend) {
    let product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let mut cursor = "0".to_owned();
    for number in 0..5 {
        let path = format!(
            "/tenants/{}/feed?after={cursor}&wait=25&kinds=message.received",
            tenant.id
        );
        let (page, ()) = tokio::join!(product.get(&path), async {
            sleep(Duration::from_millis(200)).await;
            receive(&product, number).await;
        });
        let entries = page["data"].as_array().expect("entries");
        assert_eq!(entries.len(), 1, "{page:#}");
        assert_eq!(entries[0]["data"]["wamid"], format!("wamid.{number}"));
        cursor = text(&page["nextCursor"]);
    }
    let path = format!("/tenants/{}/feed?after={cursor}&wait=1&kinds=meta.*", tenant.id);
    assert_eq!(product.get(&path).await, json!({"data": [], "nextCursor": cursor}));
}

async fn live_readers_are_counted_and_have_the_bounds_of_the_settings(backend: Backend) {
    let setup = Setup::on(backend)
        .env("FEED_READERS_PER_TENANT_MAX", 1)
        .env("FEED_READERS_MAX", 2);
    let measured = Measured::start(setup).await;
    let product = &measured.product;
    let mut tenants = Vec::new();
    for number in ["111", "222", "333"] {
        tenants.push(product.tenant(number, "EAAG-real").await);
    }
    let readers = [&tenants[0], &tenants[1]].map(|tenant| Reader::start(product, tenant, "", EVENT_STREAM));
    measured.until("dakghar_feed_readers{way=\"stream\"}", 2).await;
    for (tenant, expected) in [
        (&tenants[0], (429, "too_many_readers")),
        (&tenants[2], (503, "overloaded")),
    ] {
        let (status, problem) = product
            .call("GET", &format!("/tenants/{}/feed?wait=5", tenant.id), None)
            .await;
        assert_eq!((status, &*text(&problem["code"])), expected);
    }
    measured.until("dakghar_refused_total{limit=\"feed_readers\"}", 2).await;
    for reader in readers {
        reader.task.abort();
    }
    measured.until("dakghar_feed_readers{way=\"stream\"}", 0).await;
}

/// `dakghar feed tail` under way.
struct Shell {
    process: Child,
    lines: tokio::sync::mpsc::Receiver<String>,
}

impl Shell {
    fn start(product: &Product, arguments: &[&str]) -> Self {
        let mut command = product.command();
        command.args(["feed", "tail"]).args(arguments);
        Self::run(command)
    }

    /// On a terminal of its own, which `script` makes.
    fn on_terminal(product: &Product, arguments: &[&str], more: &[(&str, &str)]) -> Self {
        let alone = product.command();
        let line = format!(
            "exec '{}' feed tail {}",
            env!("CARGO_BIN_EXE_dakghar"),
            arguments.join(" ")
        );
        let mut command = Command::new("/usr/bin/script");
        command.args(["-qefc", &line, "/dev/null"]).env_clear();
        for (name, value) in alone.get_envs() {
            command.env(name, value.expect("only variables that are set"));
        }
        command
            .envs(more.iter().copied())
            .current_dir(alone.get_current_dir().expect("a folder"))
            .stdin(Stdio::null());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let (sender, lines) = tokio::sync::mpsc::channel(1_000);
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(()) = sender.blocking_send(line.expect("text")) else {
                    return;
                };
            }
        });
        Self { process, lines }
    }

    async fn next(&mut self) -> String {
        timeout(Duration::from_mins(1), self.lines.recv())
            .await
            .expect("in time")
            .expect("a line")
    }

    /// Ctrl-C, and the exit code.
    async fn interrupt(mut self) -> Option<i32> {
        let interrupted = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        assert!(interrupted.expect("kill").success());
        assert_eq!(self.lines.recv().await, None, "nothing comes after it");
        self.process.wait().expect("ended").code()
    }
}

async fn the_shell_shows_a_feed_as_it_grows_over_a_restart(backend: Backend) {
    let mut product = Setup::on(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    receive(&product, 0).await;
    let mut json = Shell::start(&product, &[&tenant.id, "--from-start", "--json"]);
    let wamid = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        text(&entry["data"]["wamid"])
    };
    assert_eq!(wamid(&json.next().await), "wamid.0");
    let mut plain = Shell::start(
        &product,
        &[&tenant.id, "--after", "1", "--kind", "message.*", "--number", "111"],
    );
    for number in 1..3 {
        receive(&product, number).await;
        assert_eq!(wamid(&json.next().await), format!("wamid.{number}"));
        let line = plain.next().await;
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            (fields[0], fields[2], fields[3]),
            (&*(number + 1).to_string(), "message.received", "111")
        );
        let is_whole = fields[1].parse::<jiff::Timestamp>().is_ok() && fields[4].starts_with("msg_");
        assert!(is_whole && fields[5].ends_with("919111111111"), "{line}");
        assert!(!line.contains('\x1b'), "no colour in a pipe: {line}");
        product.kill();
        product.restart().await;
    }
    // It says nothing by which one could tell that it has begun, so it has the time that the next two take.
    let mut none = Shell::start(&product, &[&tenant.id, "--from-start", "--kind", "status.*"]);
    for (forbids, is_coloured) in [(&[] as &[(&str, &str)], true), (&[("NO_COLOR", "1")], false)] {
        let mut terminal = Shell::on_terminal(&product, &[&tenant.id, "--from-start"], forbids);
        let mut line = terminal.next().await;
        // What is logged is on the terminal, too.
        while !line.contains("message.received") {
            line = terminal.next().await;
        }
        assert_eq!(line.contains("\x1b["), is_coloured, "{line:?}");
        terminal.process.kill().expect("it runs");
        terminal.process.wait().expect("it ends");
    }
    assert_eq!(json.interrupt().await, Some(0));
    assert_eq!(plain.interrupt().await, Some(0));
    assert!(
        timeout(Duration::from_secs(1), none.lines.recv()).await.is_err(),
        "nothing is of that kind"
    );
    assert_eq!(none.interrupt().await, Some(0));
    for wrong in [
        ["--after", "x"],
        ["--after", "99"],
        ["--kind", "statuses.*"],
        ["--number", "x"],
    ] {
        let (code, _, error) = product.run(&["feed", "tail", &tenant.id, wrong[0], wrong[1]]);
        assert_eq!(code, Some(1), "{wrong:?}: {error}");
    }
    let (code, _, error) = product.run(&["feed", "tail", "nobody"]);
    assert!(code == Some(1) && error.contains("is not a tenant id"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_ends_when_nobody_reads_it_any_more() {
    let product = Setup::on(Backend::Embedded).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let mut command = product.command();
    command.args(["feed", "tail", &tenant.id, "--from-start"]);
    let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(process.stdout.take());
    receive(&product, 0).await;
    let mut ended = None;
    let has_ended = eventually(async || {
        ended = process.try_wait().expect("its state");
        ended.is_some()
    });
    assert!(has_ended.await, "{}", product.log());
    assert_eq!(ended.and_then(|ended| ended.code()), Some(0));
}

/// One process takes webhooks, another is asked, and a third gives places.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_at_one_process_hears_what_others_have_placed_also_while_redis_restarts() {
    let mut product = Setup::on(Backend::Fragile).role("api").start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let reader = Reader::start(&product, &tenant, "", EVENT_STREAM);
    for _ in 0..2 {
        let port = Port::claim();
        product.spawn_on("worker", port.number());
        product.ready_on(port.number()).await;
    }
    for number in 0..5 {
        receive(&product, number).await;
        let is_told = eventually(async || reader.places().len() > number).await;
        assert!(is_told, "{:?}\n{}", reader.places(), product.log());
    }
    assert_eq!(reader.places(), up_to(5));
    product.servers().1.kill();
    receive(&product, 5).await;
    assert!(
        eventually(async || reader.places().len() >= 6).await,
        "without news the store is looked at"
    );
    product.servers().1.restart().await;
    for number in 6..12 {
        receive(&product, number).await;
    }
    assert!(
        eventually(async || reader.places().len() >= 12).await,
        "{:?}",
        reader.places()
    );
    assert_eq!(reader.places(), up_to(12));
    reader.task.abort();
}
