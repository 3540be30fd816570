//! Fuzzes `dakghar_testkit::fuzzed::bullmq_job`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dakghar_fuzz::bullmq_job(bytes));
