//! A system that allows few open files, and clients that hold connections and say nothing.

use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use dakghar_testkit::Port;

use crate::product::{Backend, Product, Setup, eventually};

/// The program, where the system allows so many open files.
fn with_files(product: &Product, files: u32) -> Command {
    let program = product.command();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$1\" && exec \"$0\" serve"])
        .arg(program.get_program())
        .arg(files.to_string())
        .env_clear()
        .current_dir(product.dir.path())
        .stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        command.env(name, value.expect("a value"));
    }
    command
}

fn silent(port: u16, count: usize) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    (0..count).map(connect).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_open_files_others_are_answered_beside_silent_connections() {
    for files in [256, 1_024] {
        let mut product = Product::start(Backend::Embedded).await;
        product.kill();
        product.spawn_command(with_files(&product, files));
        product.ready().await;
        let _silent = silent(product.port.number(), 40);
        for _ in 0..5 {
            let fresh = reqwest::Client::builder().no_proxy().build().expect("a client");
            let answer = fresh.get(product.url("/healthz")).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{files} files");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_few_open_files_it_does_not_start_and_says_why() {
    let mut product = Product::start(Backend::Embedded).await;
    product.kill();
    let Output { status, stderr, .. } = with_files(&product, 100).output().expect("it runs");
    let told = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{told}");
    assert!(
        told.contains("ulimit -n") && told.contains("must be 128 at least"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_to_the_port_of_metrics_do_not_keep_others_out() {
    let port = Port::claim();
    let setup = Setup::on(Backend::Embedded).env("METRICS_ADDR", format!("127.0.0.1:{port}"));
    let product = setup.start().await;
    let scrape = async || {
        let fresh = reqwest::Client::builder().no_proxy().build().expect("a client");
        let asked = fresh.get(format!("http://127.0.0.1:{port}/metrics")).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    };
    assert!(scrape().await);
    let few = silent(port.number(), 40);
    assert!(scrape().await, "beside {} silent ones", few.len());
    // More than one address may have: the silent ones are soon gone.
    let _many = silent(port.number(), 100);
    assert!(eventually(scrape).await, "{}", product.log());
}
