//! The command line beside a running server.

use serde_json::json;

use crate::product::{Backend, Product, on_both_backends, text};

on_both_backends!(
    the_operators_shell_sees_what_the_api_sees,
    doctor_finds_everything_in_order,
    doctor_makes_no_folder,
    a_dead_letter_is_redriven_from_the_shell,
    dead_letters_are_exported_one_a_line,
);

async fn the_operators_shell_sees_what_the_api_sees(backend: Backend) {
    let product = Product::start(backend).await;
    let add = [
        "tenant",
        "add",
        "From the shell",
        "--phone-number-id",
        "111",
        "--access-token",
        "mock_a",
    ];
    let (code, out, err) = product.run(&add);
    assert_eq!(code, Some(0), "{err}");
    let id = out
        .lines()
        .find_map(|line| line.strip_prefix("tenantId  "))
        .expect("an id")
        .trim()
        .to_owned();
    let (_, list, _) = product.run(&["tenant", "list"]);
    assert!(list.contains(&id) && list.contains("From the shell"), "{list}");
    assert_eq!(product.get(&format!("/tenants/{id}")).await["name"], "From the shell");

    assert_eq!(product.run(&["tenant", "pause", &id]).0, Some(0));
    let tenant = crate::product::Tenant {
        id: id.clone(),
        api_key: String::new(),
    };
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let message = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &message, "held").await;
    assert_eq!(product.run(&["tenant", "resume", &id]).0, Some(0));
    product.until_status(&tenant, &message, "delivered").await;

    let (code, out, err) = product.run(&["dead-letter", "list"]);
    assert_eq!((code, out.trim()), (Some(0), "no dead letters"), "{err}");
    let (code, _, err) = product.run(&["tenant", "show", "nobody"]);
    assert!(code == Some(1) && err.contains("is not a tenant id"), "{err}");
    assert_eq!(product.run(&["tenant", "remove", &id, "--force"]).0, Some(0));
}

async fn doctor_finds_everything_in_order(backend: Backend) {
    let product = Product::start(backend).await;
    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("store is ready") && out.contains("queue is ready"),
        "{out}"
    );
    assert!(!out.contains("it-admin-key") && !out.contains("it-master-key"), "{out}");
}

async fn doctor_makes_no_folder(backend: Backend) {
    let product = Product::start(backend).await;
    let folder = product.data_dir().with_file_name("elsewhere");
    let output = product
        .command()
        .arg("doctor")
        .env("DATA_DIR", &folder)
        .env_remove("VERIFY_TOKEN")
        .output()
        .expect("the program runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("does not exist yet"), "{out}");
    assert_eq!(out.contains("store is ready"), product.is_distributed(), "{out}");
    assert!(!folder.exists());
}

async fn a_dead_letter_is_redriven_from_the_shell(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let rule = dakghar_graph_sim::FaultRule::first(1, dakghar_graph_sim::Fault::graph_error(131_026));
    product.sim.add_rule(rule);
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "failed").await;
    let (code, _, err) = product.run(&["dead-letter", "list", "--limit", "201"]);
    assert!(code != Some(0) && err.contains("1..=200"), "{err}");
    let (_, list, _) = product.run(&["dead-letter", "list", "--limit", "200"]);
    assert!(list.contains(&id) && list.contains("131026"), "{list}");
    let (code, _, err) = product.run(&["dead-letter", "redrive", &tenant.id, &id]);
    assert_eq!(code, Some(0), "{err}");
    product.until_status(&tenant, &id, "delivered").await;
}

/// More than a page, of two tenants.
async fn dead_letters_are_exported_one_a_line(backend: Backend) {
    const LETTERS: usize = 230;
    let product = Product::start(backend).await;
    let (ours, other) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    let rule = dakghar_graph_sim::FaultRule::always(dakghar_graph_sim::Fault::graph_error(131_026));
    product.sim.add_rule(rule);
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..LETTERS {
        ids.insert(product.send(&ours, "+919111111111").await);
    }
    let foreign = product.send(&other, "+919111111112").await;
    for id in &ids {
        product.until_status(&ours, id, "failed").await;
    }
    product.until_status(&other, &foreign, "failed").await;
    let exported = |arguments: &[&str]| {
        let (code, out, err) = product.run(arguments);
        assert_eq!(code, Some(0), "{err}");
        let lines = out
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        (lines.collect::<Vec<_>>(), err)
    };
    let (letters, told) = exported(&["dead-letter", "export", "--tenant", &ours.id]);
    let found: std::collections::BTreeSet<_> = letters.iter().map(|letter| text(&letter["id"])).collect();
    assert!(letters.len() == LETTERS && found == ids, "{}", letters.len());
    assert!(told.contains("230 dead letters"), "{told}");
    let shown = product.message(&ours, &text(&letters[0]["id"])).await;
    for field in ["status", "error", "timeline", "content", "to"] {
        assert_eq!(letters[0][field], shown[field], "{field} of {shown:#}");
    }
    assert_eq!(exported(&["dead-letter", "export"]).0.len(), LETTERS + 1);
    let audit = product.get("/audit").await;
    let readings = audit["data"].as_array().expect("records").iter();
    let by_export = readings.filter(|record| {
        record["action"] == "bodies.read" && record.to_string().contains("dakghar dead-letter export")
    });
    let tenants: Vec<_> = by_export.map(|record| record["tenantId"].clone()).collect();
    assert_eq!(tenants, [serde_json::Value::Null, ours.id.as_str().into()], "{audit:#}");
}

#[test]
fn wrong_settings_are_listed_at_once_and_end_with_64() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dakghar"))
        .arg("serve")
        .env_clear()
        .envs([("APP_ENV", "production"), ("PORT", "many")])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(64));
    let err = String::from_utf8_lossy(&output.stderr);
    for name in ["PORT", "ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MASTER_KEY"] {
        assert!(err.contains(name), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_share_a_folder() {
    let product = Product::start(Backend::Embedded).await;
    let output = product
        .command()
        .arg("serve")
        .env("PORT", "0")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
    assert_eq!(
        text(
            &product
                .post(
                    "/tenants/register",
                    json!({"name": "A", "phoneNumberId": "1", "accessToken": "mock_a"})
                )
                .await["name"]
        ),
        "A"
    );
}
