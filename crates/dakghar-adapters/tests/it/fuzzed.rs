//! Input from outside that is odd in every way somebody thought of: what holds for all input holds for it.

use std::path::Path;
use std::sync::Arc;

use dakghar_adapters::meta::MetaWebhooks;
use dakghar_adapters::redis::work_of_job;
use dakghar_core::domain::secret::Secret;
use dakghar_testkit::{TestClock, fuzzed};

/// The inputs of one kind.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() > 3, "{name} has hardly any inputs");
    inputs
}

fn webhooks() -> MetaWebhooks {
    let secret = Secret::new(fuzzed::APP_SECRET);
    MetaWebhooks::new(&[secret], None, Arc::new(TestClock::default()))
}

#[test]
fn bodies_of_webhooks_lose_nothing() {
    let webhooks = webhooks();
    for input in corpus("webhook_body") {
        fuzzed::webhook_body(&webhooks, &input);
    }
}

#[test]
fn wrong_signatures_are_never_accepted() {
    let webhooks = webhooks();
    for input in corpus("signature_header") {
        fuzzed::signature_header(&webhooks, &input);
    }
}

#[test]
fn bodies_of_sends_are_refused_or_pass_as_they_are() {
    for input in corpus("send_body") {
        fuzzed::send_body(&input);
    }
}

#[test]
fn cursors_open_for_their_own_list_only() {
    for input in corpus("cursor") {
        fuzzed::cursor(&input);
    }
}

#[test]
fn jobs_are_the_work_that_they_name_or_none() {
    for input in corpus("bullmq_job") {
        fuzzed::bullmq_job(work_of_job, &input);
    }
}
