//! What others learn from a running program: from its log, its memory, and the rights that it needs.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use dakghar_testkit::Port;
use serde_json::{Value, json};

use crate::product::{ADMIN_KEY, Backend, Product, Setup, Tenant, eventually, on_both_backends};

on_both_backends!(
    what_strangers_write_makes_no_line_of_the_log,
    a_wrong_master_key_ends_the_start,
);

const PASSWORD: &str = "server-password-canary-31d7";

/// The lines that do not begin as one of the program does.
fn other_lines(log: &str, begin: &str) -> Vec<String> {
    let others = log.lines().filter(|line| !line.starts_with(begin));
    others.map(str::to_owned).collect()
}

/// What breaks out of a line, where it is not escaped: ends of lines, colours, and a line of its own.
const FORGED: &str = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n\u{1b}[31mred\u{85}\u{2028}";

/// Everything that a stranger, a client or Meta may write and a log may repeat.
async fn write_everywhere(product: &Product, tenant: &Tenant) {
    let event = json!({"object": "whatsapp_business_account", "entry": [{"id": FORGED, "changes": [
        {"field": FORGED, "value": {"event": FORGED, "metadata": {"phone_number_id": FORGED}}},
        {"field": "messages", "value": {"metadata": {"phone_number_id": "111", "display_phone_number": FORGED},
            "messages": [{"from": FORGED, "id": FORGED, "timestamp": FORGED, "type": FORGED}],
            "statuses": [{"id": FORGED, "status": FORGED, "errors": [{"code": 131_042, "title": FORGED}]}]}}]}]});
    let body = event.to_string().into_bytes();
    assert_eq!(product.sim.post_webhook_raw(body).await.expect("an answer"), 200);
    let refused = product
        .http
        .post(product.url("/whatsapp/webhook"))
        .body(FORGED)
        .send()
        .await;
    assert_eq!(refused.expect("an answer").status(), 401);
    for (method, path, body) in [
        (
            "POST",
            "/tenants/register".to_owned(),
            json!({"name": FORGED, "phoneNumberId": FORGED, "accessToken": FORGED}),
        ),
        (
            "POST",
            format!("/tenants/{}/send", tenant.id),
            json!({"to": FORGED, "text": FORGED, "from": FORGED}),
        ),
    ] {
        assert_eq!(product.call(method, &path, Some(body)).await.0, 422);
    }
    let escaped = "%0d%0a%1b%5b31m";
    for path in [
        format!("/tenants/{escaped}"),
        format!("/{escaped}"),
        format!("/tenants?cursor={escaped}"),
    ] {
        let asked = product.http.get(product.url(&path)).bearer_auth(ADMIN_KEY);
        let asked = asked.header("user-agent", "a\tb").header("x-request-id", "a\tb").send();
        assert!(asked.await.expect("an answer").status().is_client_error());
    }
    // A key of nobody, whose address is logged, and a message that Meta refuses.
    let unknown = format!("dk_{}", "A".repeat(43));
    let asked = product
        .http
        .get(product.url(&format!("/tenants/{}", tenant.id)))
        .bearer_auth(unknown);
    assert_eq!(asked.send().await.expect("an answer").status(), 404);
}

async fn what_strangers_write_makes_no_line_of_the_log(backend: Backend) {
    for (format, begin) in [("json", "{\"timestamp\":"), ("text", "20")] {
        let setup = Setup::on(backend)
            .env("LOG_FORMAT", format)
            .env("LOG_LEVEL", "debug,dakghar=trace");
        let mut product = setup.start().await;
        // What it tells whoever started it.
        let before = other_lines(&product.log(), begin);
        let tenant = product.tenant("111", "mock_a").await;
        write_everywhere(&product, &tenant).await;
        product.terminate().await;
        let log = product.log();
        assert!(
            log.contains("a wrong API key was presented"),
            "nothing was logged: {log}"
        );
        assert!(!log.contains('\u{1b}'), "a log holds colours");
        assert_eq!(other_lines(&log, begin), before, "{format}: a line of a stranger");
        for line in log.lines().filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            assert_ne!(line["message"], "forged");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_core_is_written_and_nobody_else_reads_the_memory() {
    // Root may read everything, so it must be somebody else's process.
    const NOBODY: u32 = 65_534;
    let mut product = Product::start(Backend::Embedded).await;
    product.kill();
    let open_to_all = || std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(product.dir.path(), open_to_all()).expect("ours");
    let is_root = std::fs::metadata("/proc/self").expect("this process").uid() == 0;
    let mut command = product.command();
    command
        .arg("serve")
        .env("DATA_DIR", product.dir.path().join("of-nobody"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let running = Running(command.spawn().expect("the program starts"));
    product.ready().await;
    let of_process = |file: &str| format!("/proc/{}/{file}", running.0.id());
    let limits = std::fs::read_to_string(of_process("limits")).expect("the limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.expect("that limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{core:?}");
    // What may not be dumped belongs to root, whoever started it.
    for file in ["mem", "environ", "maps"] {
        let owner = std::fs::metadata(of_process(file)).expect("it is there").uid();
        assert_eq!(owner, 0, "{file} may be read by others");
    }
}

async fn a_wrong_master_key_ends_the_start(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    product.terminate().await;
    let right = product.setting("MASTER_KEY").to_owned();
    let wrong = "another master key, of more than 32 bytes";
    product.set("MASTER_KEY", wrong);
    let (code, out, err) = product.run(&["serve"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("secrets of this installation cannot be opened"), "{err}");
    assert!(err.contains("MASTER_KEY_PREVIOUS"), "{err}");
    assert!(!err.contains(wrong) && !err.contains(&right), "a key is shown: {err}");
    product.set("MASTER_KEY", right);
    product.spawn("serve");
    product.ready().await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
}

/// Runs as long as this lives.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_server_is_in_no_log() {
    let mut product = Setup::on(Backend::Fragile).env("LOG_LEVEL", "trace").start().await;
    product.servers().1.require_password("another").await;
    let (mongo, redis) = (
        product.setting("MONGO_URI").to_owned(),
        product.setting("REDIS_URL").to_owned(),
    );
    for (name, value) in [
        ("MONGO_URI", mongo.replace("://", &format!("://dakghar:{PASSWORD}@"))),
        ("REDIS_URL", redis.replace("://", &format!("://dakghar:{PASSWORD}@"))),
    ] {
        let port = Port::claim();
        let before = product.log().len();
        product.set(name, value);
        product.spawn_on("serve", port.number());
        let is_refused = async || {
            let log = product.log();
            let said = log[before..].to_lowercase();
            said.contains("authentication failed") || said.contains("wrongpass")
        };
        assert!(
            eventually(is_refused).await,
            "{name} was not refused: {}",
            &product.log()[before..]
        );
        let (_, out, err) = product.run(&["doctor"]);
        for text in [product.log(), out, err] {
            assert!(!text.contains(PASSWORD), "{name}: the password shows");
        }
        product.set("MONGO_URI", &mongo);
    }
}

/// The program works for users of Redis and MongoDB who can neither empty nor change those servers.
#[tokio::test(flavor = "multi_thread")]
async fn it_needs_no_right_to_empty_or_change_its_servers() {
    let mut product = Setup::on(Backend::Fragile).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let users = json!({"createUser": "app", "pwd": PASSWORD, "roles": [{"role": "readWrite", "db": "dakghar"}]});
    let users = bson::serialize_to_document(&users).expect("a document");
    product.database().await.run_command(users).await.expect("a user");
    product.kill();

    let (mongo, redis) = product.servers();
    let redis_port = redis.port().to_string();
    let rules = format!(
        "ACL SETUSER app on >{PASSWORD} ~* &* +@all -flushall -flushdb -config -keys -debug -shutdown -acl -replicaof"
    );
    let mut command = Command::new("redis-cli");
    let made = command
        .args(["-p", &redis_port])
        .args(rules.split(' '))
        .output()
        .expect("redis-cli runs");
    assert!(made.stdout.starts_with(b"OK"), "{made:?}");

    // The server asks for passwords from now on.
    let (port, folder) = (mongo.port().to_string(), mongo.folder().to_owned());
    mongo.kill();
    let key_file = folder.join("key");
    std::fs::write(&key_file, "a key of the members of the set").expect("a file");
    std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("private");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.services/bin/mongod");
    let program = if std::path::Path::new(own).is_file() {
        own
    } else {
        "mongod"
    };
    let mut command = Command::new(program);
    command.args([
        "--replSet",
        "rs0",
        "--bind_ip",
        "127.0.0.1",
        "--nounixsocket",
        "--quiet",
        "--port",
        &port,
    ]);
    command
        .args(["--auth", "--keyFile"])
        .arg(&key_file)
        .arg("--dbpath")
        .arg(&folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _mongod = Running(command.spawn().expect("mongod starts"));

    let credentials = format!("://app:{PASSWORD}@");
    for name in ["MONGO_URI", "REDIS_URL"] {
        let uri = product.setting(name).replace("://", &credentials);
        product.set(name, uri);
    }
    product.spawn("serve");
    product.ready().await;
    for n in 0..20 {
        let id = product.send(&tenant, &format!("+91911111111{n}")).await;
        product.until_status(&tenant, &id, "delivered").await;
    }
    let drop = bson::doc! {"dropDatabase": 1};
    let refused = product
        .database()
        .await
        .run_command(drop)
        .await
        .expect_err("it may empty its database");
    assert!(refused.to_string().contains("not authorized"), "{refused}");
    for words in [&["FLUSHALL"][..], &["CONFIG", "SET", "maxmemory", "1"], &["KEYS", "*"]] {
        let mut command = Command::new("redis-cli");
        command
            .args(["--no-auth-warning", "-u", product.setting("REDIS_URL")])
            .args(words);
        let said = command.output().expect("redis-cli runs").stdout;
        assert!(
            said.starts_with(b"NOPERM"),
            "{words:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
}
