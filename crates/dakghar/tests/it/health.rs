//! `dakghar health`, as a container's health check runs it beside the process.

use std::process::Command;

use dakghar_testkit::Port;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::product::{Backend, Product, eventually, on_both_backends};

on_both_backends!(it_tells_whether_the_process_is_alive_and_ready);

async fn it_tells_whether_the_process_is_alive_and_ready(backend: Backend) {
    let mut product = Product::start(backend).await;
    // Another machine is not meant, and the secrets are not needed.
    product.set("BIND_ADDR", "0.0.0.0");
    for name in ["ADMIN_API_KEY", "MASTER_KEY", "APP_SECRET"] {
        product.set(name, "");
    }
    for (arguments, state, path) in [
        (&["health"][..], "alive", "/healthz"),
        (&["health", "--ready"], "ready", "/readyz"),
    ] {
        let (code, out, err) = product.run(arguments);
        let url = product.url(path);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert_eq!(out, format!("{state}: {url} answers 200\n"));
    }
    product.terminate().await;
    let (code, out, err) = product.run(&["health"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("nobody answers there") && err.lines().count() == 1,
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_names_what_is_down() {
    let mut product = Product::start(Backend::Fragile).await;
    product.servers().1.kill();
    let is_named = async || {
        let (code, _, err) = product.run(&["health", "--ready"]);
        code == Some(1) && err.contains("answers 503: not_ready (down: queue)")
    };
    assert!(eventually(is_named).await, "{:?}", product.run(&["health", "--ready"]));
    assert_eq!(product.run(&["health"]).0, Some(0), "it is alive all the same");
}

fn health_of(port: u16, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dakghar"))
        .arg("health")
        .args(arguments)
        .env_clear()
        .env("PORT", port.to_string())
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_or_speaks_something_else_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (code, err) = tokio::task::spawn_blocking(move || health_of(port, &["--timeout", "1"]))
        .await
        .expect("joined");
    assert_eq!(code, Some(1));
    assert!(err.contains("has not answered within 1000 ms"), "{err}");

    let greeting = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.write_all(b"220 mail.example.org\r\n").await;
        }
    });
    let (code, err) = tokio::task::spawn_blocking(move || health_of(port, &["--timeout", "60"]))
        .await
        .expect("joined");
    greeting.abort();
    assert_eq!(code, Some(1));
    assert!(err.contains("speaks no HTTP"), "{err}");
}

#[test]
fn an_address_that_nobody_can_know_is_a_wrong_setting() {
    let port = Port::claim();
    for (name, value) in [("PORT", "0"), ("PORT", "x"), ("BIND_ADDR", "nowhere")] {
        let output = Command::new(env!("CARGO_BIN_EXE_dakghar"))
            .arg("health")
            .env_clear()
            .env("PORT", port.to_string())
            .env(name, value)
            .current_dir(std::env::temp_dir())
            .output()
            .expect("the program runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{err}");
        assert!(err.contains(name), "{err}");
    }
}
