//! Dead letters through the whole product: each command of the operator's page, and the export of the API.

use std::os::unix::fs::symlink;
use std::process::Command;

use dakghar_graph_sim::{Fault, FaultRule};
use serde_json::Value;

use crate::product::{ADMIN_KEY, Backend, Product, on_both_backends, text};

on_both_backends!(every_command_of_the_page_about_dead_letters_works);

const PAGE: &str = include_str!("../../../../docs/operating/dead-letters.md");

/// The blocks of commands on the page.
fn blocks() -> Vec<&'static str> {
    let behind = PAGE.split("```sh\n").skip(1);
    behind.map(|block| block.split("```").next().expect("an end")).collect()
}

async fn every_command_of_the_page_about_dead_letters_works(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    product.sim.add_rule(FaultRule::always(Fault::graph_error(131_026)));
    let letter = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &letter, "failed").await;

    let folder = product.data_dir().with_file_name("page");
    std::fs::create_dir(&folder).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_dakghar"), folder.join("dakghar")).expect("a link");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let run = |commands: &str| {
        let program = product.command();
        let set = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(&folder)
            .env_clear()
            .envs(set)
            .env("PATH", &path)
            .env("TENANT_ID", &tenant.id)
            .env("ADMIN_API_KEY", ADMIN_KEY)
            .env("DAKGHAR", product.url(""))
            .output()
            .expect("bash runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{commands}\n{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let blocks = blocks();
    assert!(blocks.len() >= 4, "{blocks:?}");
    let out: Vec<String> = blocks.iter().map(|block| run(block)).collect();
    assert!(out[0].contains(&letter), "{}", out[0]);
    let limits = product.get(&format!("/tenants/{}", tenant.id)).await["limits"].clone();
    assert_eq!(
        (&limits["expiredDays"], &limits["unknownDays"]),
        (&Value::Null, &Value::from(365))
    );
    let exported = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("an export");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect::<Vec<Value>>()
    };
    let (shell, api) = (exported("dead-letters.ndjson"), exported("dead-letters-of-api.ndjson"));
    assert_eq!(shell, api);
    assert_eq!(shell.iter().map(|line| text(&line["id"])).collect::<Vec<_>>(), [letter]);
}
