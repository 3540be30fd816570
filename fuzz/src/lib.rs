//! The targets: what the test kit holds, over the real readers.

use std::sync::{Arc, LazyLock};

use dakghar_adapters::meta::MetaWebhooks;
use dakghar_adapters::redis::work_of_job;
use dakghar_core::domain::Secret;
use dakghar_testkit::{TestClock, fuzzed};

static WEBHOOKS: LazyLock<MetaWebhooks> =
    LazyLock::new(|| MetaWebhooks::new(&[Secret::new(fuzzed::APP_SECRET)], None, Arc::new(TestClock::default())));

pub fn webhook_body(bytes: &[u8]) {
    let _ = fuzzed::webhook_body(&*WEBHOOKS, bytes);
}

pub fn signature_header(bytes: &[u8]) {
    fuzzed::signature_header(&*WEBHOOKS, bytes);
}

pub fn send_body(bytes: &[u8]) {
    fuzzed::send_body(bytes);
}

pub fn cursor(bytes: &[u8]) {
    fuzzed::cursor(bytes);
}

pub fn bullmq_job(bytes: &[u8]) {
    fuzzed::bullmq_job(work_of_job, bytes);
}
