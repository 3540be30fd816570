//! HTTPS in the process: what is spoken on which port, and a certificate that is replaced while requests go on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dakghar_graph_sim::StatusPlan;
use dakghar_testkit::Port;
use dakghar_testkit::receiver::{Authority, Flaw};
use reqwest::{Certificate, Client, Version, redirect, tls};
use serde_json::json;

use crate::product::{ADMIN_KEY, Backend, MASTER_KEY, Setup, eventually, on_both_backends};

on_both_backends!(
    https_is_spoken_and_plain_http_is_led_to_it,
    a_certificate_is_replaced_under_load_and_no_request_is_lost,
    health_has_a_port_of_its_own,
);

/// The files of a certificate, in a folder of the test.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn of(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Self { folder };
        files.take(authority);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    /// Puts a certificate of this authority there.
    fn take(&self, authority: &Authority) {
        let (certificate, key) = authority.certificate(Flaw::None);
        std::fs::copy(certificate, self.certificate()).expect("copied");
        std::fs::copy(key, self.key()).expect("copied");
    }

    fn setup(&self, setup: Setup, authorities: &[&Authority]) -> Setup {
        let mut setup = setup
            .env("TLS_CERT_FILE", self.certificate().display())
            .env("TLS_KEY_FILE", self.key().display())
            .statuses(StatusPlan::none());
        setup.authorities = authorities.iter().map(|authority| authority.pem()).collect();
        setup
    }
}

fn client(authorities: &[&Authority]) -> reqwest::ClientBuilder {
    let roots = authorities
        .iter()
        .map(|authority| Certificate::from_pem(&authority.pem()).expect("PEM"));
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_mins(1))
        .tls_certs_only(roots)
}

async fn https_is_spoken_and_plain_http_is_led_to_it(backend: Backend) {
    let authority = Authority::new();
    let files = Files::of(&authority);
    let redirecting = Port::claim();
    let setup = Setup::on(backend)
        .env("REDIRECT_ADDR", format!("127.0.0.1:{redirecting}"))
        .env("HSTS_SECONDS", 31_536_000);
    let mut product = files.setup(setup, &[&authority]).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "sent").await;

    for (builder, version) in [
        (client(&[&authority]), Version::HTTP_2),
        (client(&[&authority]).http1_only(), Version::HTTP_11),
        (
            client(&[&authority]).tls_version_max(tls::Version::TLS_1_2),
            Version::HTTP_2,
        ),
        (
            client(&[&authority]).tls_version_min(tls::Version::TLS_1_3),
            Version::HTTP_2,
        ),
    ] {
        let answer = builder
            .build()
            .expect("a client")
            .get(product.url("/tenants"))
            .send()
            .await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (401, version));
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("strict-transport-security"), "max-age=31536000");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
    }
    let stranger = client(&[&Authority::new()]).build().expect("a client");
    assert!(stranger.get(product.url("/healthz")).send().await.is_err());
    let plain = format!("http://127.0.0.1:{}/healthz", product.port);
    assert!(
        product.http.get(plain).send().await.is_err(),
        "the port speaks HTTPS only"
    );

    let of_redirect = |path: &str| format!("http://127.0.0.1:{redirecting}{path}");
    let asking = client(&[&authority]).build().expect("a client");
    let led = asking
        .post(of_redirect("/tenants/register?a=b"))
        .body("{}")
        .send()
        .await
        .expect("an answer");
    assert_eq!(led.status().as_u16(), 308);
    assert_eq!(led.headers()["location"], product.url("/tenants/register?a=b"));
    assert!(
        !led.headers().contains_key("strict-transport-security"),
        "only HTTPS may say so"
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            asking.get(of_redirect(path)).send().await.expect("an answer").status(),
            200,
            "{path}"
        );
    }
    // It asks by HTTPS, whatever the name in the certificate is.
    let (code, out, err) = product.run(&["health"]);
    assert_eq!(
        (code, out.trim()),
        (Some(0), &*format!("alive: {} answers 200", product.url("/healthz"))),
        "{err}"
    );
    assert!(product.log().contains("https://") && !product.log().contains("PRIVATE KEY"));
    assert_eq!(product.terminate().await, Some(0), "{}", product.log());
}

async fn a_certificate_is_replaced_under_load_and_no_request_is_lost(backend: Backend) {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::of(&old);
    let metrics = Port::claim();
    let setup = Setup::on(backend).env("METRICS_ADDR", format!("127.0.0.1:{metrics}"));
    let product = Arc::new(files.setup(setup, &[&old, &new]).start().await);
    let tenant = product.fast_tenant("111").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut load = tokio::task::JoinSet::new();
    // Half of them keep their connection, the others make one for each request.
    for n in 0..8 {
        let kept = if n % 2 == 0 { 32 } else { 0 };
        let client = client(&[&old, &new])
            .pool_max_idle_per_host(kept)
            .build()
            .expect("a client");
        let url = product.url(&format!("/tenants/{}/send", tenant.id));
        let (is_over, answered) = (is_over.clone(), answered.clone());
        load.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let body = json!({"to": format!("+91911111111{n}"), "text": "hello"});
                let answer = client.post(&url).bearer_auth(ADMIN_KEY).json(&body).send().await;
                assert_eq!(answer.expect("no connection is lost").status(), 202);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let more = async || {
        let before = answered.load(Ordering::Relaxed);
        assert!(eventually(async || answered.load(Ordering::Relaxed) >= before + 40).await);
    };
    let exported = async |series: &str| {
        let text = product
            .http
            .get(format!("http://127.0.0.1:{metrics}/metrics"))
            .send()
            .await;
        let text = text.expect("an answer").text().await.expect("text");
        let line = text.lines().find(|line| line.starts_with(series)).map(str::to_owned);
        line.and_then(|line| line.rsplit_once(' ').map(|(_, value)| value.to_owned()))
    };
    more().await;
    // A key that does not belong to the certificate: refused, told once, and the old pair stays.
    std::fs::copy(new.certificate(Flaw::None).1, files.key()).expect("copied");
    let refused = "dakghar_tls_reloads_total{result=\"refused\"}";
    assert!(
        eventually(async || exported(refused).await.as_deref() == Some("1")).await,
        "{}",
        product.log()
    );
    product.signal_process(0, "HUP");
    more().await;
    assert_eq!(
        exported(refused).await.as_deref(),
        Some("1"),
        "the same is not judged twice"
    );
    let log = product.log();
    assert_eq!(log.matches("the certificate was not replaced").count(), 1, "{log}");
    assert!(log.contains("TLS_KEY_FILE") && log.contains("does not belong"), "{log}");
    let only_new = || {
        client(&[&new])
            .build()
            .expect("a client")
            .get(product.url("/healthz"))
            .send()
    };
    assert!(only_new().await.is_err(), "the old one is still shown");

    // A whole pair, without any signal.
    files.take(&new);
    assert!(eventually(async || only_new().await.is_ok()).await, "{}", product.log());
    more().await;
    // And back, at once.
    files.take(&old);
    product.signal_process(0, "HUP");
    let only_old = || {
        client(&[&old])
            .build()
            .expect("a client")
            .get(product.url("/healthz"))
            .send()
    };
    assert!(eventually(async || only_old().await.is_ok()).await, "{}", product.log());
    more().await;
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request failed");
    }
    let taken = exported("dakghar_tls_reloads_total{result=\"taken\"}").await;
    assert_eq!(taken.as_deref(), Some("2"), "{}", product.log());
    let expiry: i64 = exported("dakghar_tls_certificate_expiry_seconds")
        .await
        .expect("a value")
        .parse()
        .expect("a time");
    let left = expiry - jiff::Timestamp::now().as_second();
    assert!((86_400..=2 * 86_400).contains(&left), "{left}");
}

async fn health_has_a_port_of_its_own(backend: Backend) {
    let authority = Authority::new();
    let files = Files::of(&authority);
    let (health, redirecting) = (Port::claim(), Port::claim());
    let setup = Setup::on(backend)
        .env("HEALTH_ADDR", format!("127.0.0.1:{health}"))
        .env("REDIRECT_ADDR", format!("127.0.0.1:{redirecting}"))
        .env("PUBLIC_URL", "https://whatsapp.example.com/");
    let mut product = files.setup(setup, &[&authority]).start().await;
    let ask = async |url: String| {
        let asking = client(&[&authority]).build().expect("a client").get(url).send().await;
        asking.expect("an answer").status().as_u16()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(format!("http://127.0.0.1:{health}{path}")).await, 200);
        assert_eq!(ask(product.url(path)).await, 404, "{path} is not for the public");
        assert_eq!(ask(format!("http://127.0.0.1:{redirecting}{path}")).await, 308);
    }
    for path in ["/", "/tenants", "/metrics", "/docs", "/whatsapp/webhook"] {
        assert_eq!(ask(format!("http://127.0.0.1:{health}{path}")).await, 404, "{path}");
    }
    let client = client(&[&authority]).build().expect("a client");
    let led = client
        .get(format!("http://127.0.0.1:{redirecting}/a"))
        .header("host", "evil.example")
        .send()
        .await;
    assert_eq!(
        led.expect("an answer").headers()["location"],
        "https://whatsapp.example.com/a"
    );
    let (code, out, err) = product.run(&["health", "--ready"]);
    let expected = format!("ready: http://127.0.0.1:{health}/readyz answers 200");
    assert_eq!((code, out.trim()), (Some(0), expected.as_str()), "{err}");
    if backend == Backend::Distributed {
        // A worker has nothing but health checks, so it takes that address alone.
        let of_worker = Port::claim();
        product.set("HEALTH_ADDR", format!("127.0.0.1:{of_worker}"));
        product.spawn("worker");
        let url = format!("http://127.0.0.1:{of_worker}/readyz");
        let is_ready = async || {
            product
                .http
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        };
        assert!(eventually(is_ready).await, "{}", product.log());
        assert_eq!(product.terminate().await, Some(0), "{}", product.log());
    }
}

/// What ends a start, and the setting that it must name.
#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_ends_the_start_with_the_way_out() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = Files::of(&authority);
    let (chain, key) = (files.certificate(), files.key());
    let other_key = other.certificate(Flaw::None).1;
    let nothing = files.folder.path().join("nothing");
    let pipe = files.folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let cases = [
        (Some(&pipe), Some(&key), 1, ["TLS_CERT_FILE", "it is not a file"]),
        (
            Some(&chain),
            Some(&other_key),
            1,
            ["TLS_KEY_FILE", "the server's own certificate stands first"],
        ),
        (Some(&chain), Some(&nothing), 1, ["TLS_KEY_FILE", "No such file"]),
        (Some(&nothing), Some(&key), 1, ["TLS_CERT_FILE", "No such file"]),
        (Some(&key), Some(&key), 1, ["TLS_CERT_FILE", "no certificate in PEM"]),
        (Some(&chain), None, 64, ["TLS_KEY_FILE", "HTTPS needs both"]),
        (None, Some(&key), 64, ["TLS_CERT_FILE", "HTTPS needs both"]),
        (None, None, 64, ["REDIRECT_ADDR", "set TLS_CERT_FILE and TLS_KEY_FILE"]),
    ];
    for (chain, key, expected, words) in cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dakghar"));
        command
            .arg("serve")
            .env_clear()
            .env("PORT", "0")
            .env("METRICS_ADDR", "off");
        command.env("DATA_DIR", files.folder.path().join("data"));
        command
            .env("REDIRECT_ADDR", "127.0.0.1:0")
            .current_dir(files.folder.path());
        if let Some(chain) = chain {
            command.env("TLS_CERT_FILE", chain);
        }
        if let Some(key) = key {
            command.env("TLS_KEY_FILE", key);
        }
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("joined");
        let output = output.expect("the program runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{err}");
        assert!(words.iter().all(|word| err.contains(word)), "{words:?}: {err}");
        assert!(!files.folder.path().join("data").exists(), "the store was touched");
    }
}

/// Secrets that come from files are in no list of processes, and there is no child to inherit them.
#[tokio::test(flavor = "multi_thread")]
async fn neither_keys_nor_their_files_content_show_among_processes() {
    let authority = Authority::new();
    let files = Files::of(&authority);
    let secret = files.folder.path().join("master");
    std::fs::write(&secret, MASTER_KEY).expect("written");
    let setup = Setup::on(Backend::Embedded)
        .env("MASTER_KEY", "")
        .env("MASTER_KEY_FILE", secret.display());
    let product = files.setup(setup, &[&authority]).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "sent").await;
    let of_process = format!("/proc/{}", product.pid());
    let shown = |name: &str| std::fs::read(format!("{of_process}/{name}")).unwrap_or_default();
    let key = std::fs::read_to_string(files.key()).expect("a key");
    let line_of_key = key.lines().nth(1).expect("a line").to_owned();
    let all = [shown("cmdline"), shown("environ"), product.log().into_bytes()].concat();
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("serve"), "{all}");
    assert!(!all.contains(MASTER_KEY) && !all.contains(&line_of_key));
    let children = String::from_utf8(shown(&format!("task/{}/children", product.pid()))).expect("text");
    assert_eq!(children.trim(), "", "nobody inherits anything");
}
